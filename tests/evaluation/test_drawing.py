"""The image of an embedding."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from timm_multimix.evaluation import drawing
from timm_multimix.evaluation.drawing import draw_embedding, project


def clusters(count: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Directions near one axis for each class."""
    labels = torch.arange(count) % classes
    noise = torch.randn(count, classes + 2, generator=torch.Generator().manual_seed(0))
    return torch.eye(classes + 2)[labels] + 0.05 * noise, labels


def test_neighbours_stay_neighbours() -> None:
    embedding, labels = clusters(90, 3)
    points = torch.tensor(project(embedding))
    distances = torch.cdist(points, points).fill_diagonal_(torch.inf)
    assert (labels[distances.argmin(1)] == labels).all()
    assert np.array_equal(project(embedding), points.numpy())


@pytest.mark.parametrize(("count", "classes"), [(4, 2), (60, 3), (75, 25)])
def test_a_image_is_drawn(count: int, classes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "project", lambda embedding, seed: embedding[:, :2].numpy())
    names = [
        "_hidden",
        "$x^2$",
        "a name of which there is much too much to show it all",
        *"abcdefghijklmnopqrstuvwxyz",
    ]
    drawn = draw_embedding(*clusters(count, classes), names, "title", tmp_path / "out.png")
    assert drawn == count
    with Image.open(tmp_path / "out.png") as picture:
        colours = picture.convert("RGB").getcolors(2**20)
    assert colours is not None
    assert len(colours) > 10


def test_of_many_images_some_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "project", lambda embedding, seed: embedding[:, :2].numpy())
    assert draw_embedding(*clusters(5000, 3), "abc", "title", tmp_path / "out.png") == 2000


def test_the_most_frequent_classes_are_named() -> None:
    labels = np.repeat(np.arange(30), np.arange(30) + 1)
    assert drawing._most_frequent(labels) == list(range(10, 30))
