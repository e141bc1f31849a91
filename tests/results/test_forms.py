"""The study by which two forms of MultiMix were chosen is that of its runs."""

import json
import re
from statistics import fmean
from typing import Any

from tests.results.pages import CONTROL, RESULTS, TUPLES, cells, difference, read_json, read_record


def test_the_forms_are_those_of_their_runs() -> None:
    page = (RESULTS / "small-data-forms/README.md").read_text()
    rows = cells(page.split("\n## Results\n")[1].split("\n## ")[0])
    assert [form_cells(row) for row in read_record("small-data-forms")["rows"]] == rows
    forms, text = read_forms(), " ".join(page.split())
    assert difference(*common(forms[TUPLES], forms["mixup >> (none + none)"])) in text
    assert difference(*common(forms["multimix"], forms[CONTROL])) in text
    assert difference(*common(forms["multimix"], forms["mixup"])) in text


def test_the_two_forms_with_the_highest_mean_are_chosen() -> None:
    """Over seeds 0 and 1 of all forms that have both; the others stopped behind mixup."""
    page = (RESULTS / "small-data-forms/README.md").read_text()
    listed = re.findall(r"^- `(.+)`$", page.split("\n## Results\n")[0], re.MULTILINE)
    forms = read_forms()
    means = {mix: fmean(forms[mix][k] for k in (0, 1)) for mix in listed if {0, 1} <= forms[mix].keys()}
    best, second = sorted(means, key=means.__getitem__, reverse=True)[:2]
    choice = " ".join(page.split("**The choice**: ")[1].split("\n- ")[0].split())
    assert choice.startswith(f"`{best}` has the highest mean over seeds 0 and 1, {means[best]:.1f} %,")
    assert f"and `{second}` the second, {means[second]:.1f} %;" in choice
    for mix in listed - means.keys():
        assert forms[mix].keys() == {0}
        assert forms[mix][0] < forms["mixup"][0]


def read_forms() -> dict[str, dict[int, float]]:
    """Accuracies by mix and seed; a mix and seed were not run twice."""
    found: dict[str, dict[int, float]] = {}
    for file in (RESULTS / "small-data-forms").glob("records/*/*/summary.json"):
        run = json.loads(file.read_text())
        assert run["seed"] not in found.setdefault(run["mix"], {})
        found[run["mix"]][run["seed"]] = run["top1"]
    return found


def common(one: dict[int, float], other: dict[int, float]) -> tuple[list[float], list[float]]:
    seeds = sorted(one.keys() & other.keys())
    return [one[k] for k in seeds], [other[k] for k in seeds]


def form_cells(row: dict[str, Any]) -> list[str]:
    """Spec, setting, seeds, mean, difference to mixup, with an interval from two seeds on, and mean loss."""
    difference = row["difference"]
    text = "\u2013" if row["is_baseline"] else f"{difference['mean']:+.1f}"
    if not row["is_baseline"] and len(row["seeds"]) > 1:
        text += f" [{difference['low']:+.1f}, {difference['high']:+.1f}]"
    spec, setting = "`" + row["mix"].replace("|", "\\|") + "`", row["label"].removeprefix(row["mix"] + ", ")
    mean = f"{row['last']['mean']:.1f}"
    return [spec, setting, " ".join(map(str, row["seeds"])), mean, text, mean_loss("small-data-forms", row)]


def mean_loss(record: str, row: dict[str, Any]) -> str:
    """The mean negative log-likelihood of the runs of a row: no mix was run twice with a seed."""
    files = (RESULTS / record).glob("records/*/*/summary.json")
    runs = [
        run
        for run in map(read_json, sorted(files))
        if run["mix"] == row["mix"] and run["seed"] in row["seeds"]
    ]
    assert len(runs) == len(row["seeds"])
    return f"{fmean(run['results'][run['exported_weights']]['loss'] for run in runs):.2f}"
