"""`timm_multimix.preview` and its result."""

from collections.abc import Sequence
from functools import cached_property

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from ..errors import UsageError
from ..mixers import Mixture
from ..notebook import figure_html
from ..options.keywords import spelled_as_keywords
from ..options.model import InputOptions
from ..options.preview import PreviewOptions
from ..previews.examples import Examples
from ..previews.figure import draw_panels
from ..previews.panels import Panel
from ..previews.run import draw, read_mix
from .evaluation import as_classifier
from .run import Run


class Preview:
    """The result of `preview`: the draws of a spec on some examples.

    Args:
        mix: the spec.
        panels: for each mixer its mixed examples (`samples`), its tuples (`tuples`), and the densities of
            lambda.
        examples: the images and labels.
    """

    def __init__(self, mix: str, panels: list[Panel], examples: Examples) -> None:
        self.mix, self.panels, self.examples = mix, panels, examples

    @cached_property
    def figure(self) -> Figure:
        """The figure, as `timm-multimix preview` draws it."""
        figure: Figure = draw_panels(self.panels, self.examples)
        return figure

    def __repr__(self) -> str:
        return f"Preview({self.mix!r}, {[panel.title for panel in self.panels]})"

    def _repr_html_(self) -> str:
        """Return the figure as HTML, for notebooks."""
        return figure_html(self.figure, f"what {self.mix} does")


def preview(
    mix: str | Mixture,
    images: Tensor,
    labels: Tensor | Sequence[int],
    *,
    class_names: Sequence[str] | None = None,
    model: nn.Module | Run | None = None,
    examples: int = 4,
    seed: int = 0,
) -> Preview:
    """Draw what a mixer does to images, as in training with them as a batch.

    Args:
        mix: a mixer spec, or the result of `create_mixer`.
        images: [b, 1 or 3, h, w], from 0 to 1, or integers from 0 to 255; b is at least 2.
        labels: class indices [b].
        class_names: names of the classes; by default their numbers.
        model: a network or a run, for mixers that are guided by a model.
        examples: number of steps shown; for mixers of tuples one step, with at most three tuples' labels.
        seed: seed of the draws.

    Returns:
        The draws as data (`panels`) and as an image (`figure`).

    Raises:
        UsageError: not a mixer spec, images or labels of another shape, or a mixer that needs a model.

    Examples:
        >>> images, labels = torch.rand(8, 3, 32, 32), torch.arange(8)
        >>> timm_multimix.preview("mixup | cutmix", images, labels)
        Preview('mixup | cutmix', [...])
    """
    with spelled_as_keywords(PreviewOptions):
        spec = mix.spec if isinstance(mix, Mixture) else mix
        branches = read_mix(spec, has_model=model is not None)
        shown = make_examples(images, torch.as_tensor(labels), class_names, model)
        return Preview(spec, draw(spec, branches, shown, examples, seed), shown)


def make_examples(
    images: Tensor, labels: Tensor, class_names: Sequence[str] | None, model: nn.Module | Run | None
) -> Examples:
    """Convert images and labels for previews.

    Args:
        images: as `preview` takes them.
        labels: class indices [b].
        class_names: names of the classes, or None.
        model: a network or a run, or None.

    Raises:
        UsageError: they have other shapes or values.
    """
    if images.dim() != 4 or images.shape[1] not in (1, 3) or len(images) < 2:
        raise UsageError(f"images must be [b, 1 or 3, h, w] with b >= 2, got {list(images.shape)}")
    if labels.shape != images.shape[:1] or labels.is_floating_point():
        raise UsageError(
            f"labels must be class indices [{len(images)}], got {list(labels.shape)} of {labels.dtype}"
        )
    pixels = images.float() if images.is_floating_point() else images.float() / 255
    if not 0 <= float(pixels.min()) <= float(pixels.max()) <= 1:
        low, high = float(images.min()), float(images.max())
        raise UsageError(f"images must be from 0 to 1, or integers from 0 to 255, got {low:g} to {high:g}")
    count = int(labels.max()) + 1
    names = list(class_names or map(str, range(count)))
    if int(labels.min()) < 0 or len(names) < count:
        raise UsageError(f"labels must be from 0 to {len(names) - 1}, got up to {count - 1}")
    classifier = None if model is None else as_classifier(model, InputOptions(in_chans=images.shape[1]))
    return Examples(pixels.cpu(), labels.long().cpu(), names, classifier, labels.long().cpu())
