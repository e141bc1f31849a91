"""Write benchmarks/README.md: aims for speed and memory, and measurements.

make docs
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.guide import ROOT, read_results, table

PAGE = ROOT / "benchmarks" / "README.md"
TEMPLATE = ROOT / "benchmarks" / "readme.template.md"
DEVICES = ("cpu", "cuda")
EMPTY = "\u2013"

CIFAR_DENSE, IMAGENET_DENSE = "128, 512, 100, 16", "64, 2048, 1000, 49"
PLAIN = ("128, 512, 100, 1", "128, 2048, 1000, 1")
VIT = "vit_small_patch16_224"

LOSS = "loss, n from 1000 on: times faster than the literal computation at (b, d, c, r) ="
STEP = "step at batch 128 against none"
MIXING = "mixup and cutmix: times faster than timm's"


@dataclass(frozen=True)
class Aim:
    """A bound for a measured number: `measure(device)` is to be at least, or at most, `bound`."""

    what: str
    bound: float
    measure: Callable[[str], float]
    at_most: bool = False

    def wanted(self) -> str:
        """Return the bound in words."""
        return f"at {'most' if self.at_most else 'least'} {self.bound:g}"

    def reached(self, value: float) -> bool:
        """Whether the value, rounded as shown, is within the bound."""
        shown = float(f"{value:.2f}")
        return shown <= self.bound if self.at_most else shown >= self.bound


def loss_rows(device: str) -> dict[tuple[str, int], dict[str, Any]]:
    """Return the rows of loss.py with a literal computation to compare, by shape and number of tuples."""
    found = {}
    for row in read_results(f"loss-{device}")["rows"]:
        shape, _, n = row["b, d, c, r, n"].rpartition(", ")
        if "times faster" in row:
            found[shape, int(n)] = row
    return found


def times_faster(shape: str, device: str) -> float:
    """Return the smallest speed-up at a shape, over numbers of tuples from a thousand."""
    return min(row["times faster"] for (s, n), row in loss_rows(device).items() if s == shape and n >= 1000)


def share_of_limit(device: str) -> float:
    """Return the smallest share of the arithmetic limit, over the shapes without an aim of their own."""
    asked = {CIFAR_DENSE, IMAGENET_DENSE, *PLAIN}
    return min(
        row["times faster"] / row["arithmetic limit"]
        for (shape, n), row in loss_rows(device).items()
        if shape not in asked or n < 1000
    )


def dense_memory(device: str) -> float:
    """Return the largest share of the literal computation's memory, over dense shapes with 1000 tuples."""
    rows = (row for (shape, n), row in loss_rows(device).items() if n == 1000 and shape not in PLAIN)
    return max(row["ours MiB"] / row["literal MiB"] for row in rows)


def memory_growth(device: str) -> float:
    """Return the memory of 100,000 tuples relative to 10,000, with weights drawn chunk by chunk."""
    rows = {row["b, c, n"]: row["ours MiB"] for row in read_results(f"loss-{device}-streamed")["rows"]}
    return rows["128, 1000, 100000"] / rows["128, 1000, 10000"]


def draw_speed(other: str, device: str) -> float:
    """Return the speed-up of drawing over another way, at the dense shape of CIFAR."""
    rows = read_results(f"draws-{device}")["rows"]
    return next(row[f"times faster than {other}"] for row in rows if row["rows, b"] == "16000, 128")


def step(model: str, mixer: str, device: str, batch: int = 128) -> float:
    """Return the time of a training step relative to one without mixing."""
    rows = read_results(f"step-{model}-b{batch}-{device}")["rows"]
    return next(row["of none"] for row in rows if row["mixer"] == f"{mixer}(p=1)")


def against_timm(case: str, mode: str, device: str) -> float:
    """Return timm's time relative to ours, the smaller of mixup's and cutmix's ratio."""
    rows = read_results(f"inputs-{device}")["rows"]
    cases = {f"{name} {case}" for name in ("mixup", "cutmix")}
    return min(row["against ours"] for row in rows if row["case"] in cases and row["who"] == f"timm {mode}")


