"""Every accuracy in the summary of the results is in the record of a comparison that is kept."""

import json
import re
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from tests.results.pages import NAMED, RECORDS, RESULTS, cells, read_evaluation, read_record, read_rows

# The columns of the summary's tables; in the second, an arm is looked up in the first record that has it.
RIGHT = ("cifar100-20", "cifar100-20-few", "cifar100-20-long")
WRONG = (("digits-noise", "digits-noise-forms"), ("cifar100-20-noise",))


def shown(row: dict[str, Any] | None) -> str:
    """A row of a record in a cell: the mean, and its difference to none with the interval."""
    if row is None:
        return "\u2013"
    mean, difference = f"{row['last']['mean']:.1f}", row["difference"]
    if row["is_baseline"]:
        return mean
    return f"{mean}: {difference['mean']:+.1f} [{difference['low']:+.1f}, {difference['high']:+.1f}]"


def memorised(names: tuple[str, ...], label: str) -> list[str]:
    """An arm in the first record that has it: test accuracy with std, and memorised replaced labels."""
    for name in names:
        if row := read_rows(name).get(label):
            runs = [run for run in read_record(name)["runs"] if NAMED.get(run["arm"], run["arm"]) == label]
            learnt = fmean(run["memorised"]["noisy_top1"] for run in runs)
            return [f"{row['last']['mean']:.1f}, {row['last']['deviation']:.1f}", f"{learnt:.1f}"]
    return ["\u2013", "\u2013"]


def test_there_are_records() -> None:
    assert RECORDS != []


def test_the_summary_has_the_accuracies_of_the_records() -> None:
    page = (RESULTS / "README.md").read_text(encoding="utf-8")
    section = page.split("\n## Summary\n")[1].split("\n## ")[0]
    right, wrong = section.split("### Wrong labels")
    records = [read_rows(name) for name in RIGHT]
    labels = dict.fromkeys(label for rows in records for label in rows)
    expected = {label: [shown(rows.get(label)) for rows in records] for label in labels}
    assert {row[0].replace("`", ""): row[1:] for row in cells(right)} == expected
    labels = dict.fromkeys(label for names in WRONG for name in names for label in read_rows(name))
    expected = {label: [cell for names in WRONG for cell in memorised(names, label)] for label in labels}
    assert {row[0].replace("`", ""): row[1:] for row in cells(wrong)} == expected


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name)
def test_a_record_is_complete_and_names_no_place(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"/(tmp|home|root|work)/", text)
    record = json.loads(text)
    assert len(record["runs"]) == sum(len(row["seeds"]) for row in record["rows"])
    assert (path.with_name("comparison.md")).read_text().count("\n|") > len(record["rows"])
    page = (RESULTS / "README.md").read_text(encoding="utf-8")
    assert f"## {path.parent.name}" in page


@pytest.mark.parametrize(
    ("study", "run"), [("small-data", "mixup/seed0"), ("fine-tuning", "none/seed0")], ids=["mixup", "none"]
)
def test_the_weights_that_were_trained_twice_are_named(study: str, run: str) -> None:
    page = (RESULTS / study / "README.md").read_text(encoding="utf-8")
    records = read_evaluation(RESULTS / study / "records" / run / "evaluation.json")
    (digest,) = {record["model"]["sha256"] for record in records}
    assert f"(the `sha256` of its record, {digest[:8]}...)" in " ".join(page.split())
