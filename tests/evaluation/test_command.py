"""The command as a whole: parts, record, card, mistakes."""

import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image

import timm_multimix
from tests.finished_runs import make_model, make_run, run_record
from timm_multimix import cli
from timm_multimix.data.splits import load_splits
from timm_multimix.data.transforms import create_evaluation_transform
from timm_multimix.evaluation.report import keep
from timm_multimix.evaluation.sections import SECTIONS, make_tables
from timm_multimix.files import write_text
from timm_multimix.hub.card import make_card
from timm_multimix.hub.record import read_run
from timm_multimix.options.evaluation import EvaluateOptions
from timm_multimix.options.parser import parse

Evaluate = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of an untrained model with its classes in another order than the directories."""
    make_run(tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def evaluate(colours: Path, capsys: pytest.CaptureFixture[str]) -> Evaluate:
    """Run the command on the colours; gives the record that it prints."""

    def call(*argv: object) -> dict[str, Any]:
        words = [*map(str, argv), "--dataset", str(colours), "--workers", "0", "--json", "--device", "cpu"]
        status = cli.main(["evaluate", *words])
        out, err = capsys.readouterr()
        assert status == 0, err
        found: dict[str, Any] = json.loads(out)
        return found

    return call


@torch.no_grad()
def top1_by_hand(run: Path, colours: Path) -> float:
    model = timm.create_model(f"local-dir:{run}/model", pretrained=True).eval()
    names = model.pretrained_cfg["label_names"]
    splits = load_splits(str(colours))
    transform = create_evaluation_transform(timm.data.resolve_model_data_config(model))
    pairs = [splits.evaluation[index] for index in range(15)]
    right = [
        names[int(model(transform(image)[None]).argmax())] == splits.class_names[label]
        for image, label in pairs
    ]
    return 100 * sum(right) / 15


def test_cheap_metrics_are_measured_and_kept_with_the_run(
    run: Path, colours: Path, evaluate: Evaluate
) -> None:
    found = evaluate(run)
    assert {"accuracy", "calibration", "embedding"} <= found.keys()
    assert not {"attacks", "ood", "corruptions", "consistency"} & found.keys()
    assert found["accuracy"]["top1"] == pytest.approx(top1_by_hand(run, colours))
    assert (found["data"]["split"], found["data"]["samples"], found["input_size"]) == ("val", 15, [3, 32, 32])
    assert json.loads((run / "evaluation.json").read_text()) == {"evaluations": [found]}


@pytest.mark.slow
def test_all_parts(run: Path, colours: Path, tmp_path: Path, evaluate: Evaluate) -> None:
    make_model(tmp_path / "other", ["red", "green", "blue"])
    parts = ["--attacks", "--epsilons", "8/255", "1/255", "--attack-steps", 2, "--attack-samples", 6]
    parts += ["--transfer-from", f"local-dir:{tmp_path}/other", "--ood", "digits", colours, "--corruptions"]
    parts += ["--consistency", "mixup", "cutmix", "--embedding-plot", tmp_path / "plot.png"]
    found = evaluate(run, *parts)
    attacks = found["attacks"]
    assert (attacks["samples"], attacks["steps"], attacks["epsilons"]) == (6, 2, [1 / 255, 8 / 255])
    for rows in (attacks["white_box"], attacks["transfer"]["top1"]):
        assert {name: len(row) for name, row in rows.items()} == {"fgsm": 2, "ifgsm": 2, "pgd": 2}
    assert [(data["kind"], data["samples"]) for data in found["ood"]] == [("digits", 360), ("folder", 15)]
    # the second dataset is the known one itself
    assert found["ood"][1]["scores"]["energy"]["auroc"] == pytest.approx(50)
    assert found["ood"][1]["scores"]["max_softmax"]["auroc"] == pytest.approx(50)
    rows = found["corruptions"]["top1"]
    assert {kind: len(row) for kind, row in rows.items()} == dict.fromkeys(
        ("noise", "blur", "contrast", "jpeg"), 5
    )
    assert found["corruptions"]["mean_top1"] == pytest.approx(sum(map(sum, rows.values())) / 20)
    assert [row["mix"] for row in found["consistency"]] == ["mixup", "cutmix"]
    with Image.open(tmp_path / "plot.png") as picture:
        assert min(picture.size) > 500
    assert len(make_tables(found)) == 7


def kept(run: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((run / "evaluation.json").read_text())["evaluations"]
    return found


def parts(evaluation: dict[str, Any]) -> set[str]:
    return evaluation.keys() & SECTIONS.keys()


def test_parts_measured_before_stay(run: Path, evaluate: Evaluate) -> None:
    """They stay in the file; a call returns and shows its own measurements only."""
    first = evaluate(run, "--consistency", "mixup")
    second = evaluate(run, "--ood", "digits")
    assert parts(second) == {"accuracy", "calibration", "embedding", "ood"}
    old, new = kept(run)
    assert new == second
    assert (parts(old), old["consistency"]) == ({"consistency"}, first["consistency"])
    assert old["commands"] == first["commands"]
    third = evaluate(run, "--ood", "digits", "--consistency", "cutmix")
    assert [parts(item) for item in kept(run)] == [{"consistency"}, parts(third)]
    fourth = evaluate(run, "--consistency", "cutmix", "mixup")
    assert [parts(item) for item in kept(run)] == [{"ood"}, parts(fourth)]


@pytest.mark.usefixtures("capsys")
def test_another_dataset_and_other_settings_stand_beside(run: Path, colours: Path, tmp_path: Path) -> None:
    other = shutil.copytree(colours, tmp_path / "other")
    attack = ["--attacks", "fgsm", "--attack-samples", "3"]

    def call(*argv: object) -> None:
        words = ["evaluate", str(run), "--workers", "0", *map(str, argv)]
        assert cli.main(words) == 0

    call("--dataset", colours, *attack, "--epsilons", "1/255")
    call("--dataset", other)
    call("--dataset", colours, *attack, "--epsilons", "2/255")
    call("--dataset", colours, "--crop-pct", "0.5")
    found = [(Path(item["data"]["dataset"]).name, parts(item)) for item in kept(run)]
    cheap = {"accuracy", "calibration", "embedding"}
    assert found == [
        (colours.name, {"attacks"}),
        ("other", cheap),
        (colours.name, {"attacks"} | cheap),
        (colours.name, cheap),
    ]
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("/data/pictures", str(other)))
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(summary | {"dataset": str(other), "dataset_kind": "folder"}))
    card = make_card(read_run(run)[0], "tester/net").partition("## Evaluation")[2].partition("## Training")[0]
    first, second, third = card.split("Measured ")[1:]
    assert first.startswith("on other, split val, 15 images at 32 x 32 pixels, by")
    assert second.startswith(f"**on other data than it was trained for**, {colours.name}, split val")
    assert ("Top-1 under attack" in first, second.count("Top-1 under attack")) == (False, 2)
    assert "Accuracy" in third


def test_a_file_of_an_earlier_version_is_kept(run: Path, evaluate: Evaluate) -> None:
    first = evaluate(run, "--consistency", "mixup")
    (run / "evaluation.json").write_text(json.dumps(first))
    evaluate(run)
    old, _ = kept(run)
    assert parts(old) == {"consistency"}


def test_other_classes_are_refused_by_default(
    run: Path, colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = shutil.copytree(colours, tmp_path / "other")
    for split in ("train", "val"):
        (other / split / "red").rename(other / split / "crimson")
    words = ["evaluate", str(run), "--workers", "0", "--dataset", str(other)]
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: the classes of the split 'val' must be the model's, ")
    assert "--allow-other-classes" in error
    assert not (run / "evaluation.json").exists()
    assert cli.main([*words, "--allow-other-classes"]) == 0
    assert "compared by number" in capsys.readouterr().out.splitlines()[0]
    card = make_card(read_run(run)[0], "tester/net")
    assert "on other data than it was trained for" in card
    assert "its classes are not the model's own and were compared by number" in card


def test_numbers_are_no_class_names_of_the_model(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table's numbers may be in another order than the model's names."""
    images = np.zeros((6, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "data.npz", test_images=images, test_labels=np.arange(6) % 3)
    words = ["evaluate", str(run), "--workers", "0", "--dataset", str(tmp_path / "data.npz")]
    assert cli.main(words) == 2
    assert "got 0, 1, 2; --allow-other-classes compares them by number" in capsys.readouterr().err
    assert cli.main([*words, "--allow-other-classes"]) == 0
    assert "compared by number" in capsys.readouterr().out.splitlines()[0]


def test_parts_of_other_weights_stay_apart(run: Path, evaluate: Evaluate) -> None:
    first = evaluate(run, "--consistency", "mixup")
    shutil.rmtree(run / "model")
    make_model(run / "model", ["red", "green", "blue"], "test_vit", input_size=[3, 160, 160])
    second = evaluate(run)
    assert kept(run) == [first, second]
    (published,) = read_run(run)[0]["evaluations"]
    assert published["model"]["sha256"] == second["model"]["sha256"]


def test_the_same_seed_gives_the_same_numbers(run: Path, evaluate: Evaluate) -> None:
    parts = ["--attacks", "pgd", "--epsilons", 0.1, "--consistency", "mixup"]
    first, again = (evaluate(run, *parts) for _ in range(2))
    assert first == again


def test_a_file_elsewhere_and_a_model_without_a_run(run: Path, tmp_path: Path, evaluate: Evaluate) -> None:
    found = evaluate(f"local-dir:{run}/model", "--output", tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == {"evaluations": [found]}
    assert not (run / "evaluation.json").exists()
    assert "sha256" not in found["model"]
    assert evaluate(run, "--output", tmp_path / "out.json")["accuracy"] == found["accuracy"]
    assert not (run / "evaluation.json").exists()


def test_a_runs_own_data_are_the_default(
    run: Path, colours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("/data/pictures", str(colours)) + "val_split: train\n")
    assert cli.main(["evaluate", str(run), "--workers", "0"]) == 0
    out = capsys.readouterr().out
    assert f"{run} on {colours}, split train, 15 images" in out
    assert f"numbers in {run}/evaluation.json" in out


def test_the_table_is_aligned(run: Path, colours: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [str(run), "--dataset", str(colours), "--workers", "0", "--attacks", "fgsm", "--ood", "digits"]
    assert cli.main(["evaluate", *argv]) == 0
    blocks = capsys.readouterr().out.split("\n\n")
    titles = [block.splitlines()[0] for block in blocks]
    assert titles[1:4] == ["Accuracy", "Calibration", "Embedding"]
    header, *rows = blocks[4].splitlines()[1:]
    assert header.split("  ")[-5:] == ["clean", *(f"ε = {n}/255" for n in (1, 2, 4, 8))]
    assert {len(row) for row in rows} == {len(header)}
    assert rows[0].startswith("  white box, fgsm")


def test_a_timm_name_without_weights(colours: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "test_resnet", "--img-size", "32", "--dataset", str(colours), "--workers", "0"]
    assert cli.main([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    model = {"name": "test_resnet", "kind": "timm", "outputs": 3, "weights": "random, seed 0"}
    assert json.loads(out)["model"] == model
    assert err == "warning: test_resnet has random weights (seed 0); --pretrained loads trained ones\n"
    assert cli.main(words) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("15 images; weights: random, seed 0")


def test_a_test_split_is_enough(
    run: Path, colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/test").symlink_to(colours / "val")
    assert cli.main(["evaluate", str(run), "--dataset", str(tmp_path / "data"), "--workers", "0"]) == 0
    assert "split test, 15 images" in capsys.readouterr().out


def mistakes(tmp_path: Path, colours: Path) -> dict[str, str]:
    run, data = f"{tmp_path}/run", f"--dataset {colours}"
    return {
        "": "the following arguments are required: MODEL",
        "test_resnt": "unknown model 'test_resnt'",
        f"{tmp_path}/empty": "is not a run's directory",
        f"{run}/model": "give local-dir:",
        "local-dir:nowhere": "nowhere",
        f"{run} --dataset digits": "'test' has 10 classes (0, 1, 2, 3, 4 ... (10 in all)), the model 3",
        f"{run} --dataset nowhere/at/all": "no such directory",
        f"{run} --dataset {tmp_path}/empty": "holds no data",
        f"{run} {data} --val-split tset": "no such split",
        f"{run} {data} --ood {tmp_path}/empty": "no image files in",
        f"{run} {data} --ood nowhere/at/all": "no such directory",
        f"{run} {data} --attacks --epsilons 0": "expected a budget above 0 and at most 1",
        f"{run} {data} --attacks --epsilons 2": "got '2'",
        f"{run} {data} --attacks --epsilons 1/0": "got '1/0'",
        f"{run} {data} --attacks --epsilons 1e999999999": "got '1e999999999'",
        f"{run} {data} --attacks --epsilons 1{'0' * 400}": "expected a budget above 0 and at most 1",
        f"{run} {data} --attacks cw": "'cw'",
        f"{run} {data} --epsilons 0.1": "--epsilons has no effect without --attacks",
        f"{run} {data} --transfer-from test_resnet": "--transfer-from has no effect without --attacks",
        f"{run} {data} --attacks --transfer-from test_resnt": "unknown model 'test_resnt'",
        f"{run} {data} --attacks --transfer-from local-dir:{tmp_path}/four": "3x32x32 images of 4 classes",
        f"{run} {data} --consistency multimix": "must mix at 'input', got place 'embedding'",
        f"{run} {data} --consistency nonsense": "unknown mixer 'nonsense'",
        f"{run} {data} --embedding-plot out.txt": "ends in .png",
        f"{run} {data} --embedding-plot {tmp_path}/nowhere/out.png": "a directory that exists",
        f"{run} {data} --output {tmp_path}": "cannot write",
        f"{run} {data} --output {tmp_path}/{'n' * 250}": "too long; choose another file by --output",
        f"{run} {data} --embedding-plot {tmp_path}/{'n' * 250}.png": "File name too long",
        f"{run} {data} --output {tmp_path}/other.json": "other.json holds no evaluations, or is damaged",
        f"{run} {data} --device nothing": "--device nothing is not available",
        f"{run} {data} --batch-size 0": "expected a whole number >= 1",
        f"{run} {data} --label-column x": "has no columns",
        f"{run} {data} --model-kwargs act_layer=silu": "--model-kwargs must be left out for a run",
        f"{run} {data} --frobnicate": "unrecognized option --frobnicate",
    }


def test_mistakes_are_one_line_and_leave_nothing(
    run: Path,
    colours: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.json").write_text('{"name": "somebody\'s"}')
    make_model(tmp_path / "four", list("abcd"))
    monkeypatch.chdir(tmp_path / "empty")
    for words, said in mistakes(tmp_path, colours).items():
        capsys.readouterr()
        assert cli.main(["evaluate", *words.split()]) == 2, words
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1, words
        assert said in err, words
    assert not list(Path().iterdir())
    assert not (run / "evaluation.json").exists()


def test_broken_images_of_other_data_are_found_before_long_parts(
    run: Path,
    colours: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "unknown").mkdir()
    (tmp_path / "unknown/a.png").write_bytes(next(colours.rglob("*.png")).read_bytes()[:60])
    monkeypatch.setitem(SECTIONS, "attacks", replace(SECTIONS["attacks"], measure=pytest.fail))
    argv = ["--dataset", str(colours), "--workers", "0", "--attacks", "--ood", str(tmp_path / "unknown")]
    assert cli.main(["evaluate", str(run), *argv]) == 2
    assert "a.png" in capsys.readouterr().err


@pytest.mark.parametrize("json_asked", [False, True])
def test_numbers_are_printed_where_files_cannot_be_written_in_the_end(
    json_asked: bool,
    run: Path,
    colours: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A disk may fill up meanwhile; the error names what could not be written, and nothing is left of it."""

    def full(handle: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("timm_multimix.files.sync", full)
    plot, before = tmp_path / "plot.png", sorted(run.iterdir())
    words = ["evaluate", str(run), "--workers", "0", "--dataset", str(colours), "--embedding-plot", str(plot)]
    assert cli.main([*words, *(["--json"] if json_asked else [])]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["accuracy"] if json_asked else "Calibration" in out
    assert "numbers in" not in out
    assert err == (
        f"error: cannot write {plot}: No space left on device; "
        f"cannot write {run}/evaluation.json: No space left on device\n"
    )
    assert (sorted(run.iterdir()), plot.exists(), list(tmp_path.glob(".*"))) == (before, False, [])
    measured = timm_multimix.evaluate(str(run), str(colours), workers=0)
    assert measured["accuracy"]
    assert "No space left on device" in capsys.readouterr().err


def test_evaluations_at_the_same_time_are_all_kept(
    run: Path, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is added to what the others have written meanwhile."""
    record, file = evaluate(run), run / "evaluation.json"

    def slowly(path: Path, text: str) -> None:
        time.sleep(0.1)
        write_text(path, text)

    monkeypatch.setattr("timm_multimix.evaluation.report.write_text", slowly)
    records = [record | {"input_size": [3, side, side]} for side in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(partial(keep, file), records))
    assert sorted(item["input_size"][1] for item in kept(run)) == [*range(8), 32]
    assert not list(run.glob(".*"))


def test_a_run_that_is_not_finished(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "summary.json").unlink()
    assert cli.main(["evaluate", str(run)]) == 2
    assert "is not finished" in capsys.readouterr().err


@pytest.mark.parametrize("launched", ["2", "8"])
def test_several_processes_are_refused(
    launched: str, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", launched)
    assert cli.main(["evaluate", str(run)]) == 2
    assert f"one process, but {launched} were launched" in capsys.readouterr().err


def test_options_have_their_defaults() -> None:
    options = parse(EvaluateOptions, ["net", "--attacks", "pgd", "pgd", "fgsm"])
    measures = options.measures
    assert measures.epsilons == (1 / 255, 2 / 255, 4 / 255, 8 / 255)
    assert (measures.attacks, measures.attack_steps, options.report.device) == (("pgd", "fgsm"), 10, "auto")
    assert parse(EvaluateOptions, ["net", "--attacks"]).measures.attacks == ("fgsm", "ifgsm", "pgd")
    assert parse(EvaluateOptions, ["net"]).measures.attacks is None


def test_an_evaluation_goes_into_the_card(
    run: Path, colours: Path, tmp_path: Path, evaluate: Evaluate
) -> None:
    plain = make_card(read_run(run)[0], "tester/net")
    (tmp_path / "known" / "secret").mkdir(parents=True)
    shutil.copy(colours / "val/red/0.png", tmp_path / "known/secret")
    evaluate(run, "--ood", tmp_path / "known/secret", "--consistency", "mixup")
    record = read_run(run)[0]
    card = make_card(json.loads(json.dumps(record)), "tester/net")
    assert "## Evaluation" in card
    assert "## Evaluation" not in plain
    assert "nothing is known of other data, of shifted" in plain
    assert "nothing is known of other data, of other shifts and attacks" in card
    assert "secret (1), energy" in card
    for table in make_tables(*record["evaluations"]):
        assert f"**{table.title}**" in card
    assert card.count("expected_calibration_error") == 1
    for text in (card, json.dumps(record)):
        assert str(tmp_path) not in text
        assert os.sep + "secret" not in text


def test_an_evaluation_of_other_weights_stays_out_of_the_card(run: Path, evaluate: Evaluate) -> None:
    evaluate(run)
    assert "evaluations" in read_run(run)[0]
    with (run / "model/model.safetensors").open("ab") as stream:
        stream.write(b"\0")
    assert "evaluations" not in read_run(run)[0]
    (run / "evaluation.json").write_text("{")
    assert "evaluations" not in read_run(run)[0]


def test_a_run_without_an_evaluation_has_the_card_it_had(tmp_path: Path) -> None:
    record = run_record(tmp_path / "run")
    assert "evaluations" not in record
