"""Label noise: a fixed part of the training labels is replaced, as a function of (seed, index)."""

from dataclasses import replace

import torch
from PIL import Image

from ..errors import UsageError, counted
from ..randomness import derive_seed
from ..records.tasks import CLASSIFICATION
from .dataset import ImageDataset
from .sources import Source, Wrapped
from .splits import Splits

_CHOICE, _CLASS = 0x6E6F697365, 0x636C617373


class NoisyLabels(Wrapped):
    """A source whose labels are replaced in round(fraction n) samples.

    symmetric: the label is replaced by a uniformly random class, the true one included, so that only
    (classes - 1) / classes of the replaced labels are wrong (Zhang et al. 2017, arXiv:1611.03530, which the
    memorization test of mixup follows: arXiv:1710.09412, section 3.4). pair: by the next class, the last by
    the first, so that all of them are.
    """

    def __init__(self, source: Source, classes: int, fraction: float, kind: str, seed: int) -> None:
        super().__init__(source)
        self.classes, self.kind = classes, kind
        count, generator = len(source), torch.Generator()
        order = torch.randperm(count, generator=generator.manual_seed(derive_seed(_CHOICE, seed)))
        self.replaced = torch.zeros(count, dtype=torch.bool)
        self.replaced[order[: round(fraction * count)]] = True
        generator.manual_seed(derive_seed(_CLASS, seed))
        self.random = torch.randint(classes, (count,), generator=generator)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        image, true = self.source[index]
        return image, self.label(index, true)

    def label(self, index: int, true: int) -> int:
        """Return the label of a sample whose true label is `true`, as training gets it."""
        if not self.replaced[index]:
            return true
        return (true + 1) % self.classes if self.kind == "pair" else int(self.random[index])


class LabelFacts(Wrapped):
    """The same samples, each with three labels [3]: as given, the true one, and 1 if it was replaced."""

    def __init__(self, noisy: NoisyLabels) -> None:
        super().__init__(noisy)
        self.noisy = noisy

    def __getitem__(self, index: int) -> tuple[Image.Image, torch.Tensor]:
        image, true = self.noisy.source[index]
        return image, torch.tensor([self.noisy.label(index, true), true, int(self.noisy.replaced[index])])

    def count_replaced(self, dataset: ImageDataset) -> int:
        """Count the images of a dataset with a replaced label, without skipped broken images."""
        return int(self.noisy.replaced[torch.from_numpy(dataset.rows)].sum())


def add_label_noise(splits: Splits, dataset: str, fraction: float, kind: str, seed: int) -> Splits:
    """The splits with a part of the training labels replaced, as by `NoisyLabels`.

    Raises:
        UsageError: no label would be another.
    """
    classes, count = len(splits.class_names), len(splits.train)
    if splits.task != CLASSIFICATION:
        raise UsageError(f"`label_noise` {fraction} is for one class an image; {dataset} is {splits.task}")
    if classes < 2 or round(fraction * count) < 1:
        raise UsageError(
            f"`label_noise` {fraction} must replace a label at least, of two classes, got {dataset} with "
            f"{count} training images of {counted(classes, 'class', 'classes')}"
        )
    return replace(splits, train=NoisyLabels(splits.train, classes, fraction, kind, seed))
