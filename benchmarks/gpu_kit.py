"""Run all GPU measurements in parts, each with a time limit and a result of its own.

    benchmarks/gpu_kit.sh --cifar100 DIRECTORY [--output DIR] [--parts tests loss ...]
    benchmarks/gpu_kit.sh --dry-run

The parts are in order of value, so that a few minutes on a GPU are enough for the first ones. With --dry-run
the same commands run on the CPU, at tiny sizes, to show that they work; those that differ in size alone
are then the same command, which runs once.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent
ROOT = BENCHMARKS.parent
REHEARSED_TRAINING = ["--cache", "device", "--crop-padding", "2", "--workers", "0", "--epochs", "1"]
ARMS = ("none", "mixup", "cutmix", "multimix", "mixup >> (none + multimix(p=1, alpha=0.1))")


@dataclass(frozen=True)
class Part:
    """A command of the kit, and its rehearsal at a small size.

    Args:
        name: name of the part and of its log.
        command: the command for a GPU.
        rehearsal: the same at a small size on a CPU.
        environment: environment variables of the rehearsal.
    """

    name: str
    command: list[str]
    rehearsal: list[str]
    environment: dict[str, str] = field(default_factory=dict)


def benchmark(script: str, *options: str) -> list[str]:
    """Return the command line of a benchmark."""
    return [sys.executable, str(BENCHMARKS / script), *options]


def step_part(model: str, size: str) -> Part:
    """Return the part that times steps of all mixers in bfloat16, relative to a step without mixing."""
    small = [
        "--device",
        "cpu",
        "--model",
        "test_resnet",
        "--batch-size",
        "4",
        "--size",
        "32",
        "--classes",
        "5",
    ]
    return Part(
        f"step-{model}",
        benchmark(
            "step.py",
            "--device",
            "cuda",
            "--model",
            model,
            "--size",
            size,
            "--bf16",
            "--channels-last",
            "--teachers",
        ),
        benchmark("step.py", *small, "--repeats", "1", "--mix", "none", "multimix(p=1)", "--teachers"),
    )


def training_part(epochs: int, data: str) -> Part:
    """Return the part that trains one seed of each arm, except those that an earlier call has finished."""
    arms = [word for arm in ARMS for word in ("--mix", arm)]
    shared = [
        "--batch-size",
        "128",
        "--opt",
        "momentum",
        "--lr",
        "0.1",
        "--weight-decay",
        "5e-4",
        "--warmup-epochs",
        "1",
    ]
    network = ["--model", "preact_resnet18_cifar", "--dataset", data, "--crop-padding", "4", "--hflip", "0.5"]
    fast = [
        "--cache",
        "device",
        "--workers",
        "0",
        "--torchcompile",
        "--channels-last",
        "--epochs",
        str(epochs),
    ]
    compare = [sys.executable, "-m", "timm_multimix", "compare", "--seeds", "1", "--output"]
    return Part(
        f"train-{epochs}",
        [*compare, f"train-{epochs}", *arms, "--", *shared, *network, *fast],
        [*compare, "train", *arms[:2], "--", *REHEARSED_TRAINING],
    )


def make_parts(data: str) -> list[Part]:
    """Return the parts, in order of value."""
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        "0",
        "-m",
        "gpu",
        "--randomly-dont-reorganize",
        str(ROOT / "tests"),
    ]
    gpu_tests = [*tests[:-1], str(ROOT / "tests/gpu")]
    return [
        Part("tests", tests, gpu_tests, {"MULTIMIX_GPU": "cpu"}),
        Part(
            "loss",
            benchmark("loss.py", "--device", "cuda"),
            benchmark("loss.py", "--repeats", "1", "--tuples", "10", "--most", "1e5"),
        ),
        Part(
            "draws",
            benchmark("draws.py", "--device", "cuda"),
            benchmark("draws.py", "--repeats", "1", "--most", "7e4"),
        ),
        Part(
            "inputs",
            benchmark("inputs.py", "--device", "cuda"),
            benchmark("inputs.py", "--repeats", "1", "--batch-size", "4"),
        ),
        training_part(30, data),
        step_part("resnet50", "224"),
        step_part("vit_small_patch16_224", "224"),
        training_part(200, data),
    ]


def run_part(part: Part, options: argparse.Namespace) -> dict[str, object]:
    """Run a part, with its log and results in the output directory, and return a record of it."""
    command = part.rehearsal if options.dry_run else part.command
    dry = {"OMP_NUM_THREADS": "1", **part.environment} if options.dry_run else {}
    environment = os.environ | {"ACCELERATE_MIXED_PRECISION": "no" if options.dry_run else "bf16"} | dry
    environment |= {"MULTIMIX_RESULTS": str(options.output), "PYTHONPATH": str(ROOT)}
    begin = time.monotonic()
    with (options.output / f"{part.name}.log").open("w") as log:
        try:
            done = subprocess.run(
                command,
                cwd=options.output,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=options.limit,
            )
            status: object = done.returncode
        except subprocess.TimeoutExpired:
            status = "stopped at its time limit"
    return {
        "part": part.name,
        "status": status,
        "seconds": round(time.monotonic() - begin, 1),
        "command": command,
    }


def earlier(part: Part, kept: list[dict[str, object]]) -> dict[str, object] | None:
    """Return the record of an earlier part with the same rehearsal."""
    return next((record for record in kept if record["command"] == part.rehearsal), None)


def main() -> int:
    """Run the parts in turn, and record each in kit.json; returns 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--cifar100", default="uoft-cs/cifar100", help="directory of parquet files, or a Hub id"
    )
    parser.add_argument("--output", type=Path, default=Path("gpu-kit"), help="directory of logs and results")
    parser.add_argument("--limit", type=float, default=240, help="seconds for each part")
    parser.add_argument("--parts", nargs="+", help="only these")
    parser.add_argument("--dry-run", action="store_true", help="rehearse on the CPU")
    options = parser.parse_args()
    options.output = options.output.resolve()
    options.output.mkdir(parents=True, exist_ok=True)
    data = str(Path(options.cifar100).resolve()) if Path(options.cifar100).is_dir() else options.cifar100
    parts = {part.name: part for part in make_parts(data)}
    if unknown := set(options.parts or ()) - set(parts):
        parser.error(f"a part must be one of {', '.join(parts)}, got {', '.join(sorted(unknown))}")
    kept: list[dict[str, object]] = []
    for name in options.parts or parts:
        done = earlier(parts[name], kept) if options.dry_run else None
        kept.append({**done, "part": name, "seconds": 0.0} if done else run_part(parts[name], options))
        print(f"{name}: {kept[-1]['status']} after {kept[-1]['seconds']} s", flush=True)
        (options.output / "kit.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return 0 if all(row["status"] == 0 for row in kept) else 1


if __name__ == "__main__":
    sys.exit(main())
