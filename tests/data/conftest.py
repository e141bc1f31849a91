"""Small datasets made on the spot."""

import io
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from timm_multimix.data.splits import load_splits
from timm_multimix.options.data import AugmentationOptions

NEWER_DATASETS = tuple(map(int, version("datasets").split(".")[:2])) >= (4, 4)

CONFIG = {
    "input_size": (3, 16, 16),
    "mean": (0.4, 0.5, 0.6),
    "std": (0.2, 0.25, 0.3),
    "crop_pct": 0.9,
    "crop_mode": "center",
    "interpolation": "bicubic",
}


def train_options(**changes: Any) -> AugmentationOptions:
    """The training transform's options, everything random switched on."""
    random: dict[str, Any] = {"vflip": 0.5, "color_jitter": 0.4, "reprob": 0.5}
    random |= {"scale": (0.3, 1.0), "ratio": (0.75, 1.33)}
    return AugmentationOptions(**(random | changes))


def picture(seed: int, mode: str = "RGB", size: int = 16) -> Image.Image:
    shape = (size, size) if mode == "L" else (size, size, len(mode))
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


@pytest.fixture
def class_directories(tmp_path: Path) -> Path:
    """Two classes; training images 0..5 and test images 6..9, alternating between the classes."""
    for index in range(10):
        directory = tmp_path / ("train" if index < 6 else "test") / ("cat", "ant")[index % 2]
        directory.mkdir(parents=True, exist_ok=True)
        picture(index).save(directory / f"{index}.png")
    return tmp_path


@pytest.fixture
def write_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes splits of columns to a directory; `features` are those of `datasets`, kept in the files."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    directory = tmp_path / "tables"
    directory.mkdir()

    def write(features: dict[str, Any] | None = None, **splits: dict[str, Sequence[Any]]) -> Path:
        for split, columns in splits.items():
            kinds = datasets.Features(features) if features else None
            rows = datasets.Dataset.from_dict(dict(columns), features=kinds)
            # datasets 5.1 cannot find a size of row groups for a table without rows
            rows.to_parquet(directory / f"{split}-00000-of-00001.parquet", batch_size=1000)
        return directory

    return write


@pytest.fixture(scope="session")
def digits() -> Any:
    return load_splits("digits")
