"""Creation of a timm model for the data, with the preprocessing that belongs to it."""

import difflib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import timm
import torch

import timm_multimix.models  # noqa: F401  registers the package's own networks with timm

from .._compat.timm import check_commands, resolve_input_data_config
from ..errors import LONGEST, UsageError, one_line
from ..options.declaration import flat
from ..options.model import LOCAL, InputOptions, ModelOptions

Result = TypeVar("Result")

# Arguments of timm's models that have an option of their own.
_OPTIONS = {"drop_path_rate": "--drop-path", "drop_rate": "--drop", "img_size": "--img-size"}


def attempt(what: str, action: Callable[[], Result]) -> Result:
    """Return the result of an action of another library, with its errors as one line.

    Raises:
        UsageError: the action failed; the message begins with `what`.
    """
    try:
        return action()
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{what}: {one_line(error, LONGEST)}") from error


def nearest(name: str, known: list[str]) -> str:
    """Return a hint: the known names closest to this one, or a few examples."""
    close = difflib.get_close_matches(name, known, n=5, cutoff=0.5)
    return (
        f"close to it: {', '.join(close)}"
        if close
        else f"there are {len(known)}, such as {', '.join(known[:3])}"
    )


def check_model_name(name: str) -> None:
    """Check a model's name, before anything slow happens.

    Raises:
        UsageError: an unknown name, or timm is too old.
    """
    check_commands()
    run = os.path.expanduser(name.removeprefix(LOCAL))
    if os.path.isfile(f"{run}/model/config.json") and not timm.is_model(name):
        raise UsageError(f"{name} is a run's directory; its model is local-dir:{run}/model")
    source, identifier = attempt(f"model {name}", lambda: timm.models.parse_model_name(name))
    if source is None and not timm.is_model(identifier.split(".")[0]):
        raise UsageError(f"unknown model {name!r}; {nearest(identifier, timm.list_models())}")


def create_model(network: ModelOptions, classes: int) -> torch.nn.Module:
    """Create the model of the options, with a classifier for `classes` classes.

    Raises:
        UsageError: no such model or weights, or an argument that the model does not take.
    """
    check_commands()
    pretrained = read_weights("--pretrained-path", network.pretrained_path)
    read_weights("--initial-checkpoint", network.initial_checkpoint)  # for the message
    wanted = {"img_size": network.input.img_size, "in_chans": network.input.in_chans}
    rates: dict[str, Any] = {"drop_rate": network.drop or None, "drop_path_rate": network.drop_path}

    def create() -> Any:
        arguments = timm.models.resolve_model_input_args(network.model, wanted, **network.model_kwargs)
        return timm.create_model(
            pretrained=network.pretrained or network.pretrained_path is not None,
            pretrained_cfg_overlay=weights_of(network.pretrained_path),
            num_classes=network.num_classes or classes,
            **arguments,
            **rates,
        )

    source = f" with --pretrained-path {network.pretrained_path}" if network.pretrained_path else ""
    model = _made(network, source, create)
    if pretrained is not None:
        check_taken(model, network.pretrained_path, pretrained)
    if file := network.initial_checkpoint:
        attempt(
            f"--initial-checkpoint {file}",
            lambda: timm.models.load_checkpoint(model, str(file), weights_only=True),
        )
    if network.grad_checkpointing:
        attempt(f"--grad-checkpointing with {network.model}", lambda: model.set_grad_checkpointing(True))
    return model.to(memory_format=torch.channels_last) if network.channels_last else model


def _made(network: ModelOptions, source: str, create: Callable[[], Any]) -> Any:
    """Create a model; an argument that it does not take is told by its option."""
    try:
        return attempt(f"model {network.model}{source}", create)
    except UsageError as error:
        if (name := _not_taken(error)) is None:
            raise
        option = _OPTIONS.get(name, "--model-kwargs")
        raise UsageError(f"{option} must be left out for {network.model}, which takes no {name}") from error


def _not_taken(error: UsageError) -> str | None:
    """Return the argument that the model does not have, from its error; None for another error."""
    found = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    return found[1] if found and isinstance(error.__cause__, TypeError) else None


