"""`timm_multimix.compare` and its result."""

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ..comparison.formatting import cells, header
from ..comparison.pictures import PICTURES, THEMES
from ..comparison.run import Compared, make_comparison
from ..comparison.table import Comparison, Row, as_record
from ..errors import UsageError
from ..notebook import figure_html, table_html
from ..options import TrainOptions
from ..options.comparison import CompareOptions, parse_comparison_options
from ..options.keywords import keyword_tokens, spelled_as_keywords
from .run import Run


class ComparedRuns:
    """The result of `compare`: table, statistics and figures.

    Args:
        compared: the comparison, and the runs that failed.
        directory: directory of its pages.

    Raises:
        UsageError: no run has finished.
    """

    def __init__(self, compared: Compared, directory: Path) -> None:
        if compared.comparison is None:
            reason = next(iter(compared.failures.values()), "").removeprefix("error: ")
            raise UsageError(f"no run has finished: {reason}")
        self.comparison: Comparison = compared.comparison
        self.failures, self.directory = compared.failures, directory

    @property
    def rows(self) -> list[Row]:
        """A row for each arm, the baseline first: mean, std and paired difference, in per cent."""
        return self.comparison.rows

    @property
    def record(self) -> dict[str, Any]:
        """The content of comparison.json."""
        return as_record(self.comparison)

    def figure(self, name: str = "curves") -> Figure:
        """Draw a figure.

        Args:
            name: `curves`, `curves-end`, `bars` or `differences`.

        Raises:
            UsageError: there is no figure of that name.
        """
        if name not in PICTURES:
            raise UsageError(f"name must be one of {', '.join(PICTURES)}, got {name!r}")
        return PICTURES[name](self.comparison, THEMES["light"])

    def __repr__(self) -> str:
        return f"ComparedRuns({[row.label for row in self.rows]}, directory={str(self.directory)!r})"

    def _repr_html_(self) -> str:
        """The table, the curves and the differences, for notebooks."""
        table = table_html(
            self.comparison.title, header(self.comparison.metric), [cells(row) for row in self.rows]
        )
        return table + "".join(figure_html(self.figure(name), name) for name in ("curves", "differences"))


def compare(
    runs: "Iterable[Run | str | PathLike[str]] | Run | str | PathLike[str]" = (),
    *,
    mix: Sequence[str] | str = (),
    output: "str | PathLike[str]",
    seeds: int | None = None,
    baseline: str | None = None,
    comparisons: int | None = None,
    **training: Any,
) -> ComparedRuns:
    """Compare finished runs, or train mixers with several seeds and compare these runs.

    The same call with the same `output` resumes what was interrupted. Training runs in separate processes, so
    data and models are given by name.

    Args:
        runs: finished runs or their directories; one or several.
        mix: mixer specs to train, instead of `runs`; one or several.
        output: directory for the pages, and for the runs trained for them.
        seeds: number N of seeds, 0 to N - 1, for each mixer.
        baseline: the arm that the others are compared with.
        comparisons: number of comparisons that intervals are corrected for (Bonferroni).
        **training: options of training for all runs, as `timm_multimix.train` takes them.

    Returns:
        The comparison, which is also written to `output` as pages.

    Raises:
        UsageError: a mistake in the arguments, before anything is trained; or no run finished.

    Examples:
        >>> compared = timm_multimix.compare(mix=["none", "multimix"], output="digits", seeds=3, epochs=5)
        >>> compared.figure("differences").savefig("differences.png")
    """
    with spelled_as_keywords(CompareOptions), spelled_as_keywords(TrainOptions):
        several = [runs] if isinstance(runs, Run | str | PathLike) else runs
        words = [str(run.directory if isinstance(run, Run) else run) for run in several]
        own = {"output": output, "seeds": seeds, "baseline": baseline, "comparisons": comparisons}
        words += [f"--mix={spec}" for spec in ([mix] if isinstance(mix, str) else mix)] + keyword_tokens(
            CompareOptions, own
        )
        if training:
            words += ["--", *keyword_tokens(TrainOptions, training)]
        options = parse_comparison_options(words)
        return ComparedRuns(make_comparison(options, None), options.output)
