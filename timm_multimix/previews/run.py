"""Run `preview`: from options to an image file."""

import os
import warnings
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..mixers import create_mixer
from ..mixers.plugins import import_modules
from ..mixers.step import Branches
from ..modeling.create import attempt
from ..options.preview import PreviewOptions
from .draws import needs_model
from .examples import Examples, load_examples
from .figure import draw_panels
from .panels import Panel, make_panels


def run(options: PreviewOptions) -> list[Panel]:
    """Draw the spec of the options into their file; returns the content of the figure.

    Raises:
        UsageError: a mistake in the options, before anything is written.
    """
    import_modules(options.file.import_)
    branches = read_mix(options.file.mix, has_model=options.network.model is not None)
    examples = load_examples(options.data, options.network, options.file.seed)
    panels = draw(options.file.mix, branches, examples, options.file.examples, options.file.seed)
    write(draw_panels(panels, examples), options.file.out)
    return panels


def read_mix(mix: str, *, has_model: bool) -> Branches:
    """Return the steps of a spec.

    Raises:
        UsageError: not a spec, one without a mixer, or one that needs a model if there is none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are about training
        branches = create_mixer(mix).branches
    if not any(step.mixers for _, step in branches):
        raise UsageError(f"--mix must name a mixer to draw, got {mix}")
    guided = [mixer.name for _, step in branches for mixer in step.mixers if needs_model(mixer)]
    if guided and not has_model:
        raise UsageError(f"{guided[0]} is guided by a model; give one with --model")
    return branches


def draw(mix: str, branches: Branches, examples: Examples, count: int, seed: int) -> list[Panel]:
    """Return the panels of the mixers of a spec, for examples in the first `count` steps.

    Raises:
        UsageError: a mixer does not take these images, or not with this model.
    """
    return attempt(f"preview of {mix}", lambda: make_panels(branches, examples, count, seed))


def write(figure: Any, file: Path) -> None:
    """Write a figure atomically."""
    temporary = file.with_name(f".tmp-{file.name}")
    try:
        figure.savefig(temporary, dpi=120)
        os.replace(temporary, file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UsageError(f"--out {file} cannot be written ({error.strerror})") from error
