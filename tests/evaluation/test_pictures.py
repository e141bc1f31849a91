"""Every image once, and labels by the model's own numbers."""

from pathlib import Path

import numpy as np
import pytest
import torch

from timm_multimix.data.measured import Split, load_split
from timm_multimix.data.sources import ArraySource
from timm_multimix.errors import UsageError
from timm_multimix.evaluation.classifier import Classifier
from timm_multimix.evaluation.pictures import Pictures, match_classes
from timm_multimix.options.shared import LoadingOptions

CONFIG = {
    "mean": (0.5,) * 3,
    "std": (0.2,) * 3,
    "input_size": (3, 8, 8),
    "crop_pct": 1.0,
    "crop_mode": "center",
    "interpolation": "bilinear",
}


def open_pictures(colours: Path, skip_broken: bool = False, **changes: int) -> Pictures:
    classifier = Classifier(torch.nn.Identity(), CONFIG, None)
    loading = LoadingOptions(batch_size=4, workers=0).but(**changes)
    return Pictures(load_split(str(colours)).source, classifier, loading, skip_broken=skip_broken)


@pytest.mark.parametrize("changes", [{}, {"batch_size": 15}, {"batch_size": 100}, {"workers": 2}])
def test_every_image_comes_once_and_in_order(colours: Path, changes: dict[str, int]) -> None:
    pictures = open_pictures(colours, **changes)
    pixels, labels = (torch.cat(parts) for parts in zip(*pictures.batches(), strict=True))
    assert len(pictures) == len(pixels) == 15
    assert labels.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    assert 0 <= pixels.min() < pixels.max() <= 1
    assert torch.equal(pixels.mean((2, 3)).argmax(1), torch.tensor([2] * 5 + [1] * 5 + [0] * 5))


@pytest.mark.parametrize(
    ("count", "expected"), [(None, range(15)), (99, range(15)), (1, [0]), (3, [0, 5, 10]), (4, [0, 3, 7, 11])]
)
def test_some_images_evenly_spaced(colours: Path, count: int | None, expected: list[int]) -> None:
    pictures = open_pictures(colours)
    indices = pictures.spaced(count)
    assert indices.tolist() == list(expected)
    labels = torch.cat([labels for _, labels in pictures.batches(indices)])
    assert labels.tolist() == [index // 5 for index in expected]


def split(*names: str) -> Split:
    images = np.zeros((len(names), 2, 2), dtype=np.uint8)
    return Split(ArraySource(images, np.arange(len(names)), "split"), "test", list(names), {})


def labels_of(found: Split, known: list[str] | None, outputs: int) -> list[int]:
    source, others = match_classes(found, known, outputs)
    assert not others
    return [source[index][1] for index in range(len(source))]


@pytest.mark.parametrize(
    ("names", "known", "outputs", "labels"),
    [
        ("abc", None, 3, [0, 1, 2]),
        ("abc", ["a", "b", "c"], 3, [0, 1, 2]),
        ("abc", ["c", "a", "b"], 3, [1, 2, 0]),
        ("ca", ["a", "b", "c"], 3, [2, 0]),
        ("abc", ["a", "b", "c", "unused 3", "unused 4"], 5, [0, 1, 2]),
        ("012", ["0", "1", "2"], 3, [0, 1, 2]),
    ],
)
def test_classes_go_by_name(names: str, known: list[str] | None, outputs: int, labels: list[int]) -> None:
    assert labels_of(split(*names), known, outputs) == labels


@pytest.mark.parametrize(
    ("names", "known"), [("01", ["zero", "one"]), ("ab", ["0", "1"]), ("ab", ["a", "c"]), ("ab", ["a", "a"])]
)
def test_other_names_are_refused_unless_allowed(names: str, known: list[str]) -> None:
    found, (first, second) = split(*names), known
    said = f"must be the model's, {first}, {second}, got {names[0]}, {names[1]}; --allow-other-classes"
    with pytest.raises(UsageError, match=said):
        match_classes(found, known, 2)
    source, others = match_classes(found, known, 2, allow_others=True)
    assert others
    assert [source[index][1] for index in range(len(source))] == [0, 1]


def test_a_model_without_names_goes_by_number() -> None:
    assert labels_of(split("0", "1"), None, 2) == [0, 1]


@pytest.mark.parametrize(
    ("names", "known", "outputs"),
    [
        ("abc", ["a", "b"], 2),
        ("abc", None, 2),
        ("ab", None, 3),
        ("01", ["0", "1", "2"], 3),
        ("xy", ["a", "b", "c"], 3),
    ],
)
def test_other_numbers_of_classes_are_an_error(names: str, known: list[str] | None, outputs: int) -> None:
    with pytest.raises(UsageError, match=rf"has {len(names)} classes \(.*\), the model {outputs}"):
        match_classes(split(*names), known, outputs)
