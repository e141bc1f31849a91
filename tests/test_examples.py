"""The examples, run as a reader would run them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = sorted(file.name for file in EXAMPLES.glob("*.py"))
LAUNCH = ("-m", "accelerate.commands.launch", "--multi_gpu")
ON_CPUS = {
    "ACCELERATE_USE_CPU": "true",
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": os.pathsep.join([str(EXAMPLES.parent), *sys.path]),
}


def run_example(name: str, directory: Path, *arguments: Path | str, processes: int = 1) -> dict[str, float]:
    """Run an example from another directory, where it must leave no files; its output by spec."""
    launcher = [] if processes == 1 else [*LAUNCH, "--num_processes", str(processes)]
    run = subprocess.run(
        [sys.executable, *launcher, EXAMPLES / name, *arguments],
        cwd=directory,
        env=os.environ | ({} if processes == 1 else ON_CPUS),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    assert not list(directory.iterdir())
    found = re.findall(r"^(\S.*?) +(\d+\.\d\d)$", run.stdout, re.MULTILINE)
    return {words: float(value) for words, value in found}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "lines", "floor"),
    [("tabular.py", 2, 90.0), ("spectrograms.py", 3, 45.0), ("timm_loop.py", 3, 70.0)],
)
def test_prints_what_each_spec_reaches(name, lines, floor, tmp_path):
    """Well above chance (50, 20 and 10 per cent) for every spec."""
    scores = run_example(name, tmp_path)
    assert len(scores) == lines
    assert min(scores.values()) > floor
    if name != "spectrograms.py":
        assert scores.pop("none") < min(scores.values())


@pytest.mark.slow
def test_both_ways_to_use_the_trainer_of_transformers_give_the_same(tmp_path):
    pytest.importorskip("transformers", reason="transformers is not installed")
    scores = run_example("transformers_trainer.py", tmp_path)
    assert scores["compute_loss"] == scores["model around the task"] > scores["no mixing"] + 10


@pytest.mark.slow
def test_a_lightning_module_trains_with_a_teacher(tmp_path):
    pytest.importorskip("lightning", reason="lightning is not installed: pip install timm-multimix[examples]")
    plain, mixed = run_example("lightning_module.py", tmp_path).values()
    assert plain < mixed


@pytest.mark.slow
def test_maps_of_labels_are_mixed_by_the_draw_and_not_by_area(tmp_path):
    scores = run_example("segmentation.py", tmp_path)
    assert list(scores) == ["none", "cutmix", "cutmix, maps by area"]
    assert scores["cutmix"] > scores["cutmix, maps by area"]


@pytest.mark.slow
def test_mixed_guesses_of_a_teacher_help(tmp_path):
    scores = run_example("semi_supervised.py", tmp_path, "2")
    assert list(scores) == ["labels", "labels, mixup", "labels and guesses", "labels and guesses, mixup"]
    assert min(scores.values()) > 70
    assert scores["labels and guesses, mixup"] == max(scores.values())


@pytest.mark.slow
def test_a_gan_is_trained_with_and_without_mixing(tmp_path, tmp_path_factory):
    """In few steps, which do not show which is better."""
    image = tmp_path_factory.mktemp("image") / "gan.png"
    scores = run_example("gan.py", tmp_path, image, "20")
    assert [name.split(", ")[0] for name in scores] == ["ring"] * 3 + ["swiss roll"] * 3
    assert all(0.05 < score < 3 for score in scores.values())
    assert Image.open(image).size == (750, 375)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_mixing_hinders_memorising_wrong_labels(processes, tmp_path):
    """Also on two processes, of which the first prints."""
    scores = run_example("accelerate_loop.py", tmp_path, processes=processes)
    assert list(scores) == ["none", "mixup(alpha=8)"]
    assert scores["mixup(alpha=8)"] > scores["none"] + 10


@pytest.mark.slow
def test_accelerate_launches_the_trainer(tmp_path):
    """Two processes, from the installed module, as `accelerate launch -m timm_multimix train`."""
    words = "-m timm_multimix train --mix mixup --epochs 1 --batch-size 64 --workers 0 --output run"
    done = subprocess.run(
        [sys.executable, *LAUNCH, "--num_processes", "2", *words.split()],
        cwd=tmp_path,
        env=os.environ | ON_CPUS,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert (summary["num_processes"], summary["samples_evaluated"]) == (2, 360)
    assert summary["parameters_equal_on_ranks"]


@pytest.mark.parametrize("name", NAMES)
def test_fits_a_page_and_says_how_it_is_run(name):
    text = (EXAMPLES / name).read_text()
    assert len(text.splitlines()) < 80
    assert f"\n    python examples/{name}\n" in text.split('"""')[1]


@pytest.mark.parametrize("name", NAMES)
def test_is_shown_in_the_documentation(name):
    page = (EXAMPLES.parent / "docs" / "examples.md").read_text()
    assert f"(../examples/{name})" in page