def read_weights(option: str, file: Path | None) -> Mapping[str, Any] | None:
    """Return a file's weights as timm reads them, without running code in it; None for none.

    Raises:
        UsageError: it holds no weights.
    """
    if file is None or file.suffix in (".npz", ".npy"):  # those the model reads itself
        return None
    try:
        return timm.models.load_state_dict(str(file), weights_only=True)
    except Exception as error:  # of many types, some with advice to run the code in it
        raise UsageError(
            f"{option} must be weights in safetensors, or of torch.save and without code, got {file}"
        ) from error


def check_taken(model: torch.nn.Module, file: Path | None, weights: Mapping[str, Any]) -> None:
    """Check that the model has some of a file's weights: timm leaves out what does not fit, be it everything.

    Raises:
        UsageError: it has none of its matrices.
    """
    theirs, ours = (set(map(_beginning, _matrices(state))) for state in (weights, model.state_dict()))
    if theirs.isdisjoint(ours):
        raise UsageError(
            f"--pretrained-path must be weights of a {type(model).__name__} like the model, got {file}, "
            "of which none fits"
        )


def _matrices(state: Mapping[str, Any]) -> list[torch.Tensor]:
    return [value for value in state.values() if isinstance(value, torch.Tensor) and value.dim() > 1]


def _beginning(value: torch.Tensor) -> tuple[float, ...]:
    """Return some of a tensor's numbers, which tell it from others; a changed shape leaves them."""
    return (value.numel(), *value.flatten()[:16].tolist())


def adopt_model(network: ModelOptions, model: torch.nn.Module | None) -> torch.nn.Module | None:
    """Return a given network in the requested memory layout; None for None."""
    if model is None:
        return None
    if network.grad_checkpointing:
        enable: Any = getattr(model, "set_grad_checkpointing", None)
        if enable is None:
            raise UsageError(f"`grad_checkpointing`: {network.model} has no set_grad_checkpointing")
        enable(True)
    return model.to(memory_format=torch.channels_last) if network.channels_last else model


def weights_of(file: Path | None) -> dict[str, Any] | None:
    """Return the settings by which timm loads a file like a model's published weights.

    timm adapts the weights to the number of classes and the input size. It reads safetensors, and other files
    with `weights_only=True`, so no code in a pickle is run.
    """
    if file is None:
        return None
    return {"file": str(file), "num_classes": -1, "custom_load": False}


def resolve_data_config(name: str, asked: InputOptions, model: torch.nn.Module) -> dict[str, Any]:
    """Return input size, normalisation, crop and interpolation: the requested ones, else the model's.

    Raises:
        UsageError: the model does not take the requested input.
    """
    return attempt(f"input of {name}", lambda: resolve_input_data_config(model, flat(asked)))


def describe_input(model: torch.nn.Module, data_config: dict[str, Any]) -> None:
    """Write the preprocessing to the model's `pretrained_cfg`, where teachers and the export read it."""
    config: dict[str, Any] = dict(getattr(model, "pretrained_cfg", {}))
    same_size = tuple(config.get("input_size", ())) == tuple(data_config["input_size"])
    model.pretrained_cfg = config | data_config | ({} if same_size else {"pool_size": None})  # type: ignore[assignment]


@torch.no_grad()
def try_out(name: str, model: torch.nn.Module, data_config: dict[str, Any]) -> int:
    """Run an image of zeros through the model, so that an unsuitable model fails before training.

    Returns:
        The number of outputs.

    Raises:
        UsageError: the model does not take images of this size, or does not classify.
    """
    model.eval()
    image = torch.zeros(1, *data_config["input_size"])
    size = "x".join(map(str, data_config["input_size"]))
    output: object = attempt(f"{name} does not take {size} images", lambda: model(image))
    model.train()
    if not isinstance(output, torch.Tensor) and not hasattr(output, "logits"):
        raise UsageError(f"{name} gives a {type(output).__name__}, not class scores")
    logits: Any = getattr(output, "logits", output)
    return int(logits.shape[-1])
