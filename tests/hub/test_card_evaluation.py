"""The part of a card that an evaluation makes: whole tables, texts that stay texts, no directories."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.fakehub.cards import check_card
from tests.finished_runs import make_run
from tests.hub.test_card import NAME, NASTY, metadata, shown, structure, tokens
from timm_multimix.evaluation.sections import budget, make_tables
from timm_multimix.files import digest
from timm_multimix.hub.card import make_card
from timm_multimix.hub.merge import BEGIN, END
from timm_multimix.hub.record import Record, dump, make_record
from timm_multimix.records.publication import public_evaluation

SCORES = {"auroc": 91.5, "aupr_in": 80.25, "aupr_out": 70.125, "fpr95": 20.0, "detection_accuracy": 85.0}
METHODS = {"fgsm": [70.0, 40.0], "pgd": [60.0, 30.0]}


def make_evaluation(text: str, sha256: str) -> dict[str, Any]:
    """An evaluation with all parts, and a text in every field that a user may fill."""
    scores = {"nll": 0.5, "ece": 0.125, "brier": 0.25}
    return {
        "model": {"name": text, "outputs": 3, "sha256": sha256},
        "data": {"dataset": text, "kind": "folder", "split": text, "samples": 13},
        "input_size": [3, 32, 32],
        "commands": ["timm-multimix evaluate " + " ".join(text.split()).replace("'", "")[:50]],
        "accuracy": {"top1": 61.5, "top5": 99.0},
        "calibration": scores
        | {"bins": 15, "temperature_scaling": {"temperature": 1.5, "before": scores, "after": scores}},
        "embedding": {
            "dimensions": 96,
            "alignment": 0.75,
            "uniformity": -2.5,
            "class_spread": {"within": 0.5, "between": 0.25, "ratio": math.nan},
        },
        "attacks": {
            "samples": 13,
            "steps": 10,
            "epsilons": [1 / 255, 0.3],
            "clean_top1": 61.5,
            "white_box": METHODS,
            "transfer": {"from": text, "top1": METHODS},
        },
        "ood": [{"dataset": text, "kind": "folder", "samples": 7, "scores": {"max_softmax": SCORES}}],
        "corruptions": {"top1": {"noise": [50.0, 40.0, 30.0, 20.0, 10.0]}, "mean_top1": 30.0},
        "consistency": [{"mix": text, "kl": 0.5, "total_variation": 0.25}],
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("runs") / "run"
    make_run(directory)
    return directory


def record_with(run: Path, text: str) -> Record:
    evaluation = make_evaluation(text, digest(run / "model/model.safetensors"))
    (run / "evaluation.json").write_text(json.dumps(evaluation))
    summary = json.loads((run / "summary.json").read_text())
    return make_record(run, run / "model", summary, summary["epochs"], summary["top1"])


def test_every_number_is_in_the_card(run: Path) -> None:
    record = record_with(run, "plain words")
    card = make_card(json.loads(dump(record)), NAME)
    said = shown(card)
    for table in make_tables(*record["evaluations"]):
        for cell in [*table.header, *(cell for row in table.rows for cell in row)]:
            assert cell in said
    for number in (
        "61.50 %",
        "0.1250",
        "1.5000",
        "-2.5000",
        "91.50 %",
        "70.12 %",
        "ε = 1/255",
        "ε = 0.3",
        "30.00 %",
    ):
        assert number in card
    opened = [token for token in tokens(card) if token.type == "table_open"]
    assert len(opened) == len(make_tables(*record["evaluations"])) + 1
    assert check_card(card) == ([], [])


def test_tables_are_rectangular() -> None:
    for table in make_tables(make_evaluation("x", "")):
        assert {len(row) for row in table.rows} == {len(table.header)}


@pytest.mark.parametrize("text", NASTY.values(), ids=list(NASTY))
def test_texts_stay_texts(run: Path, text: str) -> None:
    plain, nasty = (make_card(record_with(run, word), NAME) for word in ("plain words", text))
    assert structure(nasty) == structure(plain)
    html = [token.content.strip() for token in tokens(nasty) if token.type.startswith("html")]
    assert html == [BEGIN, END]
    assert check_card(nasty) == ([], [])
    assert metadata(nasty).keys() == metadata(plain).keys()


def test_metadata_have_evaluations_on_other_data(run: Path) -> None:
    results = metadata(make_card(record_with(run, "other"), NAME))["model-index"][0]["results"]
    found = {
        (result["dataset"]["name"], metric["type"]): metric["value"]
        for result in results
        for metric in result["metrics"]
    }
    assert found == {
        ("pictures", "accuracy"): 0.6,
        ("other", "accuracy"): 0.615,
        ("other", "expected_calibration_error"): 0.125,
    }


def test_no_directory_is_published() -> None:
    evaluation = make_evaluation("/secret/place/pictures", "0" * 64)
    evaluation["ood"][0]["dataset"] = "some/relative/directory"
    evaluation["commands"] = [
        "timm-multimix evaluate /secret/place/images --ood some/relative/directory hub/name"
    ]
    told = public_evaluation(evaluation)
    text = json.dumps(told)
    assert "secret" not in text
    assert "relative" not in text
    assert told["commands"] == ["timm-multimix evaluate images --ood directory hub/name"]
    assert told["attacks"]["white_box"] == METHODS
    assert evaluation["data"]["dataset"] == "/secret/place/pictures"


@pytest.mark.parametrize(
    ("value", "said"),
    [(1 / 255, "1/255"), (8 / 255, "8/255"), (0.5 / 255, "0.5/255"), (0.03, "0.03"), (1.0, "1")],
)
def test_budgets_in_words(value: float, said: str) -> None:
    assert budget(value) == said
