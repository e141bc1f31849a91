"""torchvision's datasets by timm's names, `torch/NAME`."""

from typing import Any

import numpy as np
from PIL import Image

from ...dataset_names import TORCH
from ...errors import UsageError, one_line
from ...options.declaration import Trait
from ..collection import Collection
from ..columns import shown
from ..images import BrokenImage
from ..labels import names_of_numbers
from ..request import Request
from ..sources import Source
from .declaration import Kind

_BY_TIMM: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("cifar10", "cifar100", "mnist", "kmnist", "fashion_mnist", "qmnist"), ("train", "test")),
    **dict.fromkeys(("imagenet", "inaturalist", "places365"), ("train", "validation")),
}
"""Those that timm.data.create_dataset makes, with their splits."""

_BY_TORCHVISION: dict[str, tuple[str, tuple[str, ...]]] = {
    "country211": ("Country211", ("train", "valid", "test")),
    "dtd": ("DTD", ("train", "val", "test")),
    "fgvc_aircraft": ("FGVCAircraft", ("train", "val", "trainval", "test")),
    "flowers102": ("Flowers102", ("train", "val", "test")),
    "food101": ("Food101", ("train", "test")),
    "gtsrb": ("GTSRB", ("train", "test")),
    "oxford_iiit_pet": ("OxfordIIITPet", ("trainval", "test")),
    "pcam": ("PCAM", ("train", "val", "test")),
    "rendered_sst2": ("RenderedSST2", ("train", "val", "test")),
    "stanford_cars": ("StanfordCars", ("train", "test")),
    "stl10": ("STL10", ("train", "test")),
    "svhn": ("SVHN", ("train", "test")),
}
"""The class of torchvision.datasets and the values of its `split`, by the name that timm would give it."""


class TorchDatasets(Collection):
    """The splits of a dataset of torchvision."""

    def __init__(self, request: Request) -> None:
        self.request, self.name = request, request.dataset
        self.short = request.dataset.split("/", 1)[1].lower()
        by_torchvision = {name: splits for name, (_, splits) in _BY_TORCHVISION.items()}
        splits = (_BY_TIMM | by_torchvision).get(self.short)
        if splits is None:
            known = sorted(_BY_TIMM | _BY_TORCHVISION)
            raise UsageError(f"`dataset` {self.name}: torch/ is followed by one of {shown(known, 40)}")
        if request.data_dir is None:
            raise UsageError(f"`dataset` {self.name} needs `data_dir`, the directory that holds it")
        self.root, self.split_names = request.data_dir.expanduser(), splits

    def open(self, split: str, class_names: list[str] | None) -> tuple[Source, list[str]]:
        """A split and its class names."""
        title = f"split '{split}' of {self.name}"
        try:
            dataset = self._create(split)
        except (RuntimeError, OSError, ImportError) as error:
            advice = (
                "" if self.request.dataset_download else "; `dataset_download` fetches what may be fetched"
            )
            raise UsageError(f"{title} is not in {self.root}: {one_line(error)}{advice}") from error
        labels = _labels_of(dataset)
        named = _class_names(dataset) or names_of_numbers(class_names)
        names = named or [str(k) for k in range(int(labels.max()) + 1)]
        return ItemSource(dataset, labels, title), names

    def _create(self, split: str) -> Any:
        from timm.data import create_dataset
        from torchvision import datasets

        arguments: dict[str, Any] = {"root": str(self.root), "split": split}
        arguments["download"] = self.request.dataset_download
        if self.short in _BY_TIMM:
            return create_dataset(f"torch/{self.short}", **arguments)
        return getattr(datasets, _BY_TORCHVISION[self.short][0])(**arguments)


class ItemSource:
    """A map-style dataset of (image, label)."""

    def __init__(self, dataset: Any, labels: np.ndarray, title: str) -> None:
        self.dataset, self.labels, self.title = dataset, labels, title

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        try:
            image, label = self.dataset[index]
        except (OSError, SyntaxError, ValueError) as error:  # of Pillow's decoders
            raise BrokenImage(f"broken image, {self.describe(index)}: {one_line(error)}") from error
        return image, int(label)

    def describe(self, index: int) -> str:
        """The number of an image."""
        return f"image {index} of {self.title}"


def _labels_of(dataset: Any) -> np.ndarray:
    """The labels [n], without reading the images where the dataset has a list of them."""
    for name in ("targets", "labels", "_labels"):
        found = np.asarray(getattr(dataset, name, ()))
        if found.shape == (len(dataset),) and np.issubdtype(found.dtype, np.integer):
            return found.astype(np.int64)
    for name in ("samples", "_samples", "imgs"):
        pairs = getattr(dataset, name, ())
        if len(pairs) == len(dataset):
            return np.array([label for _, label in pairs], dtype=np.int64)
    return np.array([int(dataset[index][1]) for index in range(len(dataset))], dtype=np.int64)


def _class_names(dataset: Any) -> list[str]:
    """The names that a dataset has; the synonyms of a class of ImageNet as one text."""
    names = getattr(dataset, "classes", None) or ()
    return [name if isinstance(name, str) else ", ".join(name) for name in names]


KIND = Kind(
    title="torchvision's datasets",
    form="torch/NAME with --data-dir DIR",
    about=f"""\
torchvision's datasets by timm's names, in `--data-dir DIR`; `--dataset-download` fetches those that may be
fetched. {", ".join(f"`{name}`" for name in sorted(_BY_TIMM | _BY_TORCHVISION))}.""",
    matches=lambda request: request.dataset.startswith(TORCH),
    open=TorchDatasets,
    traits=frozenset({Trait.DIRECTORY, Trait.DOWNLOAD}),
)
