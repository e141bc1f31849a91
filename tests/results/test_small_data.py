"""The pages of small-data, with right and with wrong labels, are those of their runs."""

from operator import itemgetter
from pathlib import Path
from statistics import fmean

import pytest

from benchmarks import study
from tests.results.pages import (
    COMPARISONS,
    CONTRASTS,
    CONTROL,
    MAIN_ARMS,
    NOISE,
    NOISE_COMPARISONS,
    REFERENCES,
    ROOT,
    SMALL_DATA,
    TUPLES,
    TWICE,
    cells,
    paired,
    prose,
)
from timm_multimix.comparison.statistics import compare_paired


def test_the_readme_has_the_accuracies_of_the_record() -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## What to expect\n")[1]
    arms = study.read_runs([SMALL_DATA / "records"], "test")
    shown_rows = cells(section.split("\n## ")[0])
    means = {row[0]: row[2] for row in study.means_table(arms)}
    differences = {row[0]: row[1] for row in study.differences_table(arms, REFERENCES, COMPARISONS)}
    assert shown_rows == [[row[0], means[row[0]], differences[row[0]]] for row in shown_rows]
    assert {row[0] for row in shown_rows} >= {study.code(mix) for mix in (*MAIN_ARMS, "smoothmix")}


@pytest.mark.parametrize(
    ("directory", "comparisons"), [(SMALL_DATA, COMPARISONS), (NOISE, NOISE_COMPARISONS)]
)
def test_small_data_is_that_of_its_runs(directory: Path, comparisons: int) -> None:
    page = (directory / "README.md").read_text()
    arms = study.read_runs([directory / "records"], "test")
    contrasts = [*CONTRASTS, ("multimix", "mixup")]
    assert all(arms[mix].keys() == {0, 1, 2, 3, 4} for mix in MAIN_ARMS)
    assert study.as_markdown(study.means_table(arms)) in page
    assert study.as_markdown(study.differences_table(arms, REFERENCES, comparisons)) in page
    assert study.as_markdown(study.contrasts_table(arms, contrasts, REFERENCES, comparisons)) in page


def test_what_is_said_about_small_data_is_measured() -> None:
    arms = study.read_runs([SMALL_DATA / "records"], "test")
    page, readme, choice = map(prose, ("docs/results/small-data/README.md", "README.md", "docs/guide.md"))
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
    assert f"`mixup` and `smoothmix` first, {gained} and" in choice
    assert f"mixup by {gained} points" in page
    validation = paired("small-data", TWICE, itemgetter("top1"), TUPLES)
    assert f"the same runs have {validation}." in page


def test_what_is_said_about_smoothmix_is_measured() -> None:
    arms = study.read_runs([SMALL_DATA / "records"], "test")
    page, readme, summary, choice = map(
        prose,
        ("docs/results/small-data/README.md", "README.md", "docs/results/README.md", "docs/guide.md"),
    )
    smoothmix, mixup = arms["smoothmix"], arms["mixup"]
    assert smoothmix.keys() == mixup.keys() == {0, 1, 2, 3, 4}
    ahead = study.difference(smoothmix, mixup, study.TOP1, COMPARISONS, separator=", ")
    assert f"`smoothmix` is ahead of `mixup`**, by {ahead}, with each of five seeds" in page
    assert f"`smoothmix` is ahead of `mixup` by {ahead.replace(',', ' points,', 1)} (corrected;" in readme
    assert f"`smoothmix` is {ahead[1:].replace(',', ' points ahead of `mixup`,', 1)}." in choice
    first = {seed: smoothmix[seed] for seed in (0, 1, 2)}
    assert (
        f"seeds 0 to 2, which have {study.difference(first, mixup, study.TOP1, COMPARISONS, separator=', ')};"
        in page
    )
    ours, theirs = (study.values(runs, study.TOP1) for runs in (smoothmix, mixup))
    assert all(ours[seed] > theirs[seed] for seed in ours)
    assert "alone have {:+.1f} and {:+.1f}".format(*(ours[seed] - theirs[seed] for seed in (3, 4))) in page
    gained = [
        study.difference(runs, arms["none"], study.TOP1)[1:].partition(" ")[0] for runs in (mixup, smoothmix)
    ]
    assert "`mixup` gains {} points, `smoothmix` {}.".format(*gained) in summary
    assert "first, {} and {} points above `none`".format(*gained) in choice
    told = {"negative log-likelihood", "calibration error", "variance within / between classes"}
    assert told <= {
        measure.title
        for measure in study.measures_of(arms)
        if excludes_zero(study.values(smoothmix, measure), study.values(mixup, measure), COMPARISONS)
    }


