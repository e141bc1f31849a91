"""Export of the trained model as a directory that timm and transformers load."""

import json
import re
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import save_file

from .._compat.timm import save_config_for_hf
from ..data.labels import UNUSED
from ..files import fresh_directory, publish_directory, write_text
from ..options import TrainOptions, options_to_dict
from ..records.provenance import dataset_kind, versions
from ..records.publication import public_options
from ..records.tasks import TASKS
from .setup import Setup
from .sharding import whole

_FOREIGN = ("license", "description", "origin_url", "paper_name", "paper_ids", "notes")


def export_model(setup: Setup, kind: str, directory: Path, facts: dict[str, float] | None = None) -> None:
    """Write the raw or ema weights in timm's format; all processes call it together.

    Of timm's config it drops the facts about the weights that training started from, and the second
    `num_classes`, which transformers cannot load.
    """
    model = setup.models()[kind]
    weights = {name: whole(value).contiguous() for name, value in model.state_dict().items()}
    if setup.accelerator.is_main_process:
        temporary = fresh_directory(directory)
        save_file(weights, temporary / "model.safetensors", metadata={"format": "pt"})
        (temporary / "config.json").write_text(
            json.dumps(make_config(setup, model, temporary), indent=2) + "\n", encoding="utf-8"
        )
        if facts is not None:
            write_text(temporary / "facts.json", json.dumps(facts, indent=2) + "\n")
        publish_directory(temporary, directory)


def make_config(setup: Setup, model: torch.nn.Module, directory: Path) -> dict[str, object]:
    """Return the config.json of a model: architecture, preprocessing, labels, and how it was trained."""
    path, options = directory / "config.json", setup.options
    if architecture_of(model) is None:
        return {
            "label_names": setup.splits.class_names,
            "training": recipe(options),
            "input": setup.data_config,
        }
    tag = re.sub(r"[^a-z0-9]+", "_", options.mixing.mix.lower()).strip("_")
    about = {
        "label_names": label_names(setup.splits.class_names, options.network.num_classes),
        "pretrained_cfg": {"tag": tag},
        "training": recipe(options),
    }
    if problem_type := TASKS[setup.splits.task].problem_type:
        about["problem_type"] = problem_type
    save_config_for_hf(model, str(path), model_config=about, data_config=setup.data_config)
    config = json.loads(path.read_text(encoding="utf-8"))
    config.get("model_args", {}).pop("num_classes", None)
    for name in _FOREIGN:
        config["pretrained_cfg"].pop(name, None)
    if options.hub.hub_license:
        config["pretrained_cfg"]["license"] = options.hub.hub_license
    return config


def architecture_of(model: torch.nn.Module) -> str | None:
    """Return the name under which timm creates a model; None if it is not one of timm's."""
    config: Any = getattr(model, "pretrained_cfg", {})
    name = config.get("architecture")
    return str(name) if name and timm.is_model(str(name)) else None


def how_to_load(model: torch.nn.Module, run: Path) -> str:
    """Return a line of Python that loads a run's result."""
    if architecture_of(model) is None:
        return f'model.load_state_dict(safetensors.torch.load_file("{run}/model/model.safetensors"))'
    return f'timm.create_model("local-dir:{run}/model", pretrained=True)'


def label_names(names: list[str], classes: int | None) -> list[str]:
    """Name for every output of the classifier, which --num-classes may have made larger than the data."""
    return names + [f"{UNUSED}{index}" for index in range(len(names), classes or 0)]


def recipe(options: TrainOptions) -> dict[str, object]:
    """Return how the weights were trained, redacted for publication."""
    said = options_to_dict(options, result_only=True)
    told = public_options(said, dataset_kind(options.data.dataset))
    main = {name: told[name] for name in ("mix", "distill", "seed")}
    return {"package": "timm_multimix", **main, "options": told, "versions": versions()}
