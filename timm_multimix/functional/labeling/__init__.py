"""Solvers for labelings of grids with low energy: minimum cuts, swap moves and elimination."""

from .elimination import grid_labeling
from .graphcut import quadratic_labeling
from .swap import swap_labeling

__all__ = ["grid_labeling", "quadratic_labeling", "swap_labeling"]
