"""Time of a training step of every mixer, drawing included, relative to no mixing.

    python benchmarks/step.py --model resnet50 --batch-size 128 [--device cuda --bf16]

Every mixer of the registry without distillation and with each kind of it: targets from the model itself, from
its moving average, and from another network (a frozen one of the same architecture).
"""

import argparse
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial
from typing import Any

import common
import timm
import torch
from torch import nn

import timm_multimix.models  # noqa: F401
from timm_multimix import MixTask, list_mixers

TEACHERS = ["self", "ema", "model"]
# by default these mix only in a part of the steps
ALTERNATING = ("multimix", "dense_multimix", "alignmixup")


def specs(model: str) -> list[str]:
    """Return specs of all mixers that mix in every step; transmix for ViTs only, whose attention it reads."""
    names = [name for name in list_mixers() if name != "transmix" or "vit" in model]
    return [f"{name}(p=1)" if name in ALTERNATING else name for name in names]


def create_model(options: argparse.Namespace, device: torch.device) -> nn.Module:
    """Create the network in the requested memory layout."""
    torch.manual_seed(0)
    model = timm.create_model(options.model, num_classes=options.classes).to(device)
    return model.to(memory_format=torch.channels_last) if options.channels_last else model


def steppers(
    spec: str, kinds: Iterable[str], model: nn.Module, options: argparse.Namespace
) -> dict[str, Callable[[], None]]:
    """Return training steps of a mixer on one batch, by the kind of teacher ("" for none)."""
    device = next(model.parameters()).device
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    images = torch.randn(options.batch_size, 3, options.size, options.size, device=device)
    if options.channels_last:
        images = images.to(memory_format=torch.channels_last)
    labels = torch.randint(options.classes, (options.batch_size,), device=device)
    precision = partial(torch.autocast, device.type, torch.bfloat16) if options.bf16 else nullcontext

    def step(task: MixTask) -> None:
        with precision():
            loss = task(images, labels)["loss"]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        task.update_ema(1)

    steps: dict[str, Callable[[], None]] = {}
    for kind in kinds:
        teacher = create_model(options, device) if kind == "model" else kind
        distillation: dict[str, Any] = {"distill": 0.5, "teacher": teacher} if kind else {}
        task = MixTask(model, spec, **distillation).train()
        task.update_ema(0)
        steps[kind] = partial(step, task)
    return steps


def measure(spec: str, model: nn.Module, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the rows of a mixer, its steps timed in turns with that of the first mixer."""
    first = options.mix[0]
    runs = steppers(first, [""], model, options)
    if spec != first:
        runs = {"first": runs[""]} | steppers(spec, ["", *options.teachers], model, options)
    else:
        runs |= steppers(spec, options.teachers, model, options)
    times = common.milliseconds(runs, options.repeats, next(model.parameters()).device)
    reference = times.pop("first", times.get(""))
    names = {kind: f"{spec}, teacher {kind}" if kind else spec for kind in times}
    return [
        {"mixer": names[kind], "ms": time, f"{first} ms": reference, f"of {first}": time / reference}
        for kind, time in times.items()
    ]


def main() -> None:
    """Measure all mixers, print and keep the table."""
    parser = common.parser(__doc__.partition("\n")[0])
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--bf16", action="store_true", help="bfloat16 autocast")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--mix", nargs="+", help="mixer specs; ratios are to the first; default: every mixer")
    parser.add_argument(
        "--teachers", nargs="*", default=TEACHERS, choices=TEACHERS, help="kinds of distillation to time"
    )
    options = parser.parse_args()
    options.mix = options.mix or specs(options.model)
    model = create_model(options, common.start(options))
    rows: list[dict[str, Any]] = []
    for spec in options.mix:
        rows += measure(spec, model, options)
        common.show(rows[-1 - len(options.teachers) :])
    print()
    common.show(rows)
    options.name = options.name or f"step-{options.model}-b{options.batch_size}-{options.device}"
    common.keep(f"step of {options.model}", options, rows, "mixer", [f"of {options.mix[0]}"])


if __name__ == "__main__":
    main()
