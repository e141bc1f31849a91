"""Every accuracy in the README's table is in the record of a comparison that is kept."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
RECORDS = sorted((ROOT / "docs/results").glob("*/comparison.json"))


def cells(text: str) -> list[list[str]]:
    """The rows of the tables in a text, without their heads."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def shown(row: dict[str, Any]) -> list[str]:
    """A row of a record as the table writes it: seeds, mean and deviation, difference and interval."""
    last, difference, seeds = row["last"], row["difference"], str(len(row["seeds"]))
    accuracy = f"{last['mean']:.1f}" + ("" if last["deviation"] is None else f", {last['deviation']:.1f}")
    if row["is_baseline"]:
        return [seeds, accuracy, "baseline"]
    gap = f"{difference['mean']:+.1f}"
    interval = "" if difference["low"] is None else f" [{difference['low']:+.1f}, {difference['high']:+.1f}]"
    return [seeds, accuracy, gap + interval]


def test_there_are_records() -> None:
    assert RECORDS != []


def test_the_readme_has_the_numbers_of_the_first_record() -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Measured\n")[1].split("\n## ")[0]
    record = json.loads((ROOT / "docs/results/cifar100-20/comparison.json").read_text())
    told = {row[0].replace("`", ""): row[1:] for row in cells(section)}
    assert told == {row["label"]: shown(row) for row in record["rows"]}


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name)
def test_a_record_is_complete_and_names_no_place(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"/(tmp|home|root|work)/", text)
    record = json.loads(text)
    assert len(record["runs"]) == sum(len(row["seeds"]) for row in record["rows"])
    assert (path.with_name("comparison.md")).read_text().count("\n|") > len(record["rows"])
    page = (ROOT / "docs/results/README.md").read_text(encoding="utf-8")
    assert f"## {path.parent.name}" in page
    assert page.count("`none` | 98.98, 0.16") == 1  # the digits' table
