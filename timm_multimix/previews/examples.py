"""The examples of a preview: images of a dataset, their labels, and a model if one is needed."""

import logging
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..data.images import to_channels
from ..data.measured import Relabelled, Split, load_split
from ..data.targets import task_of_source
from ..data.transforms import create_pixel_transform
from ..errors import UsageError
from ..evaluation.classifier import Classifier, load_classifier
from ..evaluation.job import count_outputs, has_classes
from ..evaluation.pictures import OTHER_CLASSES, match_classes
from ..options.declaration import flat
from ..options.model import InputOptions
from ..options.preview import PreviewDataOptions, PreviewModelOptions
from ..options.values import Size
from ..records.reader import run_directory
from ..records.tasks import CLASSIFICATION

logger = logging.getLogger(__name__)

_SIDE = 224


@dataclass(frozen=True)
class Examples:
    """Pixels [b, ch, h, w] in [0, 1], labels [b] and class names; the model, and its labels [b]."""

    pixels: Tensor
    labels: Tensor
    class_names: list[str]
    model: Classifier | None = None
    model_labels: Tensor | None = None

    @property
    def inputs(self) -> Tensor:
        """The normalised images for the model; without a model, the pixels."""
        model = self.model
        return self.pixels if model is None else self.pixels.sub(model.mean).div(model.std)


def load_examples(data: PreviewDataOptions, network: PreviewModelOptions, seed: int) -> Examples:
    """Draw the examples that the options request from the evaluation split, without repetition.

    Raises:
        UsageError: a dataset or model that cannot be opened, or classes that do not agree.
    """
    split = load_split(data.dataset, **flat(data.columns))
    if (task := task_of_source(split.source)) != CLASSIFICATION:
        raise UsageError(f"preview needs one class an image; {data.dataset} is {task}")
    model = load_model(network, data.img_size, seed, split)
    size = data.img_size or split.defaults.get("img_size") or _SIDE
    transform = model.data_config if model else _plain_transform(size)
    pixels, labels = read_examples(split, choose(len(split.source), data.batch_size, seed), transform)
    return Examples(pixels, labels, split.class_names, model, _labels_of(model, split, labels))


def load_model(network: PreviewModelOptions, size: Size | None, seed: int, split: Split) -> Classifier | None:
    """Load the model as `evaluate` does; without its own weights it takes the data's size and classes."""
    if not network.model:
        return None
    if size is None and not has_classes(network.model, network.pretrained, run_directory(network.model)):
        size = split.defaults.get("img_size")
    return load_classifier(
        network.model,
        lambda: len(split.class_names),
        pretrained=network.pretrained,
        model_kwargs=network.model_kwargs,
        input=InputOptions(img_size=size),
        seed=seed,
    )


def choose(length: int, count: int, seed: int) -> list[int]:
    """Choose `count` of `length` numbers at random, all different.

    Raises:
        UsageError: the dataset has a single example.
    """
    if length < 2:
        raise UsageError(f"the dataset must have at least 2 examples to mix, got {length}")
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(length, generator=generator)[:count].tolist()


def read_examples(split: Split, indices: list[int], config: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Return pixels in [0, 1], cropped and resized as in evaluation, and labels."""
    channels = config["input_size"][0]
    transform = create_pixel_transform(config)
    pixels, labels = [], []
    for index in indices:
        image, label = split.source[index]
        pixels.append(transform(to_channels(image, channels, partial(split.source.describe, index))))
        labels.append(label)
    return torch.stack(pixels), torch.tensor(labels)


def _plain_transform(size: Size) -> dict[str, Any]:
    height, width = (size, size) if isinstance(size, int) else size
    return {
        "input_size": (3, height, width),
        "crop_pct": 1.0,
        "crop_mode": "center",
        "interpolation": "bicubic",
    }


def _labels_of(model: Classifier | None, split: Split, labels: Tensor) -> Tensor | None:
    """Return the model's numbers of the labels, matched by name."""
    if model is None:
        return None
    source, others = match_classes(split, model.label_names, count_outputs(model), allow_others=True)
    if others:
        logger.warning(f"the split '{split.name}': {OTHER_CLASSES}")
    return torch.tensor(source.numbers)[labels] if isinstance(source, Relabelled) else labels
