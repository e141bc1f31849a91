"""The table of metrics, and what follows from a line in it."""

import json
import math
from pathlib import Path

import pytest

from tests.comparison.runs import make_run as make_compared
from tests.finished_runs import make_run
from timm_multimix.comparison.collect import find_baseline, group, read_runs
from timm_multimix.comparison.pages import make_markdown
from timm_multimix.comparison.table import compare
from timm_multimix.evaluation.report import render
from timm_multimix.files import digest
from timm_multimix.hub.card import make_card
from timm_multimix.hub.metadata import make_metadata
from timm_multimix.hub.record import read_run
from timm_multimix.records.evaluation_tables import Block, glossary, make_table, numbers_of
from timm_multimix.records.metrics import METRICS, PERCENT, Metric

KAPPA = Metric("kappa", "Cohen's kappa", better="lower", hub="cohen_kappa")


@pytest.mark.parametrize(
    ("unit", "value", "text", "fraction"),
    [
        (PERCENT, 61.505, "61.51 %", 0.61505),
        ("nats", 0.61505, "0.6150", 0.61505),
        ("", -2.0, "-2.0000", -2.0),
    ],
)
def test_values_in_a_metrics_format(unit: str, value: float, text: str, fraction: float) -> None:
    metric = Metric("m", unit=unit)
    assert metric.format(value) == text
    assert metric.fraction(value) == pytest.approx(fraction)


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_dash_where_there_is_no_number(value: float | None) -> None:
    assert METRICS["nll"].format(value) == "-"


def test_better_goes_by_the_metrics_direction() -> None:
    assert METRICS["top1"].improves(0.1)
    assert not METRICS["top1"].improves(-0.1)
    assert METRICS["nll"].improves(-0.1)
    assert not METRICS["nll"].improves(0.1)
    assert (METRICS["top1"].heading, METRICS["nll"].heading) == ("top-1", "NLL \u2193")


def test_one_row_stands_upright_and_several_across() -> None:
    one = list(numbers_of({"nll": 1.0, "bins": 15, "top1": 50.0}))
    assert make_table(Block("t", one, "of it")) == (
        "t",
        ["of it", "value"],
        [["top-1", "50.00 %"], ["NLL \u2193", "1.0000"]],
    )
    several = [*numbers_of({"nll": 1.0, "top1": 50.0}, "a"), *numbers_of({"top1": 60.0}, "b")]
    assert make_table(Block("t", several)) == (
        "t",
        ["", "top-1", "NLL \u2193"],
        [["a", "50.00 %", "1.0000"], ["b", "60.00 %", ""]],
    )
    assert glossary(one) == "\u2193: lower is better; NLL: negative log likelihood in nats"


def evaluation(sha256: str) -> dict[str, object]:
    return {
        "model": {"name": "net", "outputs": 3, "sha256": sha256},
        "data": {"dataset": "digits", "kind": "digits", "split": "test", "samples": 13},
        "input_size": [3, 32, 32],
        "commands": ["timm-multimix evaluate net"],
        "accuracy": {"top1": 61.5, "kappa": 0.25},
        "calibration": {"nll": 0.5, "ece": 0.125, "brier": 0.25, "bins": 15},
    }


def test_a_line_in_the_table_is_all_that_a_metric_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the terminal, on the card, in its metadata and in a comparison; before, the value is left out."""
    make_run(tmp_path / "run")
    record = evaluation(digest(tmp_path / "run/model/model.safetensors"))
    (tmp_path / "run/evaluation.json").write_text(json.dumps(record))
    compared = make_compared(tmp_path / "compared", "none", 0, 90)
    (compared / "model").mkdir()
    (compared / "model/model.safetensors").write_bytes(b"weights")
    record = evaluation(digest(compared / "model/model.safetensors"))
    (compared / "evaluation.json").write_text(json.dumps(record))

    def everywhere() -> list[str]:
        arms = group(read_runs([compared]))
        published = read_run(tmp_path / "run")[0]
        return [
            render(record),
            make_card(published, "me/net").partition("## Evaluation")[2],
            make_metadata(published, "me/net").to_yaml(),
            make_markdown(compare(arms, find_baseline(arms, None))),
        ]

    assert not [text for text in everywhere() if "kappa" in text]
    monkeypatch.setitem(METRICS, "kappa", KAPPA)
    terminal, card, metadata, comparison = everywhere()
    assert "kappa \u2193" in terminal
    assert "kappa: Cohen's kappa" in terminal
    assert "| kappa \u2193 | 0.2500 |" in card
    assert "type: cohen_kappa" in metadata
    assert "| Cohen's kappa | 0.250 |" in comparison
    assert "Cohen's kappa; negative log likelihood" in comparison
