"""The sources of a run's data, weights and code, as the Hub's ids if they are there."""

import platform
import shlex
import sys
from importlib import metadata
from pathlib import Path

import accelerate
import huggingface_hub
import timm
import torch
import torchvision
from timm.models import get_pretrained_cfg

from ..options.data import OBJECT
from ..version import __version__


def dataset_kind(name: str) -> str:
    """Kind of a dataset by its name: `digits`, `directory` (or a file), `torchvision`, `archives` or `hub`.

    For an object of Python it is `python`.
    """
    if name.startswith(OBJECT):
        return "python"
    if name == "digits":
        return "digits"
    if Path(name).expanduser().exists():
        return "folder"
    return {"torch": "torchvision", "wds": "archives"}.get(name.split("/")[0], "hub")


def base_model(model: str, pretrained: bool) -> str | None:
    """Return the Hub id of the weights that training started from; None for random and for local ones."""
    if not pretrained:
        return None
    source, _, identifier = model.rpartition(":")
    if source:
        return identifier.split("@")[0] if source == "hf-hub" else None
    config = get_pretrained_cfg(model, allow_unregistered=True)
    return (config.hf_hub_id if config else None) or None


def model_kind(name: str) -> str:
    """Return the kind of a model by its name: `hub`, `directory` or `timm`; `python` for an object."""
    if name.startswith("hf-hub:"):
        return "hub"
    if name.startswith(OBJECT):
        return "python"
    local = name.startswith("local-dir:") or Path(name).expanduser().is_dir()
    return "folder" if local else "timm"


def versions() -> dict[str, str]:
    """Versions of all software that a result depends on; `commit` if this package runs from a checkout."""
    packages = (timm, torch, torchvision, accelerate, huggingface_hub)
    found = {"timm_multimix": __version__}
    found |= {package.__name__: str(package.__version__) for package in packages}
    found |= {"datasets": metadata.version("datasets")}  # its import brings pandas, which not every run needs
    found |= {"python": platform.python_version()}
    commit = checkout_commit(Path(__file__).parents[2])
    return found | ({"commit": commit} if commit else {})


def checkout_commit(root: Path) -> str | None:
    """Return the commit that is checked out in a directory, read without git; None if there is none."""
    try:
        head = (root / ".git" / "HEAD").read_text(encoding="utf-8").strip()
        if head.startswith("ref: "):
            head = (root / ".git" / head.removeprefix("ref: ")).read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return head if len(head) in (40, 64) and set(head) <= set("0123456789abcdef") else None


def describe_hardware(device: torch.device, processes: int) -> str:
    """Return the device in words."""
    if device.type == "cuda":
        return f"{processes} x {torch.cuda.get_device_name(device)}"
    if device.type == "cpu":
        return f"CPU {platform.machine()}, processes: {processes}, threads in each: {torch.get_num_threads()}"
    return f"{processes} x {device.type}"


def command() -> str:
    """Return the command line of this process."""
    name = Path(sys.argv[0]).name
    return shlex.join(
        [*(("python", "-m", "timm_multimix") if name == "__main__.py" else (name,)), *sys.argv[1:]]
    )
