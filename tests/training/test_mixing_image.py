"""Trackers get an image of the mixing at the first step, and the run is bitwise the same."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from timm_multimix.training import mixing_image
from timm_multimix.training.mixing_image import NAME, log_mixing

from .helpers import Train

TRACKED = ("--log-with", "tensorboard")


def images(run: Path) -> list[tuple[int, Image.Image]]:
    """Steps and images that the tracker of a run was given."""
    found = []
    for file in (run / "logs").glob("**/events.*"):
        events = EventAccumulator(str(file), size_guidance={"images": 0}).Reload()
        assert set(events.Tags()["images"]) <= {NAME}
        for tag in events.Tags()["images"]:
            decoded = (Image.open(io.BytesIO(event.encoded_image_string)) for event in events.Images(tag))
            steps = [event.step for event in events.Images(tag)]
            found += [(step, image.copy()) for step, image in zip(steps, decoded, strict=True)]
    return found


def results(run: Path) -> list[list[str]]:
    """The rows of metrics.csv without the times."""
    return [row[:-2] for row in csv.reader((run / "metrics.csv").open())]


@pytest.mark.parametrize(
    "mix", ["mixup | multimix(n=20)", "saliencymix(saliency='gradient') | cutmix", "per_sample(mixup | none)"]
)
def test_there_is_one_image_and_the_run_is_the_same(
    mix: str, train: Train, quick: list[str], tmp_path: Path
) -> None:
    """Also with a mixer that is guided by the network, which has dropout."""
    words = [*quick, "--mix", mix, "--drop", 0.3, "--smoothing", 0.1]
    train(*words, "--output", "plain")
    train(*words, *TRACKED, "--output", "tracked")
    ((step, image),) = images(tmp_path / "tracked")
    assert step == 0
    assert image.width == 1260
    assert len(np.unique(np.asarray(image))) > 50
    assert results(tmp_path / "plain") == results(tmp_path / "tracked")


def test_it_is_what_preview_draws_on_the_first_images_of_the_first_batch(
    train: Train, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    real = mixing_image.draw_mixing
    monkeypatch.setattr(
        mixing_image, "draw_mixing", lambda setup, *args: seen.append((setup, *args)) or real(setup, *args)
    )
    train(*quick, "--mix", "cutmix", *TRACKED, "--output", "run")
    ((setup, mixing, batch),) = seen
    assert [step.name for _, step in mixing] == ["cutmix"]
    examples = mixing_image.first_examples(setup, batch, guided=False)
    mean, std = (torch.tensor(setup.data_config[name])[:, None, None] for name in ("mean", "std"))
    torch.testing.assert_close((examples.pixels - mean) / std, batch[0], atol=1e-5, rtol=0)
    assert torch.equal(examples.labels, batch[1])
    assert examples.class_names == ["colour0", "colour1", "colour2"]


@pytest.mark.parametrize(("mix", "tracked"), [("none", True), ("mixup", False)])
def test_there_is_none_without_mixing_or_trackers(
    mix: str, tracked: bool, train: Train, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixing_image, "draw_mixing", lambda *args: pytest.fail("drawn"))
    train(*quick, "--epochs", 1, "--mix", mix, *(TRACKED if tracked else ()), "--output", "run")
    assert images(tmp_path / "run") == []


def test_a_resumed_run_draws_none(train: Train, quick: list[str], tmp_path: Path) -> None:
    train(*quick, "--mix", "mixup", *TRACKED, "--output", "run")
    (tmp_path / "run/summary.json").unlink()
    train("--output", "run", "--resume", "auto")
    assert len(images(tmp_path / "run")) == 1


def test_labels_that_cannot_be_drawn_are_a_warning(
    train: Train, pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = sorted((pictures / "train").glob("*/*.png"))
    rows = [f"{file},{number / 10}" for number, file in enumerate(files)]
    (tmp_path / "numbers.csv").write_text("\n".join(["image,value", *rows]))
    data = "--dataset numbers.csv --label-column value --val-split 0.2 --img-size 32 --epochs 1 -b 8 -j 0"
    with caplog.at_level("WARNING", "timm_multimix"):
        train(*data.split(), "--mix", "mixup", *TRACKED, "--output", "run")
    reason = "it shows one class an image, and the labels are regression"
    assert f"trackers get no image of the mixing: {reason}" in caplog.text
    assert images(tmp_path / "run") == []


def test_a_fault_of_drawing_is_a_line_in_the_log_and_the_run_is_the_same(
    train: Train,
    quick: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(figure: Any) -> None:
        torch.rand(1)
        raise RuntimeError("no font\nfor this glyph")

    words = [*quick, "--mix", "mixup"]
    train(*words, "--output", "plain")
    monkeypatch.setattr(mixing_image, "pixels_of", fail)
    with caplog.at_level("WARNING", "timm_multimix"):
        train(*words, *TRACKED, "--output", "run")
    (line,) = [text for text in caplog.messages if "image of the mixing" in text]
    assert line == "trackers get no image of the mixing: RuntimeError: no font for this glyph"
    assert images(tmp_path / "run") == []
    assert results(tmp_path / "plain") == results(tmp_path / "run")


def test_wandb_gets_an_array_of_8_bits(
    train: Train, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    class Tracker:
        name = "wandb"

        def log_images(self, values: Any, step: int, **options: Any) -> None:
            given.append((values, step, options))

    seen: list[Any] = []
    monkeypatch.setattr("timm_multimix.training.loop.log_mixing", lambda *args: seen.append(args))
    train(*quick, "--mix", "mixup", "--epochs", 1, *TRACKED, "--output", "run")
    setup, batch = seen[0]
    setup.accelerator.trackers = [Tracker()]
    log_mixing(setup, batch)
    ((values, step, options),) = given
    assert (set(values), step, options) == ({NAME}, 0, {})
    (image,) = values[NAME]
    assert (image.dtype, image.shape[1:]) == (np.uint8, (1260, 3))
