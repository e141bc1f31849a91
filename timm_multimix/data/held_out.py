"""A stratified part of the training split held out for evaluation, chosen by its own seed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..errors import UsageError
from ..randomness import derive_seed
from .sources import Source

_ORDER = 0x68656C646F7574


@dataclass(frozen=True)
class HeldOut:
    """A held-out part of a training split. Its seed is not the run's, so that all runs evaluate alike."""

    fraction: float
    seed: int = 0

    @classmethod
    def parse(cls, val_split: str | None, seed: int | None) -> "HeldOut | None":
        """Return the part that `val_split` holds out; None if it is the name of a split.

        Raises:
            UsageError: it is a number, but not a fraction.
        """
        try:
            fraction = float(val_split or "")
        except ValueError:
            if seed is not None and val_split is not None:
                raise UsageError(
                    f"`val_split_seed` has no effect with `val_split` {val_split}, which names a split; "
                    "remove one of them"
                ) from None
            return None
        if not 0 < fraction < 1:
            raise UsageError(
                f"`val_split` must be the name of a split or a fraction between 0 and 1, got {val_split}"
            )
        return cls(fraction, seed or 0)

    def name(self, split: str) -> str:
        """Return the name of the held-out part."""
        return f"{self.fraction:g} of {split}"

    def divide(self, source: Source, title: str) -> tuple["Rows", "Rows"]:
        """The rest of a split, to train on, and its held-out part.

        Raises:
            UsageError: the labels are not known in advance, or one part would be empty.
        """
        labels = getattr(source, "labels", None)
        if labels is None:
            raise UsageError(
                f"`val_split` {self.fraction:g}: {title} is streamed, and its labels are not known in "
                "advance; name a split, or train without `streaming`"
            )
        chosen = choose_rows(np.asarray(labels), self.fraction, self.seed)
        if chosen.all() or not chosen.any():
            raise UsageError(
                f"`val_split` {self.fraction:g} holds out {int(chosen.sum())} of the {len(chosen)} images of "
                f"{title}; both parts must have images"
            )
        return Rows(source, np.flatnonzero(~chosen)), Rows(source, np.flatnonzero(chosen))


def choose_rows(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Draw round(fraction n) of n samples: of every class its share, and never all of it.

    Args:
        labels: class numbers [n]; for other targets, such as rows [n, c] or floats [n], classes do not count.
        fraction: between 0 and 1.
        seed: of the drawing.

    Returns:
        Whether a sample is drawn, [n] of bool.
    """
    generator = torch.Generator().manual_seed(derive_seed(_ORDER, seed))
    order = torch.randperm(len(labels), generator=generator).numpy()
    chosen = np.zeros(len(labels), dtype=bool)
    if labels.ndim > 1 or not np.issubdtype(labels.dtype, np.integer):
        chosen[order[: round(fraction * len(labels))]] = True
        return chosen
    sizes = np.bincount(labels)
    by_class = order[np.argsort(labels[order], kind="stable")]
    rank_in_class = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    chosen[by_class] = rank_in_class < np.repeat(_shares(sizes, fraction), sizes)
    return chosen


def _shares(sizes: np.ndarray, fraction: float) -> np.ndarray:
    """Whole shares of classes that sum to round(fraction n), by the largest remainders."""
    shares = np.floor(sizes * fraction).astype(int)
    rest = sizes * fraction - shares
    rest[shares + 1 >= sizes] = -1  # would leave nothing to train on
    most = np.argsort(-rest, kind="stable")[: max(0, round(fraction * int(sizes.sum())) - int(shares.sum()))]
    shares[most[rest[most] >= 0]] += 1
    return shares


class Rows:
    """Some samples of a source, in its order. labels: theirs; columns: as in a table's source."""

    def __init__(self, source: Source, rows: np.ndarray) -> None:
        self.source, self.rows = source, rows
        self.labels: Any = np.asarray(source.labels)[rows]  # type: ignore[attr-defined]
        self.columns: tuple[str, str | None] | None = getattr(source, "columns", None)

    @property
    def names(self) -> np.ndarray | None:
        """The names of its files, if they are files."""
        names = getattr(self.source, "names", None)
        return None if names is None else names[self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Image.Image, Any]:
        return self.source[int(self.rows[index])]

    def describe(self, index: int) -> str:
        """The file or the row of a sample in the whole split."""
        return self.source.describe(int(self.rows[index]))
