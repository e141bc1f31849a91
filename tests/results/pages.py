"""The pages of the results, their records, and numbers as they stand in them."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from scipy.stats import ttest_rel

from benchmarks import guide

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs/results"
RECORDS = sorted(RESULTS.glob("*/comparison.json"))
SMALL_DATA, NOISE = RESULTS / "small-data", RESULTS / "small-data-noise"
NAMED = dict([guide.RENAMED])
CONTROL = "0.5*mixup | 0.5*skip"
TUPLES = "mixup >> (none + multimix(m=4, p=1))"
TWICE = "mixup >> (none + none)"
REFERENCES, COMPARISONS, NOISE_COMPARISONS = ["none", "mixup"], 18, 7
CONTRASTS = [("multimix", CONTROL), (TUPLES, TWICE)]
MAIN_ARMS = ("none", "mixup", "cutmix", "multimix", CONTROL, TUPLES, TWICE)


def prose(page: str) -> str:
    """The text of a page in one line."""
    return " ".join((ROOT / page).read_text(encoding="utf-8").split())


def cells(text: str) -> list[list[str]]:
    """The rows of the tables in a text, without their heads."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


@cache
def read_record(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / name / "comparison.json").read_text())


def read_rows(name: str) -> dict[str, dict[str, Any]]:
    """The rows of a record by their labels, under the specs of today; all have three seeds."""
    record = read_record(name)
    assert all(row["seeds"] == [0, 1, 2] for row in record["rows"])
    return {NAMED.get(row["label"], row["label"]): row for row in record["rows"]}


def paired(record: str, other: str, value: Callable[[dict[str, Any]], float], arm: str = "multimix") -> str:
    """The difference of an arm to another and its 95 % interval, paired by seed, as on the pages."""
    runs = {(run["arm"], run["seed"]): value(run) for run in read_record(record)["runs"]}
    seeds = [seed for name, seed in runs if name == arm and (other, seed) in runs]
    return difference([runs[arm, k] for k in seeds], [runs[other, k] for k in seeds])


def difference(values: Sequence[float], others: Sequence[float]) -> str:
    """The mean paired difference and its 95 % interval, as on the pages."""
    low, high = ttest_rel(values, others).confidence_interval()
    return f"{fmean(values) - fmean(others):+.1f}, [{low:+.1f}, {high:+.1f}]"


def read_evaluation(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text())["evaluations"]


def read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())
