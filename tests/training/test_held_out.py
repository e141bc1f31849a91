"""Evaluation of a run on what was held out of its training images."""

import shutil
from pathlib import Path

import pytest

from timm_multimix import cli

from .helpers import Train


def test_what_is_held_out_is_what_the_run_was_not_trained_on(
    train: Train, quick: list[str], pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever way its directory is written, and not once images were added, or of another part."""
    shutil.copytree(pictures / "train", tmp_path / "data")
    record = train(*quick, "--dataset", "data", "--val-split", 0.25, "--epochs", 1, "--output", "run")

    def evaluate(*options: object) -> tuple[int, str]:
        capsys.readouterr()
        status = cli.main(["evaluate", "run", "--workers", "0", *map(str, options)])
        out, err = capsys.readouterr()
        return status, out + err

    for dataset in ([], ["--dataset", "./data"], ["--dataset", tmp_path / "data"]):
        status, said = evaluate(*dataset)
        assert status == 0
        assert f"split 0.25 of all, {record['samples_evaluated']} images" in said
    shutil.copytree(tmp_path / "data", tmp_path / "moved")
    for part, told in ((0.25, 0), (0.5, 1)):
        status, said = evaluate("--dataset", "moved", "--val-split", part)
        assert (status, said.count("the same data in another place, the run was trained on some")) == (
            0,
            told,
        )
    kept = (tmp_path / "run/evaluation.json").read_text()
    status, said = evaluate("--val-split", 0.5)
    assert (status, said.count("\n")) == (2, 1)
    assert "must be that of the run, 0.25 of all = 11 images" in said
    shutil.copy(tmp_path / "data/colour0/0.png", tmp_path / "data/colour0/new.png")
    status, said = evaluate()
    assert (status, said.count("\n")) == (2, 1)
    assert "the run was trained on some of these images" in said
    assert (tmp_path / "run/evaluation.json").read_text() == kept
    assert evaluate("--val-split", "all")[0] == 0
