"""Every accuracy in the README's tables is in the record of a comparison that is kept."""

import json
import re
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
RECORDS = sorted((ROOT / "docs/results").glob("*/comparison.json"))


def cells(text: str) -> list[list[str]]:
    """The rows of the tables in a text, without their heads."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def shown(row: dict[str, Any] | None) -> list[str]:
    """A row of a record as the tables write it: mean and deviation, difference and interval."""
    if row is None:
        return ["\u2013", "\u2013"]
    last, difference = row["last"], row["difference"]
    accuracy = f"{last['mean']:.1f}, {last['deviation']:.1f}"
    if row["is_baseline"]:
        return [accuracy, "baseline"]
    return [accuracy, f"{difference['mean']:+.1f} [{difference['low']:+.1f}, {difference['high']:+.1f}]"]


def read_rows(name: str) -> dict[str, dict[str, Any]]:
    """The rows of a record by the label that the README gives them; all have three seeds."""
    record = json.loads((ROOT / "docs/results" / name / "comparison.json").read_text())
    assert all(row["seeds"] == [0, 1, 2] for row in record["rows"])
    return {row["label"].replace("multimix_short", "multimix(m=4, p=1)"): row for row in record["rows"]}


def test_there_are_records() -> None:
    assert RECORDS != []


def test_the_readme_has_the_accuracies_of_the_records() -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Measured\n")[1].split("\n## ")[0]
    table, labels = section.split("### Wrong labels")
    many, few = read_rows("cifar100-20"), read_rows("cifar100-20-few")
    told = {row[0].replace("`", ""): row[1:] for row in cells(table)}
    assert told == {name: shown(many.get(name)) + shown(few.get(name)) for name in many | few}
    noise = json.loads((ROOT / "docs/results/digits-noise/comparison.json").read_text())
    learnt = {name: memorised_by(noise, name) for name in (row["label"] for row in noise["rows"])}
    assert {row[0].replace("`", ""): row[1:] for row in cells(labels)} == learnt


def memorised_by(record: dict[str, Any], label: str) -> list[str]:
    """An arm of the memorisation test: test accuracy with its deviation, replaced, true and other labels."""
    last = next(row["last"] for row in record["rows"] if row["label"] == label)
    runs = [run["memorised"] for run in record["runs"] if run["arm"] == label]
    means = [fmean(run[name] for run in runs) for name in ("noisy_top1", "noisy_true_top1", "clean_top1")]
    return [f"{last['mean']:.1f}, {last['deviation']:.1f}", *(f"{mean:.1f}" for mean in means)]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name)
def test_a_record_is_complete_and_names_no_place(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"/(tmp|home|root|work)/", text)
    record = json.loads(text)
    assert len(record["runs"]) == sum(len(row["seeds"]) for row in record["rows"])
    assert (path.with_name("comparison.md")).read_text().count("\n|") > len(record["rows"])
    page = (ROOT / "docs/results/README.md").read_text(encoding="utf-8")
    assert f"## {path.parent.name}" in page
