"""What is said of MultiMix and its control is in the records."""

from operator import itemgetter

from benchmarks import study
from tests.results.pages import COMPARISONS, CONTRASTS, CONTROL, RESULTS, SMALL_DATA, TUPLES, paired, prose

FGSM = "top-1 accuracy under fgsm, ε = {}/255, 500 images, %"


def test_multimix_against_its_control() -> None:
    """Differences that stand in the text, from the runs in the records."""
    arms = study.read_runs([SMALL_DATA / "records"], "test")
    small, digits, readme = map(
        prose, ("docs/results/small-data/README.md", "docs/results/README.md", "README.md")
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


def evaluated(record: str, metric: str) -> str:
    return paired(record, CONTROL, lambda run: next(iter(run["evaluated"].values()))[metric])


def section_of(name: str) -> str:
    page = (RESULTS / "README.md").read_text()
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
