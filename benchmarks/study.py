"""Print the tables of a study from the records of its runs, each with seed, mix and an `evaluation.json`.

    python benchmarks/study.py docs/results/small-data/records --comparisons 18 \
        --contrast "multimix" "0.5*mixup | 0.5*skip"

The first table has the means of what was measured on a split; the second differences of top-1 to the arms of
`--reference`, paired by seed, with intervals of 95 % corrected for `--comparisons` (Bonferroni); the third
those of all measures in each `--contrast`, with plain intervals of 95 % where an arm has a control of its
own, and corrected ones where it is compared with a reference.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from timm_multimix.comparison.statistics import CONFIDENCE, compare_paired
from timm_multimix.errors import UsageError
from timm_multimix.options.values import integer

Runs = dict[int, dict[str, Any]]
"""What was measured, by seed."""


class Measure(NamedTuple):
    """A column: its title, format and value in an evaluation."""

    title: str
    form: str
    read: Callable[[dict[str, Any]], float]


def _fgsm(found: dict[str, Any]) -> float:
    attacks = found["attacks"]
    return attacks["white_box"]["fgsm"][attacks["epsilons"].index(1 / 255)]


TOP1 = Measure("top-1, %", ".1f", lambda found: found["accuracy"]["top1"])
MEASURES = (
    TOP1,
    Measure("negative log-likelihood", ".2f", lambda found: found["calibration"]["nll"]),
    Measure("calibration error", ".3f", lambda found: found["calibration"]["ece"]),
    Measure(
        "the same after temperature scaling",
        ".3f",
        lambda found: found["calibration"]["temperature_scaling"]["after"]["ece"],
    ),
    Measure("top-1 under FGSM, 1/255, %", ".1f", _fgsm),
    Measure("mean top-1 under corruptions, %", ".1f", lambda found: found["corruptions"]["mean_top1"]),
    Measure("alignment", ".2f", lambda found: found["embedding"]["alignment"]),
    Measure("uniformity", ".2f", lambda found: found["embedding"]["uniformity"]),
    Measure(
        "variance within / between classes", ".2f", lambda found: found["embedding"]["class_spread"]["ratio"]
    ),
)


def read_runs(directory: Path, split: str) -> dict[str, Runs]:
    """Return the evaluations on a split, by mix and seed; the mixes in the order of their mean top-1.

    Raises:
        UsageError: there is no run, or one was not evaluated on the split.
    """
    found: dict[str, Runs] = {}
    for file in sorted(directory.glob("*/*/summary.json")):
        summary = json.loads(file.read_text())
        evaluations = json.loads((file.parent / "evaluation.json").read_text())["evaluations"]
        on_split = [one for one in evaluations if one["data"]["split"] == split]
        if len(on_split) != 1:
            raise UsageError(f"{file.parent} must have one evaluation on split {split}, got {len(on_split)}")
        runs = found.setdefault(summary["mix"], {})
        if summary["seed"] in runs:
            raise UsageError(f"{file.parent} is a second run of {summary['mix']} with seed {summary['seed']}")
        runs[summary["seed"]] = on_split[0]
    if not found:
        raise UsageError(f"DIRECTORY must hold runs, ARM/SEED/summary.json, got {directory}")
    return dict(sorted(found.items(), key=lambda arm: -fmean(values(arm[1], TOP1).values())))


def values(runs: Runs, measure: Measure) -> dict[int, float]:
    """Return a measure by seed, of the seeds that have it."""
    found = {}
    for seed, evaluation in sorted(runs.items()):
        try:
            found[seed] = measure.read(evaluation)
        except (KeyError, ValueError):  # a part, or a strength of it, that was not measured for this seed
            continue
    return found


def difference(
    ours: Runs, theirs: Runs, measure: Measure, comparisons: int = 1, *, separator: str = " "
) -> str:
    """Return the mean paired difference and its interval as text."""
    confidence = 1 - (1 - CONFIDENCE) / comparisons
    found = compare_paired(values(ours, measure), values(theirs, measure), confidence)
    if found is None:
        return "\u2013"
    if found.low is None or found.high is None:
        return f"{found.mean:+{measure.form}}"
    low, high = (f"{bound:+{measure.form}}" for bound in (found.low, found.high))
    return f"{found.mean:+{measure.form}}{separator}[{low}, {high}]"


def means_table(arms: dict[str, Runs]) -> Iterator[list[str]]:
    """Yield the rows of the means, the head first; a mean of other seeds than the arm's names them."""
    yield ["mix", "seeds", *(measure.title for measure in MEASURES)]
    for mix, runs in arms.items():
        yield [code(mix), numbers(runs), *(_mean(runs, measure) for measure in MEASURES)]


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
    for measure in MEASURES:
        differences = [
            difference(arms[one], arms[other], measure, comparisons if other in references else 1)
            for one, other in contrasts
        ]
        yield [measure.title, *differences]


def code(mix: str) -> str:
    """Return a spec as code in a cell."""
    return f"`{mix}`".replace("|", "\\|")


def numbers(seeds: Any) -> str:
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
    parser.add_argument("directory", type=Path, help="holds ARM/SEED/summary.json and evaluation.json")
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
        arms = read_runs(options.directory, options.split)
        if missing := {*references, *chain(*options.contrast)} - arms.keys():
            raise UsageError(f"arms must be of {', '.join(arms)}, got {', '.join(sorted(missing))}")
    except (UsageError, OSError, json.JSONDecodeError) as error:
        print("error:", error, file=sys.stderr)
        return 2
    tables = [means_table(arms), differences_table(arms, references, options.comparisons)]
    if options.contrast:
        tables.append(contrasts_table(arms, options.contrast, references, options.comparisons))
    print("\n\n".join(map(as_markdown, tables)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
