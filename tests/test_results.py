"""Every accuracy in the tables of the results' summary is in the record of a comparison that is kept."""

import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from operator import itemgetter
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from scipy.stats import ttest_rel

from benchmarks import guide, study
from timm_multimix.comparison.statistics import compare_paired

ROOT = Path(__file__).parents[1]
# The columns of the summary's tables; in the second, an arm is looked up in the first record that has it.
RIGHT = ("cifar100-20", "cifar100-20-few", "cifar100-20-long")
WRONG = (("digits-noise", "digits-noise-forms"), ("cifar100-20-noise",))
NAMED = dict([guide.RENAMED])
RECORDS = sorted((ROOT / "docs/results").glob("*/comparison.json"))


def cells(text: str) -> list[list[str]]:
    """The rows of the tables in a text, without their heads."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


@cache
def read_record(name: str) -> dict[str, Any]:
    return json.loads((ROOT / "docs/results" / name / "comparison.json").read_text())


def read_rows(name: str) -> dict[str, dict[str, Any]]:
    """The rows of a record by their labels, under the specs of today; all have three seeds."""
    record = read_record(name)
    assert all(row["seeds"] == [0, 1, 2] for row in record["rows"])
    return {NAMED.get(row["label"], row["label"]): row for row in record["rows"]}


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
    page = (ROOT / "docs/results/README.md").read_text(encoding="utf-8")
    section = page.split("\n## Summary\n")[1].split("\n## ")[0]
    right, wrong = section.split("### Wrong labels")
    records = [read_rows(name) for name in RIGHT]
    labels = dict.fromkeys(label for rows in records for label in rows)
    expected = {label: [shown(rows.get(label)) for rows in records] for label in labels}
    assert {row[0].replace("`", ""): row[1:] for row in cells(right)} == expected
    labels = dict.fromkeys(label for names in WRONG for name in names for label in read_rows(name))
    expected = {label: [cell for names in WRONG for cell in memorised(names, label)] for label in labels}
    assert {row[0].replace("`", ""): row[1:] for row in cells(wrong)} == expected


def test_the_readme_has_the_accuracies_of_the_record() -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## What to expect\n")[1]
    arms = study.read_runs(SMALL_DATA / "records", "test")
    shown_rows = cells(section.split("\n## ")[0])
    means = {row[0]: row[2] for row in study.means_table(arms)}
    differences = {row[0]: row[1] for row in study.differences_table(arms, REFERENCES, COMPARISONS)}
    assert shown_rows == [[row[0], means[row[0]], differences[row[0]]] for row in shown_rows]
    assert {row[0] for row in shown_rows} >= {study.code(mix) for mix in MAIN_ARMS}


CONTROL = "0.5*mixup | 0.5*skip"
TUPLES = "mixup >> (none + multimix(m=4, p=1))"
TWICE = "mixup >> (none + none)"
SMALL_DATA, NOISE = ROOT / "docs/results/small-data", ROOT / "docs/results/small-data-noise"
REFERENCES, COMPARISONS = ["none", "mixup"], 18
CONTRASTS = [("multimix", CONTROL), (TUPLES, TWICE)]
MAIN_ARMS = ("none", "mixup", "cutmix", "multimix", CONTROL, TUPLES, TWICE)


def paired(record: str, other: str, value: Callable[[dict[str, Any]], float], arm: str = "multimix") -> str:
    """The difference of an arm to another and its 95 % interval, paired by seed, as on the pages."""
    runs = {(run["arm"], run["seed"]): value(run) for run in read_record(record)["runs"]}
    seeds = [seed for name, seed in runs if name == arm and (other, seed) in runs]
    return difference([runs[arm, k] for k in seeds], [runs[other, k] for k in seeds])


def difference(values: Sequence[float], others: Sequence[float]) -> str:
    """The mean paired difference and its 95 % interval, as on the pages."""
    low, high = ttest_rel(values, others).confidence_interval()
    return f"{fmean(values) - fmean(others):+.1f}, [{low:+.1f}, {high:+.1f}]"


def test_multimix_against_its_control() -> None:
    """Differences that stand in the text, from the runs in the records."""
    arms = study.read_runs(SMALL_DATA / "records", "test")
    small, digits, readme = (
        " ".join((ROOT / name).read_text().split())
        for name in ("docs/results/small-data/README.md", "docs/results/README.md", "README.md")
    )
    for one, other in CONTRASTS:
        own = study.difference(arms[one], arms[other], study.TOP1, separator=", ")
        assert own in small
        assert own in digits
        assert one == TUPLES or own.replace(",", " points,", 1) in readme
    ahead = study.difference(arms[TUPLES], arms["mixup"], study.TOP1, COMPARISONS, separator=", ")
    assert ahead in small
    assert ahead in digits
    assert paired("digits-noise-control", CONTROL, itemgetter("top1")).replace(",", " points,", 1) in digits
    learnt = paired("digits-noise-control", CONTROL, lambda run: run["memorised"]["noisy_top1"])
    assert learnt.replace(",", " points of the replaced labels,", 1) in digits


FGSM = "top-1 accuracy under fgsm, ε = {}/255, 500 images, %"


def evaluated(record: str, metric: str) -> str:
    return paired(record, CONTROL, lambda run: next(iter(run["evaluated"].values()))[metric])


def section_of(name: str) -> str:
    page = (ROOT / "docs/results/README.md").read_text()
    return " ".join(page.split(f"\n## {name}\n")[1].split("\n## ")[0].split())


def test_multimix_against_its_control_on_photographs_with_wrong_labels() -> None:
    name = "cifar100-20-noise-control"
    section = section_of(name)
    learnt = paired(name, CONTROL, lambda run: run["memorised"]["noisy_top1"])
    assert paired(name, CONTROL, itemgetter("top1")).replace(",", " points,", 1) in section
    assert learnt.replace(",", " points of the replaced labels,", 1) in section
    assert f"control: {evaluated(name, 'variance within / between classes')}." in section
    assert f"spread, too: {evaluated(name, 'uniformity (all pairs)')}." in section
    assert f"20 %: {evaluated(name, FGSM.format(1))}." in section


def test_multimix_against_its_control_in_the_long_training() -> None:
    name = "cifar100-20-long-control"
    section, top1 = section_of(name), paired(name, CONTROL, itemgetter("top1"))
    assert f"control by {top1[1:].replace(',', ' points,', 1)}." in section
    assert f"control: {evaluated(name, 'variance within / between classes')} to the control" in section
    assert f"is level: {evaluated(name, 'uniformity (all pairs)')}." in section
    assert f"none 9: {evaluated(name, FGSM.format(4))} to the control" in section


@pytest.mark.parametrize(("directory", "comparisons"), [(SMALL_DATA, COMPARISONS), (NOISE, 6)])
def test_small_data_is_that_of_its_runs(directory: Path, comparisons: int) -> None:
    page = (directory / "README.md").read_text()
    arms = study.read_runs(directory / "records", "test")
    contrasts = [*CONTRASTS, ("multimix", "mixup")]
    assert all(arms[mix].keys() == {0, 1, 2, 3, 4} for mix in MAIN_ARMS)
    assert study.as_markdown(study.means_table(arms)) in page
    assert study.as_markdown(study.differences_table(arms, REFERENCES, comparisons)) in page
    assert study.as_markdown(study.contrasts_table(arms, contrasts, REFERENCES, comparisons)) in page


def test_what_is_said_about_small_data_is_measured() -> None:
    arms = study.read_runs(SMALL_DATA / "records", "test")
    page, readme, choice = (
        " ".join((ROOT / name).read_text().split())
        for name in ("docs/results/small-data/README.md", "README.md", "docs/guide.md")
    )
    columns = [measure.title for measure in study.measures_of(arms)]
    means = {row[0]: dict(zip(columns, row[2:], strict=True)) for row in study.means_table(arms)}
    errors = [means[study.code(mix)]["calibration error"] for mix in ("multimix", "mixup", CONTROL)]
    fgsm = [means[study.code(mix)]["top-1 under FGSM, 1/255, %"] for mix in ("multimix", "mixup", CONTROL)]
    assert "{} (`mixup` {}, control {})".format(*errors) in readme
    assert "{} % ({}, {})".format(*fgsm) in readme
    assert f"({errors[0]}, {errors[1]})" in choice
    assert f"a calibration error of {errors[2]} and {fgsm[2]} % under FGSM" in page
    mean, _, interval = study.difference(arms["multimix"], arms["mixup"], study.TOP1, COMPARISONS).partition(
        " "
    )
    assert f"at {mean[1:]} points less accuracy, {interval};" in choice
    gained = study.difference(arms["mixup"], arms["none"], study.TOP1)[1:].partition(" ")[0]
    assert f"mixup gained {gained} points" in readme
    assert f"`mixup` first, {gained} points above `none`" in choice
    assert f"mixup by {gained} points" in page
    validation = paired("small-data", TWICE, itemgetter("top1"), TUPLES)
    assert f"the same runs have {validation}." in page


def test_what_small_data_says_of_single_seeds_and_of_all_differences() -> None:
    arms = study.read_runs(SMALL_DATA / "records", "test")
    page = (SMALL_DATA / "README.md").read_text()
    tuples, multimix, mixup = (study.values(arms[mix], study.TOP1) for mix in (TUPLES, "multimix", "mixup"))
    assert f"is {fmean(mixup[k] - tuples[k] for k in (2, 3, 4)):.1f} points behind" in page
    assert sum(multimix[k] < mixup[k] for k in range(5)) == 4
    count = len(CONTRASTS) * len(study.measures_of(arms))
    assert f"for all {count} differences" in page
    clear = {
        measure.title
        for measure in study.measures_of(arms)
        if excludes_zero(study.values(arms["multimix"], measure), study.values(arms[CONTROL], measure), count)
    }
    assert clear == {"variance within / between classes"}


def excludes_zero(ours: dict[int, float], theirs: dict[int, float], comparisons: int) -> bool:
    found = compare_paired(ours, theirs, 1 - 0.05 / comparisons)
    return found is not None and found.excludes_zero


def test_the_forms_are_those_of_their_runs() -> None:
    page = (ROOT / "docs/results/small-data-forms/README.md").read_text()
    rows = cells(page.split("\n## Results\n")[1].split("\n## ")[0])
    assert [form_cells(row) for row in read_record("small-data-forms")["rows"]] == rows
    forms, text = read_forms(), " ".join(page.split())
    assert difference(*common(forms[TUPLES], forms["mixup >> (none + none)"])) in text
    assert difference(*common(forms["multimix"], forms[CONTROL])) in text
    assert difference(*common(forms["multimix"], forms["mixup"])) in text


def test_the_two_forms_with_the_highest_mean_are_chosen() -> None:
    """Over seeds 0 and 1 of all forms that have both; the others stopped behind mixup."""
    page = (ROOT / "docs/results/small-data-forms/README.md").read_text()
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
    for file in (ROOT / "docs/results/small-data-forms").glob("records/*/*/summary.json"):
        run = json.loads(file.read_text())
        assert run["seed"] not in found.setdefault(run["mix"], {})
        found[run["mix"]][run["seed"]] = run["top1"]
    return found


def common(one: dict[int, float], other: dict[int, float]) -> tuple[list[float], list[float]]:
    seeds = sorted(one.keys() & other.keys())
    return [one[k] for k in seeds], [other[k] for k in seeds]


FINE_TUNING = ("fine-tuning", "fine-tuning-cifar100")


@pytest.mark.parametrize("name", FINE_TUNING)
def test_the_rates_of_fine_tuning_are_those_of_their_runs(name: str) -> None:
    directory = ROOT / "docs/results" / name
    runs = [json.loads(file.read_text()) for file in directory.glob("rates/*/*/summary.json")]
    page = (directory / "README.md").read_text().split("\n## Rates\n")[1].split("\n## ")[0]
    assert sorted(cells(page)) == sorted(rate_cells(run) for run in runs)


@pytest.mark.parametrize("name", FINE_TUNING)
def test_fine_tuning_is_at_the_rates_that_are_best_on_the_validation_part(name: str) -> None:
    directory, best = ROOT / "docs/results" / name, dict[str, tuple[float, float, float]]()
    for file in directory.glob("rates/*/*/summary.json"):
        run = json.loads(file.read_text())
        loss = run["results"][run["exported_weights"]]["loss"]
        best[run["mix"]] = max(best.get(run["mix"], (0.0, 0.0, 0.0)), (run["top1"], -loss, run["lr"]))
    runs = [json.loads(file.read_text()) for file in directory.glob("records/*/*/summary.json")]
    assert {(run["mix"], run["lr"]) for run in runs} == {(mix, found[2]) for mix, found in best.items()}


@pytest.mark.parametrize("name", FINE_TUNING)
def test_fine_tuning_is_that_of_its_runs(name: str) -> None:
    page = (
        (ROOT / "docs/results" / name / "README.md").read_text().split("\n## Results\n")[1].split("\n## ")[0]
    )
    arms = read_arms(name)
    shown_arms = {row[0].strip("`").replace("\\|", "|"): row[1:] for row in cells(page)}
    assert shown_arms == {mix: fine_tuning_cells(mix, arms) for mix in arms}
    assert f"{100 * (1 - 0.05 / (len(arms) - 1)):.1f} %" in page
    top1 = {mix: [run[1] for run in found] for mix, found in arms.items()}
    assert difference(top1["multimix"], top1[CONTROL]) in " ".join(page.split())


def test_the_readme_has_the_accuracies_of_fine_tuning() -> None:
    means = {
        mix: f"{fmean(run[1] for run in found):.1f} %" for mix, found in read_arms("fine-tuning").items()
    }
    told = f"({means['none']}, `mixup` {means['mixup']}, `multimix` {means['multimix']};"
    assert told in " ".join((ROOT / "README.md").read_text().split())


def read_arms(name: str) -> dict[str, list[tuple[float, ...]]]:
    """Rate, top-1, likelihood and calibration error on the test split of each run, by the mix."""
    arms: dict[str, list[tuple[float, ...]]] = {}
    for file in sorted((ROOT / "docs/results" / name).glob("records/*/*/summary.json")):
        run, (found,) = json.loads(file.read_text()), read_evaluation(file.with_name("evaluation.json"))
        top1 = found["accuracy"]["top1"]
        assert top1 == pytest.approx(run["top1"], abs=0.9)  # float32, and bfloat16 in a training
        values = (run["lr"], top1, found["calibration"]["nll"], found["calibration"]["ece"])
        arms.setdefault(run["mix"], []).append(values)
    return arms


def read_evaluation(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text())["evaluations"]


def fine_tuning_cells(mix: str, arms: dict[str, list[tuple[float, ...]]]) -> list[str]:
    """Rate, means, and paired differences to none with intervals corrected for the number of arms."""
    rates, top1, losses, errors = zip(*arms[mix], strict=True)
    assert len(set(rates)) == 1
    means = [f"{rates[0]:g}", f"{fmean(top1):.1f}", "\u2013"]
    means += [f"{fmean(losses):.2f}", f"{100 * fmean(errors):.1f}"]
    if mix != "none":
        baseline = [run[1] for run in arms["none"]]
        low, high = ttest_rel(top1, baseline).confidence_interval(1 - 0.05 / (len(arms) - 1))
        means[2] = f"{fmean(top1) - fmean(baseline):+.1f} [{low:+.1f}, {high:+.1f}]"
    return means


def rate_cells(run: dict[str, Any]) -> list[str]:
    """The spec, the rate, the accuracy of the last epoch and its loss."""
    loss = run["results"][run["exported_weights"]]["loss"]
    return ["`" + run["mix"].replace("|", "\\|") + "`", f"{run['lr']:g}", f"{run['top1']:.1f}", f"{loss:.2f}"]


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
    files = (ROOT / "docs/results" / record).glob("records/*/*/summary.json")
    runs = [
        run
        for run in map(read_json, sorted(files))
        if run["mix"] == row["mix"] and run["seed"] in row["seeds"]
    ]
    assert len(runs) == len(row["seeds"])
    return f"{fmean(run['results'][run['exported_weights']]['loss'] for run in runs):.2f}"


def read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name)
def test_a_record_is_complete_and_names_no_place(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"/(tmp|home|root|work)/", text)
    record = json.loads(text)
    assert len(record["runs"]) == sum(len(row["seeds"]) for row in record["rows"])
    assert (path.with_name("comparison.md")).read_text().count("\n|") > len(record["rows"])
    page = (ROOT / "docs/results/README.md").read_text(encoding="utf-8")
    assert f"## {path.parent.name}" in page


def test_what_is_said_about_wrong_labels_is_measured() -> None:
    arms = study.read_runs(NOISE / "records", "test")
    page, readme, summary, choice = (
        " ".join((ROOT / name).read_text().split())
        for name in (
            "docs/results/small-data-noise/README.md",
            "README.md",
            "docs/results/README.md",
            "docs/guide.md",
        )
    )
    learnt = next(measure for measure in study.MEASURES if measure.title == "wrong labels learnt, %")

    def told(one: str, other: str, measure: study.Measure = study.TOP1, comparisons: int = 1) -> str:
        return study.difference(arms[one], arms[other], measure, comparisons, separator=", ")

    ahead, own = told("multimix", "mixup", comparisons=6), told("multimix", CONTROL)
    for text in (readme, page):
        assert ahead.replace(",", " points,", 1) in text
        assert own.replace(",", " points,", 1) in text
    assert own in summary
    for text in (choice, summary):
        assert ahead[1:].replace(",", " points ahead of `mixup`,", 1).replace("`", "") in text.replace(
            "`", ""
        )
    assert told(CONTROL, "mixup", comparisons=6) in page
    assert told(TUPLES, TWICE) in page
    assert told("multimix", CONTROL, learnt).replace(",", " points,", 1) in page
    assert f"accuracy is {told('multimix', CONTROL, comparisons=2).partition(', ')[2]}" in page
    assert f"the same runs have {paired('small-data-noise', CONTROL, itemgetter('top1'))}." in page
    shares = [
        round(fmean(study.values(arms[mix], learnt).values())) for mix in ("multimix", "mixup", CONTROL)
    ]
    assert "learns {} % of the wrong labels, mixup {} %".format(*shares) in page
    assert f"learns {shares[2]} %" in page
    assert "learns {} % of them (`mixup` {} %, control {} %)".format(*shares) in readme
    wins = [
        study.values(arms["multimix"], study.TOP1)[seed] > study.values(arms[CONTROL], study.TOP1)[seed]
        for seed in range(5)
    ]
    assert sum(wins) == 4
    measures = study.measures_of(arms)
    count = len(CONTRASTS) * len(measures)
    assert f"corrected for all {count} differences" in page
    assert not any(
        excludes_zero(study.values(arms[one], measure), study.values(arms[other], measure), count)
        for one, other in CONTRASTS
        for measure in measures
    )
