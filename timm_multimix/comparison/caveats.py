"""Caveats of a comparison, in sentences."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .collect import Arm, Run

if TYPE_CHECKING:
    from .table import Row


def make_caveats(
    rows: Sequence["Row"], runs: Sequence[Run], baseline: Arm, missing: Sequence[str], comparisons: int
) -> list[str]:
    """Return the caveats that apply to these runs, the most serious first."""
    found = [
        *(f"Missing: {line}." for line in missing),
        _versions(runs),
        _hardware(runs),
        _seeds(rows),
        _unpaired(rows, baseline),
        _no_width(rows),
        _several(rows, comparisons),
        _best(runs),
        _speed(rows),
        _memory(rows),
    ]
    return [note for note in found if note]


def _counted(values: Sequence[Any]) -> str:
    return ", ".join(f"{value} ({count} runs)" for value, count in Counter(values).items())


def _versions(runs: Sequence[Run]) -> str | None:
    """Return the libraries, and the commit, whose versions differ between runs."""
    records = [run.summary.get("versions") or {} for run in runs]
    names = dict.fromkeys(name for record in records for name in record)
    told = []
    for name in names:
        values = [str(record.get(name, "unknown")) for record in records]
        if len(set(values)) > 1:
            told.append(f"{name}: {_counted([value[:12] for value in values])}")
    if not told:
        return None
    return (
        "The runs were made with different versions, which may account for part of a difference. "
        f"{'; '.join(told)}."
    )


def _hardware(runs: Sequence[Run]) -> str | None:
    values = [str(run.summary.get("hardware", "unknown")) for run in runs]
    if len(set(values)) == 1:
        return None
    return f"The hardware differs, so speeds cannot be compared: {_counted(values)}."


def _seeds(rows: Sequence["Row"]) -> str | None:
    single = [row.label for row in rows if len(row.seeds) == 1]
    if not single:
        return None
    whose = "Every arm" if len(single) == len(rows) else "; ".join(single)
    return f"{whose} has one seed: there is no spread and no confidence interval, and its figure may be luck."


def _unpaired(rows: Sequence["Row"], baseline: Arm) -> str | None:
    seeds = set(baseline.runs)
    parts = [row.label for row in rows if set(row.seeds) != seeds]
    if not parts:
        return None
    return (
        f"The seeds are not those of the baseline, {baseline.label}, in: {'; '.join(parts)}. "
        "Differences are over the common seeds only."
    )


def _no_width(rows: Sequence["Row"]) -> str | None:
    parts = [row.label for row in rows if _is_flat(row)]
    if not parts:
        return None
    return (
        "All seeds differ from the baseline by the same amount, so the interval has no width: "
        f"{'; '.join(parts)}."
    )


def _is_flat(row: "Row") -> bool:
    found = row.difference
    return found is not None and found.low is not None and found.low == found.high


def _several(rows: Sequence["Row"], comparisons: int) -> str | None:
    if comparisons > 1:
        return f"The intervals are corrected for {comparisons} comparisons (Bonferroni)."
    count = sum(row.difference is not None and row.difference.low is not None for row in rows)
    if count < 2:
        return None
    return (
        f"The {count} intervals are not corrected for multiple comparisons: about 1 in 20 misses the true "
        f"difference. `--comparisons {count}` corrects them."
    )


def _best(runs: Sequence[Run]) -> str | None:
    if not any(run.summary.get("best_chosen_on_test_split") for run in runs):
        return None
    return (
        "The best epoch was chosen on the test split itself, so that figure is optimistic; "
        "the last epoch's is not."
    )


def _speed(rows: Sequence["Row"]) -> str | None:
    if not any(row.images_per_second for row in rows):
        return None
    return "Images/s is the wall-clock throughput of training alone; other work on the machine lowers it."


def _memory(rows: Sequence["Row"]) -> str | None:
    if not any(row.memory for row in rows):
        return None
    return "Memory is the peak of the main process: allocated on the device with a GPU, else resident."
