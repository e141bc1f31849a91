"""Where a run's data, weights and code come from, as the Hub's ids where they are there."""

import platform
import shlex
import sys
from pathlib import Path
from typing import Any

import accelerate
import datasets
import huggingface_hub
import timm
import torch
import torchvision
from timm.models import get_pretrained_cfg

import timm_multimix

from ..options import TrainOptions
from ..options.declaration import declared
from ..redaction import last_part, public


def dataset_kind(name: str) -> str:
    """What --dataset names on this machine: `digits`, `folder` or `hub`."""
    if name == "digits":
        return "digits"
    return "folder" if Path(name).expanduser().is_dir() else "hub"


def base_model(model: str, pretrained: bool) -> str | None:
    """The Hub id of the weights training started from; None for random and for local ones."""
    if not pretrained:
        return None
    source, _, identifier = model.rpartition(":")
    if source:
        return identifier.split("@")[0] if source == "hf-hub" else None
    config = get_pretrained_cfg(model, allow_unregistered=True)
    return (config.hf_hub_id if config else None) or None


def public_options(options: dict[str, Any], kind: str) -> dict[str, Any]:
    """The options of a run as others may see them; folders by their names."""
    told = public(options)
    for name in options.keys() & path_prefixes().keys():
        prefix, value = path_prefixes()[name], str(options[name])
        if value.startswith(prefix) if prefix else kind == "folder":
            told[name] = prefix + last_part(value.removeprefix(prefix))
    return told


def path_prefixes() -> dict[str, str]:
    """The options that may name a directory, and how such a value begins; a dataset's has no prefix."""
    prefixes = {name: option.facts.path_prefix for name, option in declared(TrainOptions).items()}
    return {name: prefix for name, prefix in prefixes.items() if prefix is not None}


def versions() -> dict[str, str]:
    """Versions of what a result depends on; `commit` where this package runs from a checkout."""
    packages = (timm, torch, torchvision, accelerate, datasets, huggingface_hub)
    found = {"timm_multimix": timm_multimix.__version__}
    found |= {package.__name__: str(package.__version__) for package in packages}
    found |= {"python": platform.python_version()}
    commit = checkout_commit(Path(timm_multimix.__file__).parents[1])
    return found | ({"commit": commit} if commit else {})


def checkout_commit(root: Path) -> str | None:
    """The commit that is checked out in a folder, read without git; None where there is none."""
    try:
        head = (root / ".git" / "HEAD").read_text(encoding="utf-8").strip()
        if head.startswith("ref: "):
            head = (root / ".git" / head.removeprefix("ref: ")).read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return head if len(head) in (40, 64) and set(head) <= set("0123456789abcdef") else None


def describe_hardware(device: torch.device, processes: int) -> str:
    """The device in words."""
    if device.type == "cuda":
        return f"{processes} x {torch.cuda.get_device_name(device)}"
    if device.type == "cpu":
        return f"CPU {platform.machine()}, processes: {processes}, threads in each: {torch.get_num_threads()}"
    return f"{processes} x {device.type}"


def command() -> str:
    """The command line of this process."""
    name = Path(sys.argv[0]).name
    return shlex.join(
        [*(("python", "-m", "timm_multimix") if name == "__main__.py" else (name,)), *sys.argv[1:]]
    )
