"""The studies of fine-tuning are those of their runs."""

import json
from statistics import fmean
from typing import Any

import pytest
from scipy.stats import ttest_rel

from tests.results.pages import CONTROL, RESULTS, ROOT, cells, difference, read_evaluation

FINE_TUNING = ("fine-tuning", "fine-tuning-cifar100")


@pytest.mark.parametrize("name", FINE_TUNING)
def test_the_rates_of_fine_tuning_are_those_of_their_runs(name: str) -> None:
    directory = RESULTS / name
    runs = [json.loads(file.read_text()) for file in directory.glob("rates/*/*/summary.json")]
    page = (directory / "README.md").read_text().split("\n## Rates\n")[1].split("\n## ")[0]
    assert sorted(cells(page)) == sorted(rate_cells(run) for run in runs)


@pytest.mark.parametrize("name", FINE_TUNING)
def test_fine_tuning_is_at_the_rates_that_are_best_on_the_validation_part(name: str) -> None:
    directory, best = RESULTS / name, dict[str, tuple[float, float, float]]()
    for file in directory.glob("rates/*/*/summary.json"):
        run = json.loads(file.read_text())
        loss = run["results"][run["exported_weights"]]["loss"]
        best[run["mix"]] = max(best.get(run["mix"], (0.0, 0.0, 0.0)), (run["top1"], -loss, run["lr"]))
    runs = [json.loads(file.read_text()) for file in directory.glob("records/*/*/summary.json")]
    assert {(run["mix"], run["lr"]) for run in runs} == {(mix, found[2]) for mix, found in best.items()}


@pytest.mark.parametrize("name", FINE_TUNING)
def test_fine_tuning_is_that_of_its_runs(name: str) -> None:
    page = (RESULTS / name / "README.md").read_text().split("\n## Results\n")[1].split("\n## ")[0]
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
    for file in sorted((RESULTS / name).glob("records/*/*/summary.json")):
        run, (found,) = json.loads(file.read_text()), read_evaluation(file.with_name("evaluation.json"))
        top1 = found["accuracy"]["top1"]
        assert top1 == pytest.approx(run["top1"], abs=0.9)  # float32, and bfloat16 in a training
        values = (run["lr"], top1, found["calibration"]["nll"], found["calibration"]["ece"])
        arms.setdefault(run["mix"], []).append(values)
    return arms


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
