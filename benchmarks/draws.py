"""Drawing the weights of tuples, compared with torch's Gamma sampler.

    python benchmarks/draws.py [--device cuda]

Of one concentration for all examples, as `multimix` draws them, and of one for each example
(`alpha_per_example`), which on a CPU are drawn in another way.
"""

import common
import torch
from torch import Tensor

from timm_multimix import functional as F

ALPHA = 1.3
OTHERS = ("one for each", "torch")
# Rows (n times r) and examples: a small batch, CIFAR-100 plain and dense, ImageNet dense.
SHAPES = [(1000, 64), (1000, 128), (16_000, 128), (49_000, 64)]


def torchs_dirichlet(rows: int, b: int, device: torch.device) -> Tensor:
    """Return Dirichlet weights from torch's Gamma variates, normalised.

    Gamma(alpha) is drawn as Gamma(alpha + 1) U^(1 / alpha), in logarithms, as it underflows for small alpha
    (Marsaglia and Tsang, 2000).
    """
    alpha = torch.full((rows, b), ALPHA, device=device)
    boost = torch.empty_like(alpha).exponential_() / alpha
    return (torch._standard_gamma(alpha + 1).log_() - boost).softmax(-1)


def measure(rows: int, b: int, repeats: int, device: torch.device) -> dict:
    """Return the row of one shape."""
    each = torch.full((b,), ALPHA, device=device)
    times = common.milliseconds(
        {
            "ms": lambda: F.dirichlet_weights(rows, b, ALPHA, device=device),
            "one for each, ms": lambda: F.dirichlet_weights(rows, b, each),
            "torch, ms": lambda: torchs_dirichlet(rows, b, device),
        },
        repeats,
        device,
    )
    faster = {f"times faster than {other}": times[f"{other}, ms"] / times["ms"] for other in OTHERS}
    return {"rows, b": f"{rows}, {b}"} | times | faster


def main() -> None:
    """Measure all shapes, print and keep the table."""
    parser = common.parser(__doc__.partition("\n")[0])
    parser.add_argument("--most", type=float, default=5e7, help="leave out shapes with more weights")
    options = parser.parse_args()
    device = common.start(options)
    rows = [measure(n, b, options.repeats, device) for n, b in SHAPES if n * b <= options.most]
    common.show(rows)
    common.keep("draws", options, rows, "rows, b", [f"times faster than {other}" for other in OTHERS])


if __name__ == "__main__":
    main()
