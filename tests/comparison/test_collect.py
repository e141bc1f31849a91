"""Grouping of runs: which are compared, their names, and which are refused."""

import json
from pathlib import Path

import pytest

from timm_multimix.comparison.arm_names import make_arm_names, shared_options
from timm_multimix.comparison.collect import find_baseline, group, read_run, read_runs
from timm_multimix.comparison.data_names import short_names
from timm_multimix.errors import UsageError

from .runs import make_grid, make_run


def labels_of(directories: list[Path]) -> list[str]:
    return [arm.label for arm in group(read_runs(directories))]


def test_runs_that_differ_in_their_seed_are_an_arm(tmp_path: Path) -> None:
    arms = group(read_runs(make_grid(tmp_path, {"mixup": [90, 91, 92], "none": [89, 88]})))
    assert [(arm.label, arm.mix, sorted(arm.runs)) for arm in arms] == [
        ("mixup", "mixup", [0, 1, 2]),
        ("none", "none", [0, 1]),
    ]
    assert arms[0].values("top1") == {0: 90.0, 1: 91.0, 2: 92.0}


def test_the_label_has_the_options_that_differ(tmp_path: Path) -> None:
    directories = [
        make_run(tmp_path / "a", "multimix", 0, 90),
        make_run(tmp_path / "b", "multimix", 0, 90, "--distill", "0.5"),
        make_run(tmp_path / "c", "none", 0, 90),
        make_run(tmp_path / "d", "none", 0, 90, "--lr", "0.1", "--model-ema"),
    ]
    assert labels_of(directories[:2]) == ["multimix", "multimix, distill 0.5"]
    assert labels_of([directories[0], directories[2]]) == ["multimix", "none"]
    assert labels_of(directories[2:]) == ["none, lr 0.2", "none, lr 0.1, model-ema"]


def test_a_single_arm_is_called_by_its_mix(tmp_path: Path) -> None:
    assert labels_of(make_grid(tmp_path, {"mixup | cutmix": [90, 91]})) == ["mixup | cutmix"]


def test_models_may_differ(tmp_path: Path) -> None:
    directories = [
        make_run(tmp_path / "a", "none", 0, 90, model="resnet18"),
        make_run(tmp_path / "b", "none", 0, 90),
    ]
    assert labels_of(directories) == ["none, resnet18", "none, test_resnet"]


def test_the_number_of_processes_separates_arms(tmp_path: Path) -> None:
    """The batch of an update has the examples of all processes, so the training differs."""
    directories = [
        make_run(tmp_path / "a", "none", 0, 90, num_processes=2),
        make_run(tmp_path / "b", "none", 0, 90),
    ]
    assert labels_of(directories) == ["none, num-processes 2", "none, num-processes 1"]


@pytest.mark.parametrize(
    "options",
    [
        ["--workers", "0"],
        ["--log-interval", "7"],
        ["--checkpoint-interval", "3"],
        ["--distill-teacher=self", "--distill=0"],  # idle
    ],
)
def test_options_without_effect_on_the_result_do_not_separate_arms(
    options: list[str], tmp_path: Path
) -> None:
    directories = [make_run(tmp_path / "a", "none", 0, 90), make_run(tmp_path / "b", "none", 1, 91, *options)]
    assert [sorted(arm.runs) for arm in group(read_runs(directories))] == [[0, 1]]


def test_a_run_recorded_without_an_option_had_its_default(tmp_path: Path) -> None:
    old = make_run(tmp_path / "a", "none", 0, 90)
    lines = (old / "config.yaml").read_text().splitlines()
    (old / "config.yaml").write_text("\n".join(line for line in lines if not line.startswith("cache")))
    directories = [old, make_run(tmp_path / "b", "none", 1, 91)]
    assert [sorted(arm.runs) for arm in group(read_runs(directories))] == [[0, 1]]


def test_different_options_get_different_labels() -> None:
    """Options that are off are left out, unless two labels would then be equal."""
    groups = [{"mix": "a", "x": 0}, {"mix": "a", "x": None}, {"mix": "a", "x": False, "y": 1}]
    assert len(set(make_arm_names(groups))) == 3
    assert make_arm_names([{"mix": "a", "x": 0.0}, {"mix": "a", "x": 0.5}]) == ["a", "a, x 0.5"]


def test_options_of_a_feature_that_is_off_are_not_in_labels() -> None:
    off, own = {"distill": 0.0, "distill_teacher": "ema"}, {"distill": 0.5, "distill_teacher": "self"}
    labels = make_arm_names(
        [{"mix": "a", **off}, {"mix": "b", **own}, {"mix": "b", **own, **off, "distill": 0.5}]
    )
    assert labels == ["a", "b, distill 0.5, distill-teacher self", "b, distill 0.5, distill-teacher ema"]
    assert make_arm_names([{"mix": "a", **off}, {"mix": "a", **own, "distill": 0.0}]) == [
        "a, distill-teacher ema",
        "a, distill-teacher self",
    ]
    assert shared_options([{"mix": "a", **off}]) == {"mix": "a"}
    assert shared_options([{"mix": "a", **own}]) == {"mix": "a", **own}


