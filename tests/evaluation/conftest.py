"""Small networks trained on digits, and directories of images."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor, nn

from timm_multimix.evaluation.classifier import Classifier

CONFIG = {"mean": (0.3,), "std": (0.35,), "input_size": (1, 8, 8)}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks as small as these gain nothing from threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def load() -> tuple[Tensor, Tensor]:
    data = load_digits()
    return torch.tensor(data.images / 16, dtype=torch.float32)[:, None], torch.tensor(data.target)


def train_network(seed: int, hidden: int) -> Classifier:
    """Train a perceptron on the training digits, in about a second."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    classifier = Classifier(network, CONFIG, [str(n) for n in range(10)])
    pixels, labels = load()
    train = torch.arange(len(labels)) % 5 != 0
    network.requires_grad_(True)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(classifier(pixels[train]), labels[train]).backward()
        optimizer.step()
    network.requires_grad_(False)
    return classifier


@pytest.fixture(scope="session")
def digits() -> tuple[Tensor, Tensor]:
    """The test images of digits and their labels."""
    pixels, labels = load()
    return pixels[::5], labels[::5]


@pytest.fixture(scope="session")
def digits_network() -> Classifier:
    return train_network(0, 64)


@pytest.fixture(scope="session")
def other_digits_network() -> Classifier:
    return train_network(1, 32)


COLOURS = {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200)}


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class directories of three colours, five evaluation images of each, sizes differing."""
    root, generator = tmp_path_factory.mktemp("colours"), torch.Generator().manual_seed(0)
    for split in ("train", "val"):
        for name, colour in COLOURS.items():
            (root / split / name).mkdir(parents=True)
            for number in range(5):
                noise = torch.randint(-30, 30, (32 + number, 32, 3), generator=generator)
                picture = (torch.tensor(colour) + noise).to(torch.uint8).numpy()
                Image.fromarray(picture).save(root / split / name / f"{number}.png")
    return root
