"""A whole training step of every mixer, drawing included, against mixing nothing: same model, same batch.

python benchmarks/step.py --model resnet50 --batch-size 128 [--device cuda --bf16]
"""

import argparse
import itertools
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import common
import timm
import torch

import timm_multimix.models  # noqa: F401
from timm_multimix import MixTask

SPECS = [
    "none",
    "sample_pairing",
    "mixup",
    "cutmix",
    "manifold_mixup",
    "multimix(p=1)",
    "multimix(p=1, m=4)",
    "dense_multimix(p=1)",
    "dense_multimix(p=1, m=4)",
]


def steppers(options: argparse.Namespace, device: torch.device) -> dict[str, Callable[[], None]]:
    """A training step for every mixer and teacher, on one model, batch and optimizer."""
    torch.manual_seed(0)
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    model = timm.create_model(options.model, num_classes=options.classes).to(device, memory_format=layout)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    images = torch.randn(options.batch_size, 3, options.size, options.size, device=device)
    images = images.to(memory_format=layout)
    labels = torch.randint(options.classes, (options.batch_size,), device=device)
    precision = partial(torch.autocast, device.type, torch.bfloat16) if options.bf16 else nullcontext

    def step(task: MixTask) -> None:
        with precision():
            loss = task(images, labels)["loss"]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        task.update_ema(1)

    steps = {}
    for spec, teacher in itertools.product(options.mix, [None, *options.teachers]):
        distill = {"distill": 0.5, "teacher": teacher} if teacher else {}
        task = MixTask(model, spec, **distill).to(device).train()
        task.update_ema(0)
        steps[f"{spec}, teacher {teacher}" if teacher else spec] = partial(step, task)
    return steps


def main() -> None:
    """Measure all mixers in interleaved rounds, print and keep the table."""
    options = common.parser(__doc__.partition("\n")[0])
    options.add_argument("--model", default="resnet50")
    options.add_argument("--size", type=int, default=224)
    options.add_argument("--batch-size", type=int, default=128)
    options.add_argument("--classes", type=int, default=1000)
    options.add_argument("--bf16", action="store_true", help="bfloat16 autocast")
    options.add_argument("--channels-last", action="store_true")
    options.add_argument("--mix", nargs="+", default=SPECS, help="mixer specs; ratios are to the first")
    options.add_argument(
        "--teachers", nargs="*", default=["self", "ema"], help="kinds of distillation to time"
    )
    options = options.parse_args()
    device = common.start(options)
    times = common.milliseconds(steppers(options, device), options.repeats, device)
    first = times[options.mix[0]]
    rows = [{"mixer": name, "ms": time, "of none": time / first} for name, time in times.items()]
    common.show(rows)
    options.name = options.name or f"step-{options.model}-{options.device}"
    common.keep(f"step of {options.model}", options, rows, "mixer", ["of none"])


if __name__ == "__main__":
    main()
