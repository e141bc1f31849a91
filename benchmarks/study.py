"""Print the tables of a study from the records of its runs, each with seed, mix and an `evaluation.json`.

    python benchmarks/study.py docs/results/small-data/records --comparisons 18 \
        --contrast "multimix" "0.5*mixup | 0.5*skip"

The first table has the means of what was measured on a split; the second differences of top-1 to the arms of
`--reference`, paired by seed, with intervals of 95 % corrected for `--comparisons` (Bonferroni); the third
those of all measures in each `--contrast`, with plain intervals of 95 % where an arm has a control of its
own, and corrected ones where it is compared with a reference.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from timm_multimix.comparison.collect import Run, read_run
from timm_multimix.comparison.evaluated import evaluated
from timm_multimix.comparison.memorized import COLUMNS, memorized
from timm_multimix.comparison.statistics import compare_paired
from timm_multimix.errors import UsageError
from timm_multimix.options.values import integer

Runs = dict[int, dict[str, float]]
"""What was measured, by seed, under the names of `timm-multimix compare`."""


class Measure(NamedTuple):
    """A column: its title, format and the name of its number in a comparison."""

    title: str
    form: str
    name: str


TOP1 = Measure("top-1, %", ".1f", "top-1 accuracy, %")
MEASURES = (
    TOP1,
    Measure("negative log-likelihood", ".2f", "negative log likelihood"),
    Measure("calibration error", ".3f", "expected calibration error, 15 bins"),
    Measure(
        "the same after temperature scaling",
        ".3f",
        "expected calibration error after temperature scaling, one half, 15 bins",
    ),
    Measure(
        "top-1 under FGSM, 1/255, %", ".1f", "top-1 accuracy under fgsm, \u03b5 = 1/255, 10000 images, %"
    ),
    Measure("mean top-1 under corruptions, %", ".1f", "top-1 accuracy under corruptions, mean, %"),
    Measure("alignment", ".2f", "alignment (same class)"),
    Measure("uniformity", ".2f", "uniformity (all pairs)"),
    Measure("variance within / between classes", ".2f", "variance within / between classes"),
    Measure("wrong labels learnt, %", ".1f", COLUMNS["noisy_top1"]),
)


def read_runs(directories: Iterable[Path], split: str) -> dict[str, Runs]:
    """Return what was measured on a split, by mix and seed; the mixes in the order of their mean top-1.

    Raises:
        UsageError: there is no run, or one was not evaluated on the split.
    """
    found: dict[str, Runs] = {}
    for run in chain.from_iterable(map(_runs_in, directories)):
        runs = found.setdefault(run.record.mix, {})
        if run.seed in runs:
            raise UsageError(f"{run.directory} is a second run of {run.record.mix} with seed {run.seed}")
        runs[run.seed] = _measured(run, split)
    return dict(sorted(found.items(), key=lambda arm: -fmean(values(arm[1], TOP1).values())))


def _runs_in(directory: Path) -> list[Run]:
    files = sorted(directory.glob("*/*/summary.json"))
    if not files:
        raise UsageError(f"DIRECTORY must hold runs, ARM/SEED/summary.json, got {directory}")
    return [read_run(file.parent) for file in files]


def _measured(run: Run, split: str) -> dict[str, float]:
    on_split = [one for one in run.evaluations if one["data"]["split"] == split]
    if len(on_split) != 1:
        raise UsageError(f"{run.directory} must have one evaluation on split {split}, got {len(on_split)}")
    (numbers,) = evaluated(replace(run, evaluations=on_split)).values()
    return numbers | {COLUMNS[name]: value for name, value in memorized(run).items()}


def measures_of(arms: dict[str, Runs]) -> list[Measure]:
    """Return the measures that a run of these has."""
    measured = {name for runs in arms.values() for numbers in runs.values() for name in numbers}
    return [measure for measure in MEASURES if measure.name in measured]


def values(runs: Runs, measure: Measure) -> dict[int, float]:
    """Return a measure by seed, of the seeds that have it."""
    return {seed: found[measure.name] for seed, found in sorted(runs.items()) if measure.name in found}


def difference(
    ours: Runs, theirs: Runs, measure: Measure, comparisons: int = 1, *, separator: str = " "
) -> str:
    """Return the mean paired difference and its interval as text."""
    found = compare_paired(values(ours, measure), values(theirs, measure), comparisons)
    if found is None:
        return "\u2013"
    if found.low is None or found.high is None:
        return f"{found.mean:+{measure.form}}"
    low, high = (f"{bound:+{measure.form}}" for bound in (found.low, found.high))
    return f"{found.mean:+{measure.form}}{separator}[{low}, {high}]"


def means_table(arms: dict[str, Runs]) -> Iterator[list[str]]:
    """Yield the rows of the means, the head first; a mean of other seeds than the arm's names them."""
    measures = measures_of(arms)
    yield ["mix", "seeds", *(measure.title for measure in measures)]
    for mix, runs in arms.items():
        yield [code(mix), numbers(runs), *(_mean(runs, measure) for measure in measures)]


