"""Images of a split as pixels in [0, 1], batch by batch, with labels in the model's numbering."""

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms import Compose

from ..data.batches import EpochBatches
from ..data.columns import shown
from ..data.dataset import ImageDataset
from ..data.items import ObjectTensors
from ..data.labels import UNUSED
from ..data.loader import create_loader
from ..data.measured import Relabelled, Split
from ..data.sources import Source
from ..data.targets import task_of_source
from ..data.transforms import create_pixel_transform
from ..errors import UsageError
from ..options.shared import LoadingOptions
from ..records.tasks import CLASSIFICATION, MULTI_LABEL, REGRESSION
from .classifier import Classifier
from .corruptions import Corrupt

_ROUNDING = 1e-3
"""How far pixels may be outside [0, 1] once they were normalized and are converted back."""


class Chosen(EpochBatches):
    """Batches of the samples with these indices, in this order."""

    def __init__(self, indices: Tensor, batch_size: int) -> None:
        super().__init__(len(indices), batch_size)
        self.indices = indices

    def _order(self, epoch: int) -> Tensor:
        return self.indices


@dataclass(frozen=True)
class Denormalize:
    """Convert a model's input [c, h, w] to pixels; mean and std [c, 1, 1]."""

    mean: Tensor
    std: Tensor

    def __call__(self, image: Any) -> Tensor:
        pixels: Tensor = image * self.std + self.mean
        return pixels


class Pictures:
    """The images of a split, read again at every pass; each image once, in the order of the split."""

    def __init__(
        self,
        source: Source,
        classifier: Classifier,
        loading: LoadingOptions,
        *,
        seed: int = 0,
        skip_broken: bool = False,
    ) -> None:
        config = classifier.data_config
        self.loading, self.device = loading, classifier.mean.device
        tensors = getattr(source, "shape", None) is not None
        mean, std = classifier.mean.cpu(), classifier.std.cpu()
        self.dataset = (ObjectTensors if tensors else ImageDataset)(
            source,
            # tensors are what the model takes: as pixels they give the same once they are normalized
            Denormalize(mean, std) if tensors else create_pixel_transform(config),
            channels=3 if tensors else config["input_size"][0],
            seed=seed,
            skip_broken=skip_broken,
            workers=loading.workers,
        )

    def __len__(self) -> int:
        return len(self.dataset)

    def spaced(self, count: int | None) -> Tensor:
        """Return so many evenly spaced sample indices; all of them for None."""
        total = len(self)
        count = total if count is None else min(count, total)
        return torch.arange(count) * total // count

    def batches(
        self, indices: Tensor | None = None, corruption: Corrupt | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield pixels [b, c, h, w] and labels [b] on the classifier's device."""
        dataset = copy.copy(self.dataset)
        if corruption is not None:
            dataset.transform = Compose([dataset.transform, corruption])
        loading, order = self.loading, self.spaced(None) if indices is None else indices
        loader = create_loader(
            dataset,
            Chosen(order, loading.batch_size),
            workers=loading.workers,
            pin_memory=loading.pin_mem,
        )
        try:
            for pixels, labels, _ in loader:
                yield (
                    pixels.to(self.device, non_blocking=True),
                    labels.to(self.device, non_blocking=True),
                )
        finally:
            loader.close()


def checked(batches: Iterable[tuple[Tensor, Tensor]], asked: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches whose pixels are in [0, 1], as attacks and corruptions take and keep them.

    Args:
        batches: pixels and labels.
        asked: the option for which they are checked.

    Raises:
        UsageError: other pixels; such are tensors that were normalized in a way that nobody named.
    """
    for pixels, labels in batches:
        low, high = pixels.min().item(), pixels.max().item()
        if low < -_ROUNDING or high > 1 + _ROUNDING:
            raise UsageError(
                f"pixels must be from 0 to 1 for {asked}, got {low:.4g} to {high:.4g}; give the mean and std "
                "of the tensors in the model's `pretrained_cfg`, as train(mean=..., std=...) does, or pixels"
            )
        yield pixels, labels


OTHER_CLASSES = "its classes are not the model's own and were compared by number"


def match_classes(
    split: Split, label_names: Sequence[str] | None, outputs: int, *, allow_others: bool = False
) -> tuple[Source, bool]:
    """Label the split's samples by the model's outputs; also return whether its classes have other names.

    By name if the model knows all names of the split (which may be fewer, or in another order); by number
    if the model has no names. Numbers as names count as no names.

    Args:
        split: the images and the names of their classes.
        label_names: the model's names of its outputs.
        outputs: number of the model's outputs.
        allow_others: whether classes of other names are compared by number.

    Raises:
        UsageError: the split has another number of classes than the model, or other names.
    """
    names, known = split.class_names, [name for name in label_names or [] if not name.startswith(UNUSED)]
    task = task_of_source(split.source)
    if names == known or (task == REGRESSION and outputs == 1):
        return split.source, False
    if task == MULTI_LABEL and known:
        raise UsageError(
            f"the split '{split.name}' has the labels {shown(names, 5)}, the model {shown(known, 5)}; they "
            "must be the same, in the same order"
        )
    if task == CLASSIFICATION and _are_named_in(names, known):
        return Relabelled(split.source, [known.index(name) for name in names]), False
    _check_by_number(split, known, outputs, allow_others)
    return split.source, bool(known)


def _are_named_in(names: Sequence[str], known: Sequence[str]) -> bool:
    """Whether classes are the ones of these names that a model knows, not only of these numbers."""
    if all(name.isdigit() for name in names) or len(set(known)) < len(known):
        return False
    return set(names) <= set(known)


def _check_by_number(split: Split, known: Sequence[str], outputs: int, allow_others: bool) -> None:
    """Raises: UsageError if classes cannot, or may not, be compared by their numbers."""
    names = split.class_names
    if len(names) != outputs:
        theirs = f"{len(names)} classes ({shown(names, 5)})"
        mine = f"{outputs}" + (f" ({shown(known, 5)})" if known else "")
        raise UsageError(f"the split '{split.name}' has {theirs}, the model {mine}; they must be the same")
    if known and not allow_others:
        raise UsageError(
            f"the classes of the split '{split.name}' must be the model's, {shown(known, 5)}, got "
            f"{shown(names, 5)}; --allow-other-classes compares them by number"
        )
