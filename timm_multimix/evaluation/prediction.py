"""Predictions for image files: classes by name, with their probabilities."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor

from ..data.dataset import Transform
from ..data.directories import pictures_below
from ..data.images import decode_image, to_channels
from ..data.transforms import create_pixel_transform
from ..errors import UsageError
from ..functional.criteria import CRITERIA
from ..options.model import InputOptions
from ..options.prediction import PredictOptions
from ..records.reader import run_directory
from ..records.tasks import REGRESSION, TASKS
from .classifier import Classifier, load_classifier
from .job import choose_device


@dataclass(frozen=True)
class Prediction:
    """Classes of an image (name, number, probability), most probable first; or why it cannot be read.

    For a regression model, the values are not probabilities.
    """

    image: str
    classes: list[tuple[str, int, float]]
    error: str | None = None
    numbers: bool = False


def run(options: PredictOptions) -> Iterator[Prediction]:
    """Yield predictions for all images that the options name, one by one.

    Raises:
        UsageError: no such model, or no image at all.
    """
    files = find_images(options.images)
    device = choose_device(options.device)
    classifier = load_classifier(
        options.model,
        lambda: 0,
        pretrained=True,
        model_kwargs=options.model_kwargs,
        input=InputOptions(img_size=options.img_size),
    ).to(device)
    names = class_names(classifier, options.model)
    return predict(classifier, names, files, options.topk, options.batch_size)


def find_images(places: Iterable[Path]) -> list[Path]:
    """Return the given files, and the sorted images below given directories.

    Raises:
        UsageError: a directory without images.
    """
    files = []
    for place in places:
        below = [place / name for name in pictures_below(place, ".")] if place.is_dir() else [place]
        if not below:
            raise UsageError(f"no image files in {place}")
        files += below
    return files


def predict(
    classifier: Classifier, names: dict[int, str], files: list[Path], topk: int, batch_size: int
) -> Iterator[Prediction]:
    """Yield the topk most probable classes of every file, in order; by number if they have no name."""
    config = classifier.data_config
    channels = config["input_size"][0]
    transform = create_pixel_transform(config)
    for start in range(0, len(files), batch_size):
        some = files[start : start + batch_size]
        read = [read_pixels(file, transform, channels) for file in some]
        pixels = [picture for picture in read if isinstance(picture, Tensor)]
        ranked = iter(rank(classifier, torch.stack(pixels), topk) if pixels else [])
        for file, picture in zip(some, read, strict=True):
            if isinstance(picture, str):
                yield Prediction(str(file), [], picture)
            else:
                found = [(names.get(k, str(k)), k, share) for k, share in next(ranked)]
                yield Prediction(str(file), found, numbers=classifier.task is TASKS[REGRESSION])


def read_pixels(file: Path, transform: Transform, channels: int) -> Tensor | str:
    """Return pixels [ch, h, w] in [0, 1] as in the model's evaluation, or what is wrong with the file."""
    try:
        return transform(to_channels(decode_image(file, lambda: str(file)), channels, lambda: str(file)))
    except UsageError as error:
        return str(error)


@torch.no_grad()
def rank(classifier: Classifier, pixels: Tensor, topk: int) -> list[list[tuple[int, float]]]:
    """Return (number, probability) of the most probable classes of pixels [b, ch, h, w], or regressions."""
    logits = classifier(pixels.to(classifier.mean.device)).float().cpu()
    values = CRITERIA[classifier.task.criterion].prediction(logits)
    best = values.topk(min(topk, values.shape[1]))
    return [
        list(zip(numbers, shares, strict=True))
        for numbers, shares in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]


def class_names(classifier: Classifier, model: str) -> dict[int, str]:
    """Return the model's class names; for timm models with as many classes as ImageNet, ImageNet's."""
    if classifier.label_names:
        return dict(enumerate(classifier.label_names))
    of_timm = run_directory(model) is None and (":" not in model or model.startswith("hf-hub:timm/"))
    subset = timm.data.infer_imagenet_subset(classifier.model) if of_timm else None
    if subset is None:
        return {}
    return dict(enumerate(timm.data.ImageNetInfo(subset).label_descriptions()))


def describe(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction for JSON."""
    if prediction.error is not None:
        return {"image": prediction.image, "error": prediction.error}
    if prediction.numbers:
        return {"image": prediction.image, "values": {name: value for name, _, value in prediction.classes}}
    rows = [{"class": name, "index": k, "probability": share} for name, k, share in prediction.classes]
    return {"image": prediction.image, "classes": rows}
