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
    """Look at the weights of a model's name: `hf-hub:USER/NAME`, `local-dir:DIRECTORY`, or one of timm's.

    Returns the config.json next to the weights; an empty one for timm's own.

    Raises: UsageError if they are missing, a pickle or cut off, or of a network that timm does not know.
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
    """Look at the weights of a model of timm's own."""
    try:
        config = get_pretrained_cfg(name)
    except RuntimeError as error:
        raise UsageError(f"model {name}: {error}") from error
    if config and config.hf_hub_id:
        check_safetensors(name, download(name, config.hf_hub_id, WEIGHTS))
    elif config and config.url:
        raise UsageError(f"model {name}: its weights are a pickle, which is never loaded")


def download(name: str, place: str, file: str) -> Path:
    """A file of the Hub's repository USER/NAME[@REVISION], or the copy in the cache."""
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
        if isinstance(error, FileNotFoundError):  # neither the Hub nor the cache can say
            reason = trouble or describe(error)
            raise UsageError(
                f"model {name}: {file} could not be downloaded from the Hub: {reason}"
            ) from error
        raise UsageError(_no_weights(name, file)) from error
    except Exception as error:  # which library's, depends on the version of huggingface_hub
        raise UsageError(
            f"model {name}: {file} could not be downloaded from the Hub: {describe(error)}"
        ) from error


def local_file(name: str, directory: Path) -> Path:
    """The weights in a directory."""
    if not (directory / WEIGHTS).is_file():
        raise UsageError(_no_weights(name, WEIGHTS))
    return directory / WEIGHTS


def _no_weights(name: str, file: str) -> str:
    reason = " (pickles such as pytorch_model.bin are never loaded)" if file == WEIGHTS else ""
    return f"model {name}: there is no {file}{reason}"


def read_config(name: str, path: Path) -> dict[str, Any]:
    """A model's config.json."""
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
    """Raises: UsageError if timm does not know the architecture, or is sent to other files."""
    architecture = str(config["architecture"])
    if not timm.is_model(architecture.split(".")[0]):
        raise UsageError(f"model {name}: config.json names an unknown architecture, {architecture!r}")
    described = config.get("pretrained_cfg", config)
    if described.get("hf_hub_filename") or described.get("custom_load"):
        raise UsageError(f"model {name}: its config.json asks for other weights than {WEIGHTS}")


def check_safetensors(name: str, path: Path) -> None:
    """Raises: UsageError if a file is no safetensors file or cut off."""
    try:
        with safe_open(path, "pt") as stream:
            stream.keys()
    except (SafetensorError, OSError) as error:
        raise UsageError(f"model {name}: {path.name} is damaged: {describe(error)}") from error
