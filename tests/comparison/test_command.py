"""`timm-multimix compare`: what it writes, what it refuses, and that nothing is trained after a mistake."""

import json
import subprocess
from pathlib import Path

import pytest

from timm_multimix import cli
from timm_multimix.comparison import processes, write
from timm_multimix.comparison.pictures import PICTURES
from timm_multimix.comparison.trials import Trial, directory_name, plan
from timm_multimix.comparison.write import WRITTEN
from timm_multimix.errors import UsageError
from timm_multimix.options.comparison import parse_comparison_options

from .runs import make_grid, make_run


@pytest.fixture(autouse=True)
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a process fails the test."""

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)


@pytest.fixture
def no_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty files instead of images, which are slow to draw."""
    monkeypatch.setattr(write, "draw_all", lambda comparison, theme: dict.fromkeys(PICTURES, b""))


def error_of(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    """The error line of a command."""
    assert cli.main(["compare", *map(str, argv)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


def test_finished_runs_become_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directories = make_grid(tmp_path / "runs", {"none": [90, 91], "mixup": [91, 92]})
    output = tmp_path / "new" / "page"
    assert cli.main(["compare", *map(str, directories), "--output", str(output)]) == 0
    assert {path.name for path in output.iterdir()} == set(WRITTEN)
    record = json.loads((output / "comparison.json").read_text())
    assert record["baseline"] == "none"
    assert str(tmp_path) not in json.dumps(record)
    out = capsys.readouterr().out
    assert "mixup  91.50 \u00b1 0.71" in out
    assert str(output / "comparison.html") in out


@pytest.mark.usefixtures("no_drawing")
def test_pages_are_replaced_by_newer_ones(tmp_path: Path) -> None:
    directories = make_grid(tmp_path / "runs", {"none": [90], "mixup": [91]})
    argv = ["--output", str(tmp_path / "page")]
    assert cli.main(["compare", str(directories[0]), *argv]) == 0
    more = ["--baseline", "mixup", "--comparisons", "2"]
    assert cli.main(["compare", *map(str, directories), *argv, *more]) == 0
    record = json.loads((tmp_path / "page/comparison.json").read_text())
    assert record["baseline"] == "mixup"
    assert "corrected for 2 comparisons (Bonferroni)" in record["difference"]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--output", "out"], "nothing to compare; give directories of finished runs, or --mix SPEC"),
        (["--output", "out", "--seeds", "2", "--", "--lr", "0.1"], "nothing to compare"),
        (["--mix", "none"], "give --output DIR"),
        (["nowhere"], "give --output DIR"),
        (["nowhere", "--output", "out"], "nowhere is not a run's directory"),
        (["empty", "--output", "out"], "empty is not a run's directory: it has no config.yaml"),
        (["empty", "--mix", "none", "--output", "out"], "give one or the other"),
        (["empty", "--seeds", "2", "--output", "out"], "--seeds has no effect on finished runs"),
        (["empty", "--output", "out", "--", "--lr", "1"], "what follows -- has no effect on finished runs"),
        (
            ["--mix", "none", "--seeds", "0", "--output", "out"],
            "--seeds: expected a whole number >= 1, got '0'",
        ),
        (["--mix", "none", "--seeds", "two", "--output", "out"], "got 'two'"),
        (["--mix", "none", "--mix", "none", "--output", "out"], "arm 'none' is given more than once"),
        (
            ["--mix", "none", "--baseline", "mixup", "--output", "out"],
            "--baseline mixup: no such arm; there are 'none'",
        ),
        (["--mix", "none", "--output", "out", "--", "--seed", "1"], "after --: --seed is for compare to set"),
        (["--mix", "none", "--output", "out", "--", "--output", "x"], "after --: --output is for compare"),
        (["--mix", "none", "--output", "out", "--", "--mix", "mixup"], "after --: --mix is not for all arms"),
        (["--mix", "none", "--output", "out", "--", "--cutmix", "1"], "--cutmix is not for all arms"),
        (["--mix", "none", "--output", "out", "--", "--push-to-hub"], "--push-to-hub cannot be used"),
        (["--mix", "none", "--output", "out", "--", "--lrr", "1"], "unrecognized option --lrr"),
        (["--arm=--seed 3", "--output", "out"], "arm '--seed 3': --seed is for compare to set"),
        (["--arm=--mix 'x", "--output", "out"], "No closing quotation"),
        (["--mix", "none", "--arm=--mix none", "--output", "out"], "are the same"),
        (["--mix", "none", "--mix", "mixupp", "--output", "out"], "unknown mixer 'mixupp'"),
        (["--mix", "none", "--mix", "mixup(beta=1)", "--output", "out"], "beta"),
        (["--mix", "none", "--output", "out", "--", "--model", "resnet1"], "unknown model 'resnet1'"),
        (["--mix", "none", "--output", "out", "--", "--epochs", "0"], "--epochs: expected a whole number"),
        (["--mix", "none", "--output", "file"], "file is a file"),
        (["--mix", "none", "--output", "file/deep"], "file is a file"),
        (["--mix", "none", "--output", "strange"], "strange holds comparison.md, which no comparison wrote"),
        (["--mix", "none", "--output", "run"], "run holds a run"),
        (["--mix", "none", "--output", "used"], "is not empty and is not a run's directory"),
        (["--frobnicate", "--output", "out"], "--frobnicate"),
    ],
)
def test_mistakes(
    argv: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "strange", "run", "used/none/seed0"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("file", "strange/comparison.md", "run/config.yaml", "used/none/seed0/mine.txt"):
        (tmp_path / name).write_text("")
    before = sorted(tmp_path.rglob("*"))
    assert words in error_of(capsys, *argv)
    assert sorted(tmp_path.rglob("*")) == before


def test_several_processes_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "without a launcher" in error_of(capsys, "--mix", "none", "--output", "out")


def test_trials_are_ordered_by_seed_and_their_commands_are_complete(tmp_path: Path) -> None:
    argv = ["--mix", "none", "--arm=--mix mixup --distill 0.5", "--seeds", "2", "--output", str(tmp_path)]
    trials = plan(parse_comparison_options([*argv, "--", "--epochs", "2", "--lr", "0.1"]))
    assert [str(trial) for trial in trials] == [
        "none, seed 0",
        "--mix mixup --distill 0.5, seed 0",
        "none, seed 1",
        "--mix mixup --distill 0.5, seed 1",
    ]
    directory = tmp_path / directory_name("--mix mixup --distill 0.5") / "seed1"
    own = ["--seed", "1", "--output", str(directory), "--resume", "auto"]
    assert trials[3].argv == ["--epochs", "2", "--lr", "0.1", "--mix", "mixup", "--distill", "0.5", *own]
    assert list(tmp_path.iterdir()) == []


def test_the_default_is_three_seeds(tmp_path: Path) -> None:
    assert len(plan(parse_comparison_options(["--mix", "none", "--output", str(tmp_path)]))) == 3


def test_directories_of_arms_differ() -> None:
    arms = [
        "none",
        "multimix",
        "mixup | cutmix",
        "mixup|cutmix",
        "mixup cutmix",
        "../..",
        "",
        "x" * 300,
        "Mixup",
    ]
    names = [directory_name(arm) for arm in arms]
    assert len({name.lower() for name in names}) == len(arms)
    assert names[:2] == ["none", "multimix"]
    assert all(0 < len(name) < 80 and "/" not in name and not name.startswith(".") for name in names)


def finished(root: Path, **accuracies: list[float]) -> None:
    """Runs in the directories of a comparison."""
    for mix, values in accuracies.items():
        for seed, top1 in enumerate(values):
            make_run(root / directory_name(mix) / f"seed{seed}", mix, seed, top1)


@pytest.mark.usefixtures("no_drawing")
def test_finished_runs_are_not_trained_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished(tmp_path, none=[90.0, 91.0], mixup=[91.0, 93.0])
    argv = ["compare", "--mix", "none", "--mix", "mixup", "--seeds", "2", "--output", str(tmp_path)]
    assert cli.main([*argv, "--", "--epochs", "3"]) == 0
    assert capsys.readouterr().out.count("finished before") == 4
    record = json.loads((tmp_path / "comparison.json").read_text())
    assert [row["last"]["mean"] for row in record["rows"]] == [90.5, 92.0]
    assert cli.main([*argv, "--baseline", "mixup", "--", "--epochs", "3"]) == 0
    assert json.loads((tmp_path / "comparison.json").read_text())["baseline"] == "mixup"
    assert cli.main([*argv, "--comparisons", "7", "--", "--epochs", "3"]) == 0
    record = json.loads((tmp_path / "comparison.json").read_text())
    assert "corrected for 7 comparisons" in record["difference"]


def test_a_comparison_is_not_continued_with_other_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finished(tmp_path, none=[90.0])
    argv = ["--mix", "none", "--seeds", "1", "--output", tmp_path, "--", "--epochs", "4"]
    assert "--epochs 4: the run to resume in" in error_of(capsys, *argv)
    assert not (tmp_path / "comparison.json").exists()


def test_runs_of_an_arm_that_differ_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second call leaves out an option that runs of the first call have."""
    finished(tmp_path, none=[90.0])
    make_run(tmp_path / "none/seed1", "none", 1, 91, "--lr", "0.01")
    argv = ["--mix", "none", "--seeds", "2", "--output", tmp_path, "--", "--epochs", "3"]
    said = error_of(capsys, *argv)
    assert "differ in more than their seed: none, lr 0.2 / none, lr 0.01; use a new --output" in said
    assert "or delete seed1 there and give the options of the others" in said


def test_a_seed_with_other_options_is_noticed_before_the_next_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(tmp_path, none=[90.0], mixup=[91.0])
    trained = []

    def train(trial: Trial, forward: object) -> None:
        trained.append(str(trial))
        make_run(trial.directory, trial.arm, trial.seed, 90, "--lr", "0.01")

    monkeypatch.setattr("timm_multimix.comparison.run.train", train)
    argv = ["--mix", "none", "--mix", "mixup", "--seeds", "2", "--output", tmp_path, "--", "--epochs", "3"]
    assert "differ in more than their seed" in error_of(capsys, *argv)
    assert trained == ["none, seed 1"]


@pytest.mark.usefixtures("no_drawing")
def test_a_failure_is_reported_at_the_end_and_the_other_runs_are_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finished(tmp_path, none=[90.0, 91.0])

    def train(trial: object, forward: object) -> str | None:
        if str(trial) == "mixup, seed 0":
            return "error: loss is <nan>"
        make_run(tmp_path / "mixup/seed1", "mixup", 1, 92)
        return None

    monkeypatch.setattr("timm_multimix.comparison.run.train", train)
    argv = ["compare", "--mix", "none", "--mix", "mixup", "--seeds", "2", "--output", str(tmp_path)]
    assert cli.main([*argv, "--", "--epochs", "3"]) == 2
    captured = capsys.readouterr()
    assert captured.err == "error: mixup, seed 0: loss is <nan>\n"
    page = (tmp_path / "comparison.html").read_text()
    assert "Missing: mixup, seed 0 (loss is &lt;nan&gt;)." in page
    record = json.loads((tmp_path / "comparison.json").read_text())
    assert [row["seeds"] for row in record["rows"]] == [[0, 1], [1]]


def test_all_failures_leave_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("timm_multimix.comparison.run.train", lambda trial, forward: "error: no")
    argv = ["compare", "--mix", "none", "--mix", "mixup", "--seeds", "1", "--output", str(tmp_path / "out")]
    assert cli.main(argv) == 2
    assert capsys.readouterr().err == "error: none, seed 0: no\nerror: mixup, seed 0: no\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ("epoch 1\nerror: first\nerror: disk full\n", 2, "error: disk full"),
        ("10%\r20%\rTraceback\nValueError: x\n", 1, "error: ended with status 1: ValueError: x; see "),
        ("", 1, "error: ended with status 1: no word; see "),
        ("going on\n", -9, "error: ended by SIGKILL; see "),
    ],
)
def test_why_a_run_failed(said: str, status: int, words: str, tmp_path: Path) -> None:
    """The last line `error: ...` of this attempt, and none of an earlier attempt."""
    log = tmp_path / "seed0.log"
    log.write_text("error: earlier\n" + said)
    assert processes.reason(log, len("error: earlier\n"), status).startswith(words)


def test_an_output_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from timm_multimix.comparison.write import check_output

    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(UsageError, match="cannot be written to"):
        check_output(tmp_path / "new")
