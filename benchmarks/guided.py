"""Guided mixers: time of a training step relative to no mixing, and of the draw alone.

    python benchmarks/guided.py
    python benchmarks/guided.py --model test_vit --size 96 --positions 6

The time of the draw is that of the mixer itself, with solvers on the CPU and given guides; the rest of the
difference is the guide's pass through the model.
"""

import argparse
from collections.abc import Callable
from typing import Any

import common
import timm
import torch

import timm_multimix.models  # noqa: F401
from timm_multimix import MixTask, create_mixer
from timm_multimix.mixers import Context

SPECS = [
    "cutmix",
    "saliencymix",
    "saliencymix(saliency='gradient')",
    "attentivemix",
    "puzzlemix(grid=4)",
    "puzzlemix(grid=16)",
    "co_mixup",
    "alignmixup(p=1)",
    "tokenmix",
    "transmix",
]


def stepper(spec: str, options: argparse.Namespace, device: torch.device) -> Callable[[], None]:
    """Return a training step: guide, draw, forward, loss, backward, SGD."""
    torch.manual_seed(0)
    model = timm.create_model(options.model, num_classes=options.classes, **size_of(options)).to(device)
    task = MixTask(model, spec).to(device).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    images, labels = batch(options, device)

    def step() -> None:
        task(images, labels)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def drawer(spec: str, options: argparse.Namespace, device: torch.device) -> Callable[[], Any]:
    """Return the draw alone, with random numbers as guides."""
    mixer = create_mixer(spec).branches[0][1].mixer
    images, _ = batch(options, device)
    cells = options.positions
    guides = {
        "gradient": torch.randn_like(images),
        "features": torch.randn(len(images), 128, cells, cells, device=device),
        "activation": torch.rand(len(images), cells, cells, device=device),
    }
    positions = torch.randn(len(images), cells * cells, 128, device=device)
    context = Context(torch.Generator(device).manual_seed(0), **guides)
    return lambda: mixer.sample(positions if mixer.place == "features" else images, context)


def batch(options: argparse.Namespace, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return random images and labels."""
    images = torch.randn(options.batch_size, 3, options.size, options.size, device=device)
    return images, torch.randint(options.classes, (options.batch_size,), device=device)


def size_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments for the image size, for models that need them."""
    return {"img_size": options.size} if "vit" in options.model else {}


def main() -> None:
    """Measure each mixer and no mixing, print and keep the table."""
    parser = common.parser(__doc__.partition("\n")[0])
    parser.add_argument("--model", default="test_resnet")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument(
        "--positions", type=int, default=3, help="side of the last feature map, for the draws"
    )
    options = parser.parse_args()
    device = common.start(options)
    rows: list[dict[str, Any]] = []
    for spec in SPECS:
        if spec == "transmix" and "vit" not in options.model:
            continue
        pair = {"none": stepper("none", options, device), "it": stepper(spec, options, device)}
        pair["draw"] = drawer(spec, options, device)
        times = common.milliseconds(pair, options.repeats, device)
        rows.append({"mixer": spec, "ms": times["it"], "none ms": times["none"], "draw ms": times["draw"]})
        rows[-1]["of none"] = times["it"] / times["none"]
        common.show(rows[-1:])
    print()
    common.show(rows)
    options.name = options.name or f"guided-{options.model}-{options.device}"
    common.keep(f"guided mixers on {options.model}", options, rows, "mixer", ["of none"])


if __name__ == "__main__":
    main()
