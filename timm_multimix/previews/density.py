"""The density of lambda: Beta for pairs, and the marginals of Dirichlet for tuples."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from ..mixers import Mixer

_CONCENTRATIONS = 64


@dataclass(frozen=True)
class Density:
    """The marginal density of the weight of one of m examples under a symmetric Dirichlet(alpha).

    alpha is uniform between low and high. A marginal of Dirichlet(alpha, ..., alpha) over m examples is
    Beta(alpha, (m - 1) alpha).
    """

    low: float
    high: float
    m: int

    @property
    def label(self) -> str:
        """The name of the distribution, for the legend."""
        alpha = f"{self.low:g}" if self.low == self.high else f"{self.low:g} to {self.high:g}"
        if self.m == 2:
            return f"Beta, alpha = {alpha}"
        return f"Dirichlet marginal, alpha = {alpha}, m = {self.m}"

    @property
    def points(self) -> bool:
        """Whether lambda is 0 or 1 and has no density."""
        return self.high == 0 or self.m == 1

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return the density at x, within 0 and 1: the mean over alpha of Beta(alpha, (m - 1) alpha)."""
        return np.asarray(beta.pdf(x[:, None], self._alphas, (self.m - 1) * self._alphas).mean(1))

    @property
    def end(self) -> float:
        """The upper end of the plotted range: 1 for pairs, else where a thousandth of the mass is left."""
        if self.points or self.m == 2:
            return 1.0
        return float(beta.ppf(0.999, self._alphas, (self.m - 1) * self._alphas).max())

    @property
    def _alphas(self) -> np.ndarray:
        middles = (np.arange(_CONCENTRATIONS) + 0.5) / _CONCENTRATIONS
        return self.low + (self.high - self.low) * (middles if self.low < self.high else middles[:1])


def densities(mixer: Mixer, b: int) -> list[Density]:
    """Return the distinct densities of a mixer's lambdas for batches of b; none for a mixer without alpha."""
    found = []
    for part in mixer.parts or (mixer,):
        arguments = part.arguments
        if (alpha := arguments.get("alpha")) is not None:
            low, high = alpha if isinstance(alpha, tuple) else (alpha, alpha)
            m = min(arguments["m"] or b, b) if "m" in arguments else 2
            found.append(Density(low, high, m))
    return list(dict.fromkeys(found))