def test_what_small_data_says_of_corruptions() -> None:
    arms, page = study.read_runs([SMALL_DATA / "records"], "test"), prose("docs/results/small-data/README.md")
    measure = next(each for each in study.MEASURES if "corruptions" in each.title)
    found = {mix: study.values(runs, measure) for mix, runs in arms.items()}
    measured = {mix: values for mix, values in found.items() if values}
    assert measured.keys() == {*MAIN_ARMS, "smoothmix"}
    assert all(values.keys() == {0, 3, 4} for values in measured.values())
    means = {mix: fmean(values.values()) for mix, values in measured.items()}
    mixed = [mean for mix, mean in means.items() if mix not in ("none", "cutmix")]
    assert (
        f"{min(mixed):.1f} to {max(mixed):.1f} % for `smoothmix` and the arms with mixup, "
        f"{means['none']:.1f} % without mixing and {means['cutmix']:.1f} % with cutmix."
    ) in page

    def told(one: str, other: str) -> str:
        return study.difference(arms[one], arms[other], measure, separator=", ")

    assert (
        f"ahead of `none` by {told('mixup', 'none')}, and of `cutmix` by {told('mixup', 'cutmix')};" in page
    )
    for mix in ("smoothmix", "multimix"):
        assert not excludes_zero(found[mix], found["mixup"], 1)


def test_what_small_data_says_of_the_mixers_that_paste() -> None:
    arms = study.read_runs([SMALL_DATA / "records"], "test")
    page, mixup = prose("docs/results/small-data/README.md"), arms["mixup"]
    behind = {
        mix: study.difference(arms[mix], mixup, study.TOP1)[1:].partition(" ")[0]
        for mix in ("gridmix", "fmix", "resizemix", "cutmix", "zeta_mixup")
    }
    assert (
        "`gridmix` is behind `mixup` by {gridmix} points, `fmix` by {fmix} and `resizemix` by {resizemix}, "
        "beyond their corrected intervals, and `cutmix` by {cutmix}, not beyond it."
    ).format(**behind) in page
    assert f"is behind by {behind['zeta_mixup']} and level with `none`" in page
    beyond = {
        mix
        for mix in behind
        if excludes_zero(study.values(arms[mix], study.TOP1), study.values(mixup, study.TOP1), COMPARISONS)
    }
    assert beyond == {"gridmix", "fmix", "resizemix", "zeta_mixup"}
    none = study.values(arms["none"], study.TOP1)
    assert not excludes_zero(study.values(arms["zeta_mixup"], study.TOP1), none, 1)


def test_what_small_data_says_of_the_mixers_that_look_at_features_and_gradients() -> None:
    arms = study.read_runs([SMALL_DATA / "records"], "test")
    page, mixup = prose("docs/results/small-data/README.md"), arms["mixup"]
    align, puzzle, saliency = (
        study.difference(arms[mix], mixup, study.TOP1, COMPARISONS, separator=", ")
        for mix in ("alignmixup", "puzzlemix", "saliencymix")
    )
    assert f"level with `mixup`**: {align}, and {puzzle}. Both are calibrated worse" in page
    assert f"point, is behind by {saliency[1:]};" in page
    values = study.values(arms["saliencymix"], study.TOP1).values()
    assert f"its seeds differ by {max(values) - min(values):.1f}." in page
    error = next(measure for measure in study.MEASURES if measure.title == "calibration error")
    for mix in ("alignmixup", "puzzlemix"):
        ours, theirs = study.values(arms[mix], error), study.values(mixup, error)
        assert excludes_zero(ours, theirs, COMPARISONS)
        assert all(ours[seed] > theirs[seed] for seed in ours)


def test_all_planned_arms_are_measured() -> None:
    page = (SMALL_DATA / "README.md").read_text()
    arms = study.read_runs([SMALL_DATA / "records"], "test")
    assert f"All {len(arms)} arms are measured" in page
    assert len(arms) == COMPARISONS + 1


