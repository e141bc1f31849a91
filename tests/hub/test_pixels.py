"""An image is the same pixels in training, in `predict`, by the card's code and by transformers' pipeline."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from tests.finished_runs import COLOURS, run_record
from timm_multimix.data.batches import SampleKey
from timm_multimix.data.dataset import ImageDataset
from timm_multimix.data.splits import load_splits
from timm_multimix.data.transforms import create_evaluation_transform
from timm_multimix.evaluation.classifier import load_classifier
from timm_multimix.evaluation.prediction import predict
from timm_multimix.hub.card import make_card

SIDE = 48


def gradient() -> np.ndarray:
    """Values from 0 to 1 [h, w] that no turning or mirroring leaves as they are."""
    down, right = np.mgrid[0:SIDE, 0 : SIDE + 8]
    return (down * 2 + right**1.3) / (down * 2 + right**1.3).max()


def sixteen_bits(file: Path) -> None:
    Image.fromarray((gradient() * 65535).astype(np.uint16)).save(file)


def transparent(file: Path) -> None:
    values = (gradient() * 255).astype(np.uint8)
    Image.fromarray(np.stack([values, values[::-1], values, 255 - values], axis=2)).save(file)


def transparent_palette(file: Path) -> None:
    image = Image.fromarray((gradient() * 255).astype(np.uint8)).convert("P")
    image.save(file, transparency=100)


def turned(file: Path) -> None:
    image = Image.fromarray((gradient() * 255).astype(np.uint8)).convert("RGB")
    exif = image.getexif()
    exif[ExifTags.Base.Orientation] = 6
    image.save(file, exif=exif)


def turned_sixteen_bits(file: Path) -> None:
    image = Image.fromarray((gradient() * 65535).astype(np.uint16))
    exif = image.getexif()
    exif[ExifTags.Base.Orientation] = 8
    image.save(file, exif=exif)


KINDS = [sixteen_bits, transparent, transparent_palette, turned, turned_sixteen_bits]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A run's model directory, and the Python on its card with that directory for the repository."""
    directory = tmp_path_factory.mktemp("run")
    record = run_record(directory)
    card, model = make_card(record, "me/name"), directory / "model"
    blocks = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    here = {"hf-hub:me/name": f"local-dir:{model}", "me/name": str(model)}
    return model, [re.sub("hf-hub:me/name|me/name", lambda found: here[found[0]], block) for block in blocks]


@pytest.fixture(params=KINDS, ids=[kind.__name__ for kind in KINDS])
def data(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Class directories with one image in each, which is `image.png` in the working directory as well."""
    monkeypatch.chdir(tmp_path)
    request.param(tmp_path / "picture.png")
    for split in ("train", "val"):
        directory = tmp_path / "data" / split / "a"
        directory.mkdir(parents=True)
        (directory / "one.png").write_bytes((tmp_path / "picture.png").read_bytes())
    return tmp_path / "data"


def test_one_conversion_everywhere(run: tuple[Path, list[str]], data: Path, capsys: Any) -> None:
    model, blocks = run
    card: dict[str, Any] = {}
    exec(blocks[0], card)
    pixels, logits = card["transform"](card["image"]), card["logits"].detach()
    assert pixels.std() / pixels.abs().max() > 0.2  # neither black nor white all over

    transform = create_evaluation_transform(card["config"])
    for source in (load_splits(str(data)).train, load_splits(str(data)).evaluation):
        assert torch.equal(ImageDataset(source, transform)[SampleKey(0)][0], pixels)

    classifier = load_classifier(f"local-dir:{model}", lambda: 0, pretrained=True)
    [predicted] = predict(classifier, dict(enumerate(COLOURS)), [Path("picture.png")], 3, 1)
    ours = {name: share for name, _, share in predicted.classes}
    theirs = dict(zip(COLOURS, logits.softmax(1)[0].tolist(), strict=True))
    assert ours == pytest.approx(theirs, abs=1e-6)

    piped: dict[str, Any] = {}
    exec(blocks[1], piped)
    wide = Image.open("picture.png").mode.startswith("I")  # for these the card says to give it the image
    found = piped["classify"](card["image"] if wide else "picture.png")
    assert {row["label"]: row["score"] for row in found} == pytest.approx(theirs, abs=1e-5)
