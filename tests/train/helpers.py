"""Training in processes of its own, and what of a run is compared."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Train = Callable[..., dict[str, Any]]
TIMING = 2  # last columns of metrics.csv


def command(*argv: object, processes: int = 1) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment of a training process, or of several that torchrun starts."""
    launcher = [sys.executable, "-m"]
    if processes > 1:
        launcher += f"torch.distributed.run --standalone --nproc_per_node {processes} -m".split()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    if processes > 1:
        environment["ACCELERATE_USE_CPU"] = "true"
    return [*launcher, "timm_multimix", "train", *map(str, argv)], environment


def launch(*argv: object, processes: int = 1, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run training in processes of its own, to the end."""
    words, environment = command(*argv, processes=processes)
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300, **settings)


def outcome(folder: Path) -> dict[str, object]:
    """All of a run that must not depend on how often it was interrupted."""
    rows = [line.split(",")[:-TIMING] for line in (folder / "metrics.csv").read_text().splitlines()]
    last = max((folder / "checkpoints").glob("step-*"))
    files = [*last.glob("*.safetensors"), folder / "model/model.safetensors", folder / "model/config.json"]
    files += [folder / "checkpoints/best/model.safetensors", folder / "checkpoints/best/facts.json"]
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return {"rows": rows, "checkpoint": last.name} | digests
