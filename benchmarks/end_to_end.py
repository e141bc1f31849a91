"""Training throughput from files to updates: this package against a plain timm loop with timm's Mixup.

    python benchmarks/end_to_end.py --dataset DIRECTORY_OF_PARQUET [--device cuda --bf16]

Same model, optimizer and batch size. `timm` is timm's create_loader over the same files, with its cheapest
crop ("rkrc", at the images' own size) and flips, and timm.data.Mixup in a loop of its own; `ours` are the
batches of `timm-multimix train` with padded crops, flips, and `mixup` in a MixTask.
Each repeat times a pass over the same number of images, loading included. Without --dataset, random images
are written to a directory first.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import common
import numpy as np
import timm
import torch
from accelerate import Accelerator
from PIL import Image
from timm.data import Mixup, create_loader
from timm.loss import SoftTargetCrossEntropy
from torch import Tensor

import timm_multimix.models  # noqa: F401
from timm_multimix import MixTask
from timm_multimix.data.splits import load_splits
from timm_multimix.options import parse_train_options
from timm_multimix.training.loaders import create_streams

SIZE = 32


class Pictures(torch.utils.data.Dataset[Any]):
    """A split of the dataset in the form that timm's loader takes."""

    def __init__(self, source: Any, count: int) -> None:
        self.source, self.count = source, count
        self.transform: Any = None  # set by timm's loader

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image, label = self.source[index]
        return self.transform(image.convert("RGB")), label


def write_pictures(directory: Path, count: int) -> None:
    """Write random images of the right size to class directories."""
    draw = np.random.default_rng(0)
    for split, number in (("train", count), ("test", 100)):
        for k in range(number):
            place = directory / split / f"class{k % 10}"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)).save(place / f"{k}.png")


def timms_batches(
    source: Any, options: argparse.Namespace, device: torch.device, classes: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of timm's loader, prefetched on a GPU, mixed by timm's Mixup."""
    dataset: Any = Pictures(source, options.images)
    loader = create_loader(
        dataset,
        (3, SIZE, SIZE),
        options.batch_size,
        is_training=True,
        no_aug=False,
        train_crop_mode="rkrc",
        scale=(1.0, 1.0),
        hflip=0.5,
        color_jitter=None,  # type: ignore[arg-type]
        num_workers=options.workers,
        persistent_workers=options.workers > 0,
        use_prefetcher=device.type == "cuda",
        device=device,
    )
    mixup = Mixup(mixup_alpha=1.0, label_smoothing=0.0, num_classes=classes)
    while True:
        for images, labels in loader:
            yield mixup(images.to(device), labels.to(device))


def our_batches(
    splits: Any, options: argparse.Namespace, cache: str, accelerator: Accelerator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the training batches of `timm-multimix train`."""
    arguments = (
        f"--crop-padding 4 --batch-size {options.batch_size} --workers {options.workers} --cache {cache}"
    )
    config: dict[str, Any] = {"input_size": (3, SIZE, SIZE), "mean": (0.5,) * 3, "std": (0.25,) * 3}
    config |= {"crop_pct": 1.0, "crop_mode": "center", "interpolation": "bilinear"}
    parsed = parse_train_options(arguments.split())
    train, _ = create_streams(parsed.data, parsed.augmentation, 0, accelerator, splits, config)
    epoch = 0
    while True:
        for images, labels, _ in train.epoch(epoch):
            yield images.to(accelerator.device), labels.to(accelerator.device)
        epoch += 1


def timms_step(model: Any, optimizer: Any, precision: Any, images: Tensor, targets: Tensor) -> None:
    """Make a training step of a plain loop."""
    with precision():
        loss = SoftTargetCrossEntropy()(model(images), targets)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def our_step(task: MixTask, optimizer: Any, precision: Any, images: Tensor, labels: Tensor) -> None:
    """Make a training step with MixTask."""
    with precision():
        loss = task(images, labels)["loss"]
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def passes(
    options: argparse.Namespace, device: torch.device, directory: str
) -> dict[str, Callable[[], None]]:
    """Return a function for each candidate that trains on, or loads, `--images` images."""
    splits = load_splits(directory)
    classes, accelerator = len(splits.class_names), Accelerator(cpu=device.type == "cpu")
    torch.manual_seed(0)
    model = timm.create_model(options.model, num_classes=classes).to(device).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    precision = partial(torch.autocast, device.type, torch.bfloat16) if options.bf16 else nullcontext
    steps = {
        "timm": partial(timms_step, model, optimizer, precision),
        "ours": partial(our_step, MixTask(model, "mixup").train(), optimizer, precision),
    }
    batches = {"timm": timms_batches(splits.train, options, device, classes)}
    for cache in ("off", "ram", "device"):
        name = "ours" if cache == "off" else f"ours, --cache {cache}"
        batches[name] = our_batches(splits, options, cache, accelerator)

    def train(name: str) -> None:
        for _ in range(options.images // options.batch_size):
            steps[name.partition(",")[0]](*next(batches[name]))

    training: dict[str, Callable[[], None]] = {name: partial(train, name) for name in batches}
    return training | {f"{name}, loading alone": partial(drain, it, options) for name, it in batches.items()}


def drain(batches: Iterator[Any], options: argparse.Namespace) -> None:
    """Load the batches without training."""
    for _ in range(options.images // options.batch_size):
        next(batches)


def main() -> None:
    """Measure all candidates in interleaved rounds, print and keep the table."""
    parser = common.parser(__doc__.partition("\n")[0])
    parser.add_argument("--dataset", help="images of 32 x 32 as `timm-multimix train` takes them")
    parser.add_argument("--model", default="wrn16_2_cifar")
    parser.add_argument("--images", type=int, default=2560, help="images in a repeat")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="bfloat16 autocast")
    options = parser.parse_args()
    device = common.start(options)
    with tempfile.TemporaryDirectory() as directory:
        if options.dataset is None:
            write_pictures(Path(directory), options.images)
        times = common.milliseconds(
            passes(options, device, options.dataset or directory), options.repeats, device
        )
    images = options.images // options.batch_size * options.batch_size
    rows: list[dict[str, Any]] = []
    for name, time in times.items():
        reference = times["timm, loading alone" if "alone" in name else "timm"]
        rows.append({"loop": name, "images/s": 1e3 * images / time, "of timm's": reference / time})
    options.dataset = Path(options.dataset).name if options.dataset else "random images"
    common.show(rows)
    common.keep("end_to_end", options, rows, "loop", ["of timm's"])


if __name__ == "__main__":
    main()
