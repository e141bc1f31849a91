"""An image of the mixing of a run's first batch, for trackers."""

import copy
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor
from torch.distributed.tensor import DTensor

from ..data.random_states import random_states_kept
from ..errors import UsageError, one_line
from ..evaluation.classifier import Classifier
from ..mixers.step import Branches, Step
from ..records.tasks import CLASSIFICATION
from .loaders import Batch
from .setup import Setup

if TYPE_CHECKING:
    from ..previews.examples import Examples

logger = logging.getLogger(__name__)

NAME = "train/mixing"
"""Name of the image in trackers."""

_ARGUMENTS: dict[str, dict[str, Any]] = {"tensorboard": {"dataformats": "NHWC"}, "wandb": {}}
"""The trackers that show images, and further arguments of their `log_images`."""

_EXAMPLES, _STEPS = 16, 4


def log_mixing(setup: Setup, batch: Batch) -> None:
    """Draw the mixing of the first examples of a batch, for the trackers of the main process.

    The run is bitwise the same as without it. Any failure to draw or send it is a warning in the log, as an
    image must never end a training.
    """
    trackers = [tracker for tracker in setup.accelerator.trackers if tracker.name in _ARGUMENTS]
    mixing = [(share, step) for share, step in setup.task.mixture.branches if _mixes(step)]
    if not setup.accelerator.is_main_process or not trackers or not mixing:
        return
    try:
        with random_states_kept():
            image = draw_mixing(setup, tuple(mixing), batch)
        for tracker in trackers:
            tracker.log_images({NAME: image[None]}, step=0, **_ARGUMENTS[tracker.name])
    except UsageError as error:
        logger.warning(f"trackers get no image of the mixing: {error}")
    except Exception as error:
        logger.warning(f"trackers get no image of the mixing: {type(error).__name__}: {one_line(error)}")


def _mixes(step: Step) -> bool:
    return any(mixer.name != "none" for mixer in step.mixers)


def draw_mixing(setup: Setup, mixing: Branches, batch: Batch) -> np.ndarray:
    """Return the preview of a spec for the first examples of a batch, [h, w, 3] of 8 bits.

    Raises:
        UsageError: the labels are not one class an image, or a mixer cannot be drawn.
    """
    if setup.splits.task != CLASSIFICATION:
        raise UsageError(f"it shows one class an image, and the labels are {setup.splits.task}")
    from ..previews.draws import needs_model
    from ..previews.figure import draw_panels
    from ..previews.run import draw

    mix, seed = setup.options.mixing.mix, setup.options.run.seed
    guided = any(needs_model(mixer) for _, step in mixing for mixer in step.mixers)
    examples = first_examples(setup, batch, guided=guided)
    return pixels_of(draw_panels(draw(mix, mixing, examples, _STEPS, seed), examples))


def first_examples(setup: Setup, batch: Batch, *, guided: bool) -> "Examples":
    """Return the first examples of a batch, with a copy of the network for mixers that are guided by it.

    Raises:
        UsageError: the network is sharded over processes, all of which would have to run it.
    """
    from ..previews.examples import Examples

    images, labels = (tensor[:_EXAMPLES].cpu() for tensor in batch[:2])
    model = copy_network(setup) if guided else None
    mean, std = (_per_channel(setup.data_config[name], images) for name in ("mean", "std"))
    pixels = (images.float() * std + mean).clamp(0, 1)
    return Examples(pixels, labels, setup.splits.class_names, model, labels)


def copy_network(setup: Setup) -> Classifier:
    """Return a copy of the network on the CPU, in eval mode."""
    if any(isinstance(parameter, DTensor) for parameter in setup.model.parameters()):
        raise UsageError("its mixer is guided by the network, which is divided among the processes")
    return Classifier(copy.deepcopy(setup.model).cpu(), setup.data_config, setup.splits.class_names)


def _per_channel(values: Any, images: Tensor) -> Tensor:
    return images.new_tensor(values).float()[:, None, None]


def pixels_of(figure: Any) -> np.ndarray:
    """Return a matplotlib figure as an image [h, w, 3] of 8 bits."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
