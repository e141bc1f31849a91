"""Every metric, declared once: name, unit, direction and format.

The tables of `evaluate`, model cards and their metadata, and the pages and figures of `compare` are made from
them. A metric is a line in `METRICS`, under the name that the function which computes it uses.
"""

import math
from dataclasses import dataclass
from typing import Literal

PERCENT = "%"


@dataclass(frozen=True)
class Metric:
    """A measured quantity."""

    label: str  # in tables
    name: str = ""  # in full, where that is more than the label
    unit: str = ""  # "%": from 0 to 100
    better: Literal["higher", "lower"] | None = None
    hub: str | None = None  # the Hub's name for it, where the metadata of a card state it
    compared: bool = True  # whether `compare` has a row for it

    @property
    def full_name(self) -> str:
        """The name in full, or the label."""
        return self.name or self.label

    @property
    def heading(self) -> str:
        """The label, with an arrow if lower values are better."""
        return f"{self.label} \u2193" if self.better == "lower" else self.label

    def in_unit(self, text: str) -> str:
        """A text about the metric, such as a column's name, with its unit."""
        return f"{text}, {self.unit}" if self.unit else text

    @property
    def difference_unit(self) -> str:
        """The unit of a difference of two values; points for percentages."""
        return "points" if self.unit == PERCENT else self.unit

    def format(self, value: float | None) -> str:
        """A value as text; a dash where there is none."""
        if value is None or not math.isfinite(value):
            return "-"
        return f"{value:.2f} %" if self.unit == PERCENT else f"{value:.4f}"

    def fraction(self, value: float) -> float:
        """Return a value for the Hub: percentages as 0 to 1."""
        return value / 100 if self.unit == PERCENT else value

    def improves(self, difference: float) -> bool:
        """Return whether a change by this difference is an improvement."""
        return difference < 0 if self.better == "lower" else difference > 0


METRICS = {
    "loss": Metric("loss", better="lower"),  # what it is, and its unit, differ by task
    "top1": Metric("top-1", "top-1 accuracy", PERCENT, better="higher", hub="accuracy"),
    "top5": Metric("top-5", "top-5 accuracy", PERCENT, better="higher"),
    "map": Metric("mAP", "mean average precision", PERCENT, better="higher", hub="mean_average_precision"),
    "mae": Metric("MAE", "mean absolute error", better="lower", hub="mae"),
    "nll": Metric("NLL", "negative log likelihood", "nats", better="lower"),
    "ece": Metric("ECE", "expected calibration error", better="lower", hub="expected_calibration_error"),
    "brier": Metric("Brier", "Brier score", better="lower"),
    "alignment": Metric("alignment (same class)", better="lower"),
    "uniformity": Metric("uniformity (all pairs)", better="lower"),
    "within": Metric("variance within classes", compared=False),
    "between": Metric("variance between classes", compared=False),
    "ratio": Metric("variance within / between classes", better="lower"),
    "auroc": Metric("AUROC", unit=PERCENT, better="higher"),
    "aupr_in": Metric("AUPR in", "AUPR of the known", PERCENT, better="higher"),
    "aupr_out": Metric("AUPR out", "AUPR of the unknown", PERCENT, better="higher"),
    "fpr95": Metric("FPR at 95 % TPR", unit=PERCENT, better="lower"),
    "detection_accuracy": Metric("detection", "detection accuracy", PERCENT, better="higher"),
    "kl": Metric("KL", "Kullback-Leibler divergence", "nats", better="lower"),
    "total_variation": Metric("total variation", better="lower"),
}
