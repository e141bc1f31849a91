"""Commands in this process and in separate ones, and the part of a run that is compared."""

import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import timm
import torch

from timm_multimix import cli
from timm_multimix.data.splits import load_splits
from timm_multimix.data.transforms import create_transforms
from timm_multimix.options.data import AugmentationOptions

Train = Callable[..., dict[str, Any]]
TIMING = 2  # last columns of metrics.csv


TRAIN = ("-m", "timm_multimix", "train")


def command(
    *argv: object, processes: int = 1, program: tuple[str, ...] = TRAIN
) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment of a training process, or of several that torchrun starts."""
    launcher, environment = [sys.executable], os.environ | {"OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    if processes > 1:
        launcher += f"-m torch.distributed.run --standalone --nproc_per_node {processes}".split()
        environment["ACCELERATE_USE_CPU"] = "true"
    return [*launcher, *program, *map(str, argv)], environment


def launch(
    *argv: object, cwd: Path, processes: int = 1, program: tuple[str, ...] = TRAIN
) -> subprocess.CompletedProcess[str]:
    """Run training in separate processes to the end."""
    words, environment = command(*argv, processes=processes, program=program)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, env=environment, cwd=cwd, **pipes) as process:
        try:
            output, messages = process.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            process.terminate()  # a launcher then ends its ranks, which outlive it where it is killed
            process.communicate(timeout=60)
            raise
    return subprocess.CompletedProcess(words, process.returncode, output, messages)


def call(*argv: object) -> str:
    """Output of a command that succeeds, in this process."""
    output = io.StringIO()
    with redirect_stdout(output):
        assert cli.main([str(word) for word in argv]) == 0
    return output.getvalue()


def updates_kept(run: Path) -> int:
    """Optimizer updates up to the newest checkpoint."""
    return max((int(path.name[5:]) for path in run.glob("checkpoints/step-*")), default=0)


def outcome(directory: Path) -> dict[str, object]:
    """Everything in a run that must not depend on interruptions."""
    rows = [line.split(",")[:-TIMING] for line in (directory / "metrics.csv").read_text().splitlines()]
    last = max((directory / "checkpoints").glob("step-*"))
    files = [
        *last.glob("*.safetensors"),
        directory / "model/model.safetensors",
        directory / "model/config.json",
    ]
    files += [directory / "checkpoints/best/model.safetensors", directory / "checkpoints/best/facts.json"]
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return {"rows": rows, "checkpoint": last.name} | digests


@torch.no_grad()
def evaluate_plainly(directory: Path, dataset: Path) -> tuple[float, float]:
    """Loss and top-1 in per cent of an exported model, loaded and fed as timm alone would."""
    model = timm.create_model(f"local-dir:{directory}", pretrained=True).eval()
    transform = create_transforms(AugmentationOptions(), timm.data.resolve_model_data_config(model))[1]
    source = load_splits(str(dataset)).evaluation
    samples = [source[index] for index in range(len(source))]
    logits = model(torch.stack([transform(image) for image, _ in samples])).double()
    labels = torch.tensor([label for _, label in samples])
    right = (logits.argmax(1) == labels).double().mean()
    return torch.nn.functional.cross_entropy(logits, labels).item(), 100 * right.item()