def test_what_small_data_says_of_single_seeds_and_of_all_differences() -> None:
    arms = study.read_runs([SMALL_DATA / "records"], "test")
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


def test_what_is_said_about_wrong_labels_is_measured() -> None:
    arms = study.read_runs([NOISE / "records"], "test")
    page, readme, summary, choice = map(
        prose,
        (
            "docs/results/small-data-noise/README.md",
            "README.md",
            "docs/results/README.md",
            "docs/guide.md",
        ),
    )
    learnt = next(measure for measure in study.MEASURES if measure.title == "wrong labels learnt, %")

    def told(one: str, other: str, measure: study.Measure = study.TOP1, comparisons: int = 1) -> str:
        return study.difference(arms[one], arms[other], measure, comparisons, separator=", ")

    ahead, own = told("multimix", "mixup", comparisons=NOISE_COMPARISONS), told("multimix", CONTROL)
    for text in (readme, page):
        assert ahead.replace(",", " points,", 1) in text
        assert own.replace(",", " points,", 1) in text
    assert own in summary
    for text in (choice, summary):
        assert ahead[1:].replace(",", " points ahead of `mixup`,", 1).replace("`", "") in text.replace(
            "`", ""
        )
    assert told(CONTROL, "mixup", comparisons=NOISE_COMPARISONS) in page
    assert (
        told(CONTROL, "mixup", comparisons=NOISE_COMPARISONS)[1:].replace(",", " points ahead of `mixup`,", 1)
        in choice
    )
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


def test_what_is_said_about_smoothmix_with_wrong_labels_is_measured() -> None:
    arms = study.read_runs([NOISE / "records"], "test")
    page, clean, readme, summary, choice = map(
        prose,
        (
            "docs/results/small-data-noise/README.md",
            "docs/results/small-data/README.md",
            "README.md",
            "docs/results/README.md",
            "docs/guide.md",
        ),
    )
    smoothmix, mixup, multimix = arms["smoothmix"], arms["mixup"], arms["multimix"]
    ahead = study.difference(smoothmix, mixup, study.TOP1, NOISE_COMPARISONS, separator=", ")
    assert f"ahead of `mixup`**: by {ahead.replace(',', ' points,', 1)}, as it is" in page
    assert f"`smoothmix` differs from `mixup` by {ahead.replace(',', ' points,', 1)} (corrected)" in readme
    assert f"`smoothmix` is ahead of `mixup` there by {ahead}." in clean
    for text in (choice, summary):
        assert f"is {ahead[1:].replace(',', ' points ahead of mixup,', 1)}" in text.replace(
            "`mixup`", "mixup"
        )
    plain, corrected = (
        study.difference(smoothmix, multimix, study.TOP1, count, separator=", ")
        for count in (1, NOISE_COMPARISONS)
    )
    assert f"as well, by {plain}, a plain interval; corrected, {corrected.partition(', ')[2]}." in page
    ours, theirs = (study.values(runs, study.TOP1) for runs in (smoothmix, multimix))
    assert ours.keys() == {0, 1, 2, 3, 4}
    assert all(ours[seed] > theirs[seed] for seed in ours)
    learnt = next(measure for measure in study.MEASURES if measure.title == "wrong labels learnt, %")
    shares = [round(fmean(study.values(runs, learnt).values())) for runs in (multimix, smoothmix)]
    assert "learns fewer wrong labels, {} % to {} %.".format(*shares) in page
    assert min(arms, key=lambda mix: fmean(study.values(arms[mix], learnt).values())) == "multimix"
    unclear = {"uniformity", "the same after temperature scaling"}
    for measure in study.measures_of(arms):
        found = compare_paired(
            study.values(smoothmix, measure), study.values(mixup, measure), NOISE_COMPARISONS
        )
        assert found is not None
        better = found.mean > 0 if measure.title.startswith("top-1") else found.mean < 0
        assert (better and found.excludes_zero) == (measure.title not in unclear), measure.title


def excludes_zero(ours: dict[int, float], theirs: dict[int, float], comparisons: int) -> bool:
    found = compare_paired(ours, theirs, comparisons)
    return found is not None and found.excludes_zero