def _mean(runs: Runs, measure: Measure) -> str:
    found = values(runs, measure)
    if not found:
        return "\u2013"
    seeds = "" if found.keys() == runs.keys() else f" (seeds {numbers(found)})"
    return f"{fmean(found.values()):{measure.form}}{seeds}"


def differences_table(arms: dict[str, Runs], references: list[str], comparisons: int) -> Iterator[list[str]]:
    """Yield the rows of the differences of top-1 to each reference, the head first."""
    yield ["mix", *(f"difference to {name}, points" for name in references)]
    for mix, runs in arms.items():
        others = [
            "\u2013" if name == mix else difference(runs, arms[name], TOP1, comparisons)
            for name in references
        ]
        yield [code(mix), *others]


def contrasts_table(
    arms: dict[str, Runs], contrasts: list[tuple[str, str]], references: list[str], comparisons: int
) -> Iterator[list[str]]:
    """Yield the rows of the differences in all measures, a column for each contrast, the head first."""
    yield ["difference in", *(f"{code(one)} to {code(other)}" for one, other in contrasts)]
    for measure in measures_of(arms):
        differences = [
            difference(arms[one], arms[other], measure, comparisons if other in references else 1)
            for one, other in contrasts
        ]
        yield [measure.title, *differences]


def code(mix: str) -> str:
    """Return a spec as code in a cell."""
    return f"`{mix}`".replace("|", "\\|")


def numbers(seeds: Iterable[int]) -> str:
    """Return seeds as in `0 1 2`."""
    return " ".join(map(str, sorted(seeds)))


def as_markdown(rows: Iterator[list[str]]) -> str:
    """Return a table of Markdown; the first column is text, the others numbers."""
    head, *body = rows
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> int:
    """Print the tables; mistakes are one line and status 2."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "directories",
        type=Path,
        nargs="+",
        metavar="DIRECTORY",
        help="holds ARM/SEED/summary.json and evaluation.json",
    )
    parser.add_argument("--arm", action="append", help="show this arm, and those compared (default: all)")
    parser.add_argument("--split", default="test", help="the split of the evaluations (default: %(default)s)")
    parser.add_argument("--reference", action="append", help="an arm to compare with (default: none, mixup)")
    parser.add_argument("--comparisons", type=integer(1), default=1, help="to correct for (default: 1)")
    parser.add_argument(
        "--contrast",
        nargs=2,
        action="append",
        default=[],
        metavar=("ARM", "CONTROL"),
        help="for all measures",
    )
    options = parser.parse_args()
    references = options.reference or ["none", "mixup"]
    try:
        arms = read_runs(options.directories, options.split)
        shown = {*(options.arm or arms), *references, *chain(*options.contrast)}
        if missing := shown - arms.keys():
            raise UsageError(f"arms must be of {', '.join(arms)}, got {', '.join(sorted(missing))}")
        arms = {mix: runs for mix, runs in arms.items() if mix in shown}
    except UsageError as error:
        print("error:", error, file=sys.stderr)
        return 2
    tables = [means_table(arms), differences_table(arms, references, options.comparisons)]
    if options.contrast:
        tables.append(contrasts_table(arms, options.contrast, references, options.comparisons))
    print("\n\n".join(map(as_markdown, tables)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
