"""Checks of pretrained weights before they are loaded: present, intact, and no pickle."""

import json
from pathlib import Path
from typing import Any

import timm
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError
from safetensors import SafetensorError, safe_open
from timm.models import get_pretrained_cfg

import timm_multimix.models  # noqa: F401  so that its networks are known

from ..connection.client import unreachable
from ..connection.retry import describe, retried
from ..errors import UsageError

WEIGHTS = "model.safetensors"


def check_pretrained(name: str) -> dict[str, Any]:
    """Check the weights of `hf-hub:USER/NAME`, `local-dir:DIRECTORY`, or a model of timm's.

    Returns the content of their config.json; empty for a model of timm's.

    Raises: UsageError for missing, pickled or truncated weights, and for an architecture unknown to timm.
    """
    source, _, place = name.rpartition(":")
    if not source:
        check_named(name)
        return {}
    local = source == "local-dir"
    config = read_config(name, Path(place) / "config.json" if local else download(name, place, "config.json"))
    check_config(name, config)
    check_safetensors(name, local_file(name, Path(place)) if local else download(name, place, WEIGHTS))
    return config


def check_named(name: str) -> None:
    """Check the weights of a model of timm's."""
    try:
        config = get_pretrained_cfg(name)
    except RuntimeError as error:
        raise UsageError(f"model {name}: {error}") from error
    if config and config.hf_hub_id:
        check_safetensors(name, download(name, config.hf_hub_id, WEIGHTS))
    elif config and config.url:
        raise UsageError(f"model {name}: its weights are a pickle, which is never loaded")


def download(name: str, place: str, file: str) -> Path:
    """Return the path of a file of the Hub's repository USER/NAME[@REVISION], or of its cached copy."""
    repo_id, _, revision = place.partition("@")
    trouble = unreachable()
    try:
        return Path(
            retried(
                lambda: hf_hub_download(
                    repo_id, file, revision=revision or None, local_files_only=trouble is not None
                ),
                3,
            )
        )
    except EntryNotFoundError as error:
        if isinstance(error, FileNotFoundError):  # neither reached nor cached
            reason = trouble or describe(error)
            raise UsageError(
                f"model {name}: {file} could not be downloaded from the Hub: {reason}"
            ) from error
        raise UsageError(_no_weights(name, file)) from error
    except Exception as error:  # httpx's or requests', depending on the version of huggingface_hub
        raise UsageError(
            f"model {name}: {file} could not be downloaded from the Hub: {describe(error)}"
        ) from error


def local_file(name: str, directory: Path) -> Path:
    """Return the path of the weights in a directory."""
    if not (directory / WEIGHTS).is_file():
        raise UsageError(_no_weights(name, WEIGHTS))
    return directory / WEIGHTS


def _no_weights(name: str, file: str) -> str:
    reason = " (pickles such as pytorch_model.bin are never loaded)" if file == WEIGHTS else ""
    return f"model {name}: there is no {file}{reason}"


def read_config(name: str, path: Path) -> dict[str, Any]:
    """Read a model's config.json. Raises: UsageError if it is missing, damaged or not a timm model's."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"model {name}: there is no config.json") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"model {name}: config.json cannot be read: {describe(error)}") from error
    if not isinstance(config, dict) or "architecture" not in config:
        raise UsageError(f"model {name}: config.json names no architecture, so it is not a timm model's")
    return config


def check_config(name: str, config: dict[str, Any]) -> None:
    """Check that timm knows the architecture, and is not directed to other files. Raises: UsageError."""
    architecture = str(config["architecture"])
    if not timm.is_model(architecture.split(".")[0]):
        raise UsageError(f"model {name}: config.json names an unknown architecture, {architecture!r}")
    described = config.get("pretrained_cfg", config)
    if described.get("hf_hub_filename") or described.get("custom_load"):
        raise UsageError(f"model {name}: its config.json asks for other weights than {WEIGHTS}")


def check_safetensors(name: str, path: Path) -> None:
    """Check that a file is in safetensors format and not truncated. Raises: UsageError."""
    try:
        with safe_open(path, "pt") as stream:
            stream.keys()
    except (SafetensorError, OSError) as error:
        raise UsageError(f"model {name}: {path.name} is damaged: {describe(error)}") from error
