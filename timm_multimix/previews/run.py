"""A preview from options to a file."""

import os
import warnings
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..mixers import create_mixer
from ..modeling.create import attempt
from ..options.preview import PreviewOptions
from .draws import needs_model
from .examples import load_examples
from .figure import draw_panels
from .panels import Panel, make_panels


def run(options: PreviewOptions) -> list[Panel]:
    """Draw the spec of the options into their file; gives what is in the picture.

    Raises:
        UsageError: a mistake in the options, before anything is written.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warns of training, where nothing is trained
        branches = create_mixer(options.file.mix).branches
    if not any(step.mixers for _, step in branches):
        raise UsageError(f"--mix must name a mixer to draw, got {options.file.mix}")
    guided = [mixer.name for _, step in branches for mixer in step.mixers if needs_model(mixer)]
    if guided and options.network.model is None:
        raise UsageError(f"{guided[0]} draws by what a model computes; give one with --model")
    examples = load_examples(options.data, options.network, options.file.seed)
    panels = attempt(
        f"preview of {options.file.mix}",
        lambda: make_panels(branches, examples, options.file.examples, options.file.seed),
    )
    write(draw_panels(panels, examples), options.file.out)
    return panels


def write(figure: Any, file: Path) -> None:
    """Write a figure whole, or say why not."""
    temporary = file.with_name(f".tmp-{file.name}")
    try:
        figure.savefig(temporary, dpi=120)
        os.replace(temporary, file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UsageError(f"--out {file}: it cannot be written ({error.strerror})") from error
