"""How far a run is."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Position:
    """A point between two optimizer updates."""

    epoch: int = 0  # epochs finished
    batch: int = 0  # batches of the current epoch done
    updates: int = 0
    seconds: float = 0.0  # spent training in the current epoch
    best_top1: float = -1.0
    best_epoch: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)  # of metrics.csv
