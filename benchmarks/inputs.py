"""Input mixers: time and number of tensor operations against timm's Mixup, torchvision v2 and kornia.

    python benchmarks/inputs.py [--device cuda]

All mix a batch of float images and its labels into soft targets. kornia is measured if it is installed.
"""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import common
import torch
from timm.data import Mixup
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.transforms import v2

from timm_multimix import create_mixer

CLASSES = 100


class Operations(TorchDispatchMode):
    """Counts tensor operations."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def operations(run: Callable[[], Any]) -> int:
    """Return the number of tensor operations of one call."""
    with Operations() as counter:
        run()
    return counter.count


def candidates(images: torch.Tensor, labels: torch.Tensor) -> dict[str, dict[str, Callable[[], Any]]]:
    """Return implementations by task, ours first."""

    def timms(mode: str, **alphas: float) -> Callable[[], Any]:
        mixup = Mixup(mode=mode, label_smoothing=0.0, num_classes=CLASSES, **alphas)
        # timm mixes in place, so it is given a copy, as by a caller that keeps the batch
        return lambda: mixup(images.clone(), labels)

    def ours(spec: str) -> Callable[[], Any]:
        mixer = create_mixer(spec, num_classes=CLASSES)
        return lambda: mixer(images, labels)

    torchvision = {"mixup": v2.MixUp(num_classes=CLASSES), "cutmix": v2.CutMix(num_classes=CLASSES)}
    tasks: dict[str, dict[str, Callable[[], Any]]] = {}
    for name, alphas in {
        "mixup": {"mixup_alpha": 1.0, "cutmix_alpha": 0.0},
        "cutmix": {"mixup_alpha": 0.0, "cutmix_alpha": 1.0},
    }.items():
        tasks[f"{name} per batch"] = {
            "ours": ours(name),
            "timm batch": timms("batch", **alphas),
            "torchvision": partial(torchvision[name], images, labels),
        }
        tasks[f"{name} per sample"] = {
            "ours": ours(f"{name}(per_sample=True)"),
            "timm pair": timms("pair", **alphas),
            "timm elem": timms("elem", **alphas),
        } | kornias(name, images, labels)
    return tasks


def kornias(name: str, images: torch.Tensor, labels: torch.Tensor) -> dict[str, Callable[[], Any]]:
    """Return kornia's implementation if it is installed; its targets stay label pairs."""
    try:
        from kornia.augmentation import RandomCutMixV2, RandomMixUpV2
    except ImportError:
        return {}
    module = {"mixup": RandomMixUpV2, "cutmix": RandomCutMixV2}[name](p=1.0, data_keys=["input", "class"])
    return {"kornia": lambda: module(images, labels)}


def measure(size: int, b: int, options: argparse.Namespace, device: torch.device) -> list[dict[str, Any]]:
    """Return the rows of one image size."""
    images, labels = torch.rand(b, 3, size, size, device=device), torch.randint(CLASSES, (b,), device=device)
    rows = []
    for task, runs in candidates(images, labels).items():
        times = common.milliseconds(runs, options.repeats, device)
        for name, run in runs.items():
            rows.append(
                {"case": f"{task}, {size} px", "who": name, "ms": times[name], "operations": operations(run)}
            )
            rows[-1]["against ours"] = times[name] / times["ours"]
    copy = common.milliseconds({"copy": lambda: images.clone()}, options.repeats, device)["copy"]
    return [*rows, {"case": f"copying the batch, {size} px", "who": "torch", "ms": copy}]


def main() -> None:
    """Measure both sizes, print and keep them."""
    parser = common.parser(__doc__.partition("\n")[0])
    parser.add_argument("--batch-size", type=int, default=128)
    options = parser.parse_args()
    device = common.start(options)
    rows = [row for size in (32, 224) for row in measure(size, options.batch_size, options, device)]
    common.show(rows)
    for row in rows:
        row["label"] = f"{row['case']}: {row['who']}"
    common.keep("inputs", options, rows, "label", ["ms"])


if __name__ == "__main__":
    main()