def test_two_runs_of_an_arm_and_a_seed_are_refused(tmp_path: Path) -> None:
    directories = [make_run(tmp_path / name, "none", 0, 90) for name in "ab"]
    with pytest.raises(UsageError, match=r"two runs of none have seed 0: .*a and .*b"):
        group(read_runs(directories))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 5}, r"different epochs .*: 3 \(1 runs\), 5 \(1 runs\)"),
        ({"samples_evaluated": 100}, "different samples evaluated"),
        ({"train_samples": 100}, "different train samples"),
        ({"evaluation_split": "validation"}, "different evaluation split"),
        ({"evaluation_data": "360 images (beef)"}, r"data .*: 360 images \(0ddba1\) \(1 runs\), 360 images"),
        ({"dataset": "elsewhere/cifar"}, r"different dataset .*: digits \(1 runs\), cifar"),
    ],
)
def test_other_data_or_budgets_are_refused(changes: dict[str, object], words: str, tmp_path: Path) -> None:
    directories = [
        make_run(tmp_path / "a", "none", 0, 90, evaluation_data="360 images (0ddba1)"),
        make_run(tmp_path / "b", "mixup", 0, 90, **changes),
    ]
    with pytest.raises(UsageError, match=words):
        read_runs(directories)


def test_data_without_a_fingerprint_are_compared_by_name(tmp_path: Path) -> None:
    directories = [
        make_run(tmp_path / "a", "none", 0, 90, evaluation_data="360 images (0ddba1)"),
        make_run(tmp_path / "b", "mixup", 0, 90),
    ]
    assert len(read_runs(directories)) == 2


def test_the_same_directory_may_be_given_differently(tmp_path: Path) -> None:
    places = ("/here/there/pets", "there/pets/", "./pets")
    directories = [
        make_run(tmp_path / str(seed), "none", seed, 90, dataset=place) for seed, place in enumerate(places)
    ]
    assert labels_of(directories) == ["none"]


@pytest.mark.parametrize("others", [(), ("images",)])
def test_directories_of_the_same_name_are_different_data(others: tuple[str, ...], tmp_path: Path) -> None:
    directories = [
        make_run(tmp_path / str(seed), "none", seed, 90, dataset=place)
        for seed, place in enumerate(("data/A/images", "data/B/images", *others))
    ]
    with pytest.raises(UsageError, match=r"different dataset .*: A/images \(1 runs\), B/images \(1 runs\)"):
        read_runs(directories)
    assert len(group([read_run(directory) for directory in directories])) == len(directories)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/x", "b/y"], ["x", "y"]),
        (["c/fog/5", "c/snow/5", "/d/c/fog/5"], ["fog/5", "snow/5", "fog/5"]),
        (["5", "fog/5", "snow/5"], ["5", "fog/5", "snow/5"]),
        (["~/x", "../x", "C:\\u\\x"], ["x", "x", "x"]),
        (["/x", "/y/x"], ["/x", "y/x"]),
        (["user/pets", "other/pets"], ["user/pets", "other/pets"]),
        ([".x", "x", "."], [".x", "x", "folder"]),
    ],
)
def test_short_names_of_directories(paths: list[str], names: list[str]) -> None:
    assert short_names(paths) == dict(zip(paths, names, strict=True))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("no directory", "is not a run's directory: there is no such directory"),
        ("no summary", "is not finished: it has no summary.json"),
        ("no json", "summary.json is damaged: it is not JSON"),
        ("a list", "summary.json is damaged: expected a JSON object, got a list"),
        ("no epochs", "summary.json is damaged: lacks epochs"),
        ("no metrics", r"metrics.csv cannot be read \(No such file"),
        ("words in metrics", "metrics.csv is damaged: row 1: .*high"),
        ("no config", "it has no config.yaml"),
    ],
)
def test_directories_without_a_finished_run_are_refused(damage: str, words: str, tmp_path: Path) -> None:
    run = make_run(
        tmp_path / "run",
        "none",
        0,
        90,
    )
    if damage == "no directory":
        run = tmp_path / "nothing"
    if damage == "no summary":
        (run / "summary.json").unlink()
    if damage == "no epochs":
        summary = json.loads((run / "summary.json").read_text())
        (run / "summary.json").write_text(json.dumps({k: v for k, v in summary.items() if k != "epochs"}))
    if damage == "no json":
        (run / "summary.json").write_text("{")
    if damage == "a list":
        (run / "summary.json").write_text("[]")
    if damage == "no metrics":
        (run / "metrics.csv").unlink()
    if damage == "words in metrics":
        (run / "metrics.csv").write_text("epoch,eval_top1\n1,high\n")
    if damage == "no config":
        (run / "config.yaml").unlink()
    with pytest.raises(UsageError, match=words):
        read_run(run)


def test_the_curve_is_of_the_weights_that_were_exported(tmp_path: Path) -> None:
    raw = read_run(make_run(tmp_path / "a", "none", 0, 90.0))
    ema = read_run(make_run(tmp_path / "b", "none", 0, 90.0, exported_weights="ema"))
    assert raw.curve() == {1: 80.0, 2: 90.5, 3: 90.0}
    assert ema.curve() == {1: 81.0, 2: 91.5, 3: 91.0}


def test_the_baseline(tmp_path: Path) -> None:
    directories = make_grid(tmp_path, {"mixup": [90], "none": [89]})
    directories.append(make_run(tmp_path / "c", "mixup", 0, 90, "--distill", "0.5"))
    arms = group(read_runs(directories))
    assert find_baseline(arms, None).label == "none"
    assert find_baseline(arms, "mixup").label == "mixup"
    assert find_baseline(arms, "mixup, distill 0.5").label == "mixup, distill 0.5"
    assert find_baseline(arms[::2], None).label == "mixup"
    with pytest.raises(UsageError, match="--baseline cutmix: no arm of that name; there are 'mixup', 'none'"):
        find_baseline(arms, "cutmix")