def end_to_end(device: str) -> float:
    """Return images/s of training relative to the plain timm loop."""
    rows = read_results(f"end_to_end-{device}")["rows"]
    return next(row["of timm's"] for row in rows if row["loop"] == "ours")


def start(command: str, device: str) -> float:
    """Return CPU time until a command begins, relative to importing the libraries it needs."""
    rows = read_results(f"start-{device}")["rows"]
    return next(row["of libraries"] for row in rows if row["start"] == command)


AIMS = [
    Aim(f"{LOSS} (64, 2048, 1000, 49)", 10, partial(times_faster, IMAGENET_DENSE)),
    Aim(f"{LOSS} (128, 512, 100, 16)", 4.5, partial(times_faster, CIFAR_DENSE)),
    Aim(f"{LOSS} (128, 512, 100, 1)", 3, partial(times_faster, PLAIN[0])),
    Aim(f"{LOSS} (128, 2048, 1000, 1)", 3, partial(times_faster, PLAIN[1])),
    Aim("loss elsewhere: part of the ratio of multiplications", 0.7, share_of_limit),
    Aim("loss, dense, n 1000: part of the literal computation's memory", 0.1, dense_memory, at_most=True),
    Aim("loss: memory of 100,000 tuples against 10,000", 1.05, memory_growth, at_most=True),
    Aim("weights of n 1000, r 16: times faster than torch's sampler", 2, partial(draw_speed, "torch")),
    Aim(
        "weights of n 1000, r 16: times faster than with a concentration for each example",
        2,
        partial(draw_speed, "one for each"),
    ),
    Aim(f"{STEP}, ResNet-50, multimix", 1.02, partial(step, "resnet50", "multimix"), at_most=True),
    Aim(
        f"{STEP}, ResNet-50, dense_multimix", 1.08, partial(step, "resnet50", "dense_multimix"), at_most=True
    ),
    Aim(f"{STEP}, ViT-S/16, multimix", 1.02, partial(step, VIT, "multimix"), at_most=True),
    Aim(f"{STEP}, ViT-S/16, dense_multimix", 1.08, partial(step, VIT, "dense_multimix"), at_most=True),
    Aim(
        "step at batch 64 against none, test_resnet at 32 px, multimix",
        1.03,
        partial(step, "test_resnet", "multimix", batch=64),
        at_most=True,
    ),
    Aim(
        "step at batch 64 against none, test_resnet at its own 160 px, multimix",
        1.03,
        partial(step, "test_resnet-160px", "multimix", batch=64),
        at_most=True,
    ),
    Aim(f"{MIXING} elem mode, 32 px", 5, partial(against_timm, "per sample, 32 px", "elem")),
    Aim(f"{MIXING} elem mode, 224 px", 1, partial(against_timm, "per sample, 224 px", "elem")),
    Aim(f"{MIXING} batch mode, 32 px", 1, partial(against_timm, "per batch, 32 px", "batch")),
    Aim(f"{MIXING} batch mode, 224 px", 1, partial(against_timm, "per batch, 224 px", "batch")),
    Aim("training end to end: images/s against timm's loop", 1, end_to_end),
    Aim("start of `list` against that of torch", 1.2, partial(start, "list"), at_most=True),
    Aim(
        "start of `train` against those of torch, timm and accelerate",
        1.2,
        partial(start, "train"),
        at_most=True,
    ),
]


def shown(aim: Aim, device: str) -> str:
    """Return the measured value, marked if it misses the aim; a dash if it was not measured."""
    try:
        value = aim.measure(device)
    except (FileNotFoundError, StopIteration):  # no file, or no such row in it
        return EMPTY
    return f"{value:.2f}" + ("" if aim.reached(value) else ", missed")


def make_page() -> str:
    """Return the page."""
    rows = [[aim.what, aim.wanted(), *(shown(aim, device) for device in DEVICES)] for aim in AIMS]
    machine = read_results("loss-cpu")["machine"]
    head = ["what", "aim", f"{machine['device']}, torch {machine['torch']}", "GPU"]
    return TEMPLATE.read_text(encoding="utf-8").format(aims=table(head, rows))


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")
