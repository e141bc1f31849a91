"""The page on tuples added to the loss of smoothmix is that of its runs."""

from benchmarks import study
from tests.results.pages import RESULTS, SMALL_DATA, prose, read_record

FORM, CONTROL = "smoothmix >> (none + multimix(m=4, p=1))", "smoothmix >> (none + none)"
DIRECTORY = RESULTS / "small-data-smoothmix"


def read_arms() -> dict[str, study.Runs]:
    arms = study.read_runs([SMALL_DATA / "records", DIRECTORY / "records"], "test")
    return {mix: runs for mix, runs in arms.items() if mix in (FORM, CONTROL, "smoothmix")}


def test_the_tables_are_those_of_the_runs() -> None:
    arms, page = read_arms(), (DIRECTORY / "README.md").read_text(encoding="utf-8")
    contrasts = [(FORM, CONTROL), (FORM, "smoothmix"), (CONTROL, "smoothmix")]
    assert arms[FORM].keys() == arms[CONTROL].keys() == {0, 1, 2}
    assert study.as_markdown(study.means_table(arms)) in page
    assert study.as_markdown(study.differences_table(arms, ["smoothmix"], 1)) in page
    assert study.as_markdown(study.contrasts_table(arms, contrasts, ["smoothmix"], 1)) in page


def test_what_is_said_is_measured() -> None:
    arms = read_arms()
    page, summary = map(prose, ("docs/results/small-data-smoothmix/README.md", "docs/results/README.md"))
    to_control, to_smoothmix = (
        study.difference(arms[FORM], arms[other], study.TOP1, separator=", ")
        for other in (CONTROL, "smoothmix")
    )
    assert f"smoothmix's loss taken twice: {to_control}." in page
    assert f"level with `smoothmix`, too: {to_smoothmix}." in page
    assert f"level with their control, {to_control}, and with `smoothmix`" in summary
    assert f"{to_control}, to smoothmix's loss taken twice" in summary
    fgsm, error = (
        next(each for each in study.MEASURES if each.title == title)
        for title in ("top-1 under FGSM, 1/255, %", "calibration error")
    )
    gain = study.difference(arms[FORM], arms[CONTROL], fgsm)
    assert f"by {gain[1:].replace(' [', ' points, [', 1)}" in page
    errors = {mix: study.values(runs, error) for mix, runs in arms.items()}
    assert all(
        errors[FORM][seed] > errors[other][seed] for other in (CONTROL, "smoothmix") for seed in (0, 1, 2)
    )


def test_the_validation_split_is_that_of_the_record() -> None:
    page = prose("docs/results/small-data-smoothmix/README.md")
    means = {row["mix"]: row["difference"] for row in read_record("small-data-smoothmix")["rows"]}
    assert max(means[mix]["low"] for mix in (FORM, CONTROL)) < 0
    assert (
        f"both arms are {means[FORM]['mean']:.1f} and {means[CONTROL]['mean']:.1f} points ahead of "
        "`smoothmix`"
    ) in page
