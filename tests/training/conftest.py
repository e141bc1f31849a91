"""Small data and quick runs for the trainer's tests."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from timm_multimix.options import parse_train_options
from timm_multimix.training import run

from .helpers import Train

RUN = importlib.import_module("timm_multimix.training.run")  # the package's `run` is the function in it


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """One thread: networks as small as these gain nothing from more, and lose on busy processors."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def drawn_curves() -> None:
    """Asks for a real curves.png."""


@pytest.fixture(autouse=True)
def blank_curves(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture of a small run takes about as long as the run; where nobody looks at it, it is empty."""
    if "drawn_curves" not in request.fixturenames:
        monkeypatch.setattr(RUN, "draw_curves", lambda run, *_: (run / "curves.png").touch())


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class directories: three classes that differ by colour, 44 training and 13 evaluation images."""
    root, generator = tmp_path_factory.mktemp("pictures"), torch.Generator().manual_seed(0)
    for split, sizes in (("train", (15, 15, 14)), ("val", (5, 4, 4))):
        for label, size in enumerate(sizes):
            directory = root / split / f"colour{label}"
            directory.mkdir(parents=True)
            for number in range(size):
                noise = torch.randint(0, 200, (32, 32, 3), generator=generator, dtype=torch.uint8)
                noise[:, :, label] += 50
                Image.fromarray(noise.numpy()).save(directory / f"{number}.png")
    return root


@pytest.fixture
def quick(pictures: Path) -> list[str]:
    """Options of a run of two epochs of five updates, in a second or two."""
    text = (
        f"--dataset {pictures} --img-size 32 --epochs 2 --batch-size 8 --workers 0 --lr 0.05 --crop-padding 2"
    )
    return text.split()


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Train with the given command line, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    return lambda *argv: run(parse_train_options([str(word) for word in argv])).summary
