"""Mixing and loss alone, forward and backward: ours from the logits against the literal computation.

    python benchmarks/loss.py [--device cuda]

The literal computation follows the paper (arXiv:2311.05538): interpolate embeddings and targets, classify all
n mixed embeddings, cross-entropy. Ours classifies the b clean embeddings and computes the same loss exactly
from their logits. Drawing the weights is timed by draws.py.
"""

import argparse

import common
import torch
from torch import Tensor

from timm_multimix import functional as F

# b, d, c, r: CIFAR-100 plain and dense, ImageNet with ResNet-50 plain and dense, ViT-S/16 dense.
SHAPES = [
    (128, 512, 100, 1),
    (128, 512, 100, 16),
    (128, 2048, 1000, 1),
    (64, 2048, 1000, 49),
    (64, 384, 1000, 196),
]
TUPLES = [100, 1000, 10_000, 100_000]
# The literal computation holds r n (d + 2 c) numbers, several times; beyond this many it is left out.
LITERAL_NUMBERS = 6e8


def literal(embeddings: Tensor, classifier: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Mix embeddings [r, b, d] by weights [r, n, b], classify, cross-entropy with the mixed targets."""
    logits = (weights @ embeddings) @ classifier.T
    return -((weights @ targets) * logits.log_softmax(-1)).sum(-1).mean()


def arithmetic_limit(b: int, d: int, c: int, n: int) -> float:
    """Return the ratio of the multiplications that the literal and our computation need."""
    return (2 * n * b * d + 3 * n * d * c + n * b * c) / (3 * b * d * c + 2 * n * b * c)


def measure(
    b: int, d: int, c: int, r: int, n: int, options: argparse.Namespace, device: torch.device
) -> dict:
    """Return the row of one shape: times and memory."""
    embeddings = torch.randn(r, b, d, device=device, requires_grad=True)
    classifier = (torch.randn(c, d, device=device) / d**0.5).requires_grad_()
    labels = torch.randint(c, (b,), device=device)
    targets = F.soft_targets(labels, c)
    weights = F.dirichlet_weights(r * n, b, 1.3, device=device).view(r, n, b)

    def ours_once() -> None:
        F.multimix_loss(embeddings @ classifier.T, labels, weights).backward()

    def literal_once() -> None:
        literal(embeddings, classifier, targets, weights).backward()

    candidates = {"ours": ours_once}
    if r * n * (d + 2 * c) <= LITERAL_NUMBERS:
        candidates["literal"] = literal_once
    times = common.milliseconds(candidates, options.repeats, device)
    memory = {name: common.peak_mebibytes(run, device) for name, run in candidates.items()}
    row = {"b, d, c, r, n": f"{b}, {d}, {c}, {r}, {n}", "ours ms": times["ours"], "ours MiB": memory["ours"]}
    if "literal" in times:
        ratio, limit = times["literal"] / times["ours"], arithmetic_limit(b, d, c, n)
        row |= {"literal ms": times["literal"], "literal MiB": memory["literal"], "times faster": ratio}
        row |= {"arithmetic limit": limit}
    return row


def streamed(b: int, c: int, n: int, options: argparse.Namespace, device: torch.device) -> dict:
    """Return the row of many tuples whose weights are drawn chunk by chunk; the time includes drawing."""
    logits = torch.randn(b, c, device=device, requires_grad=True)
    labels = torch.randint(c, (b,), device=device)

    def once() -> None:
        chunks = (F.dirichlet_weights(min(1024, n - k), b, 1.3, device=device) for k in range(0, n, 1024))
        F.multimix_loss(logits, labels, chunks).backward()

    time = common.milliseconds({"ours": once}, 3, device)["ours"]
    return {
        "b, c, n": f"{b}, {c}, {n}",
        "ours with draw ms": time,
        "ours MiB": common.peak_mebibytes(once, device),
    }


def main() -> None:
    """Measure all shapes, print and keep the tables."""
    parser = common.parser(__doc__.partition("\n")[0])
    parser.add_argument("--tuples", type=int, nargs="+", default=TUPLES, help="values of n")
    parser.add_argument(
        "--most", type=float, default=5e7, help="leave out shapes with more than r n b weights"
    )
    options = parser.parse_args()
    device = common.start(options)
    rows = []
    for b, d, c, r in SHAPES:
        for n in options.tuples:
            if r * n * b <= options.most:
                rows.append(measure(b, d, c, r, n, options, device))
                common.show(rows[-1:])
    many = [streamed(128, 1000, n, options, device) for n in (1000, 10_000, 100_000)]
    print()
    common.show(rows)
    print()
    common.show(many)
    common.keep("loss", options, rows, "b, d, c, r, n", ["times faster", "arithmetic limit"])
    options.name = f"{options.name or 'loss-' + options.device}-streamed"
    common.keep("streamed loss", options, many, "b, c, n", ["ours with draw ms", "ours MiB"])


if __name__ == "__main__":
    main()
