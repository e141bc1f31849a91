"""Cuts through a network at a layer: the tensors to mix there, so that no path bypasses the mixing."""

import re
from typing import Any, NamedTuple

from torch import nn

from ..errors import UsageError

_NOTHING = r"(?!)"
# The form of stages after the stem in a spec; module names have no spaces.
_STAGE = re.compile(r"stage (\d+)")


class Cut(NamedTuple):
    """A module whose output is mixed, and inputs (module, index) of later modules that come from before it.

    Args:
        output: name of the module.
        inputs: inputs that bypass it and must be mixed, too.
        width: number of channels of the output, if feature_info has it.
        grouped: whether tensors of it hold several consecutive rows for every example, [k b, ...].
    """

    output: str
    inputs: tuple[tuple[str, int], ...] = ()
    width: int | None = None
    grouped: bool = False


# By class and stage: models whose feature_info names no module, or a module that other paths bypass.
_CUTS: dict[str, dict[str, Cut]] = {
    "HighResolutionNet": {
        "stem": Cut("act2"),
        "stage1": Cut("layer1"),
        **{f"stage{k}": Cut(f"stage{k}") for k in (2, 3, 4)},  # its widths are those of the head's branches
    },
    # msfa joins the last two stages; without it they are ordinary ones.
    "MobileNetV5": {"bn1": Cut("conv_stem"), "blocks.3": Cut("msfa")},
    "MultiScaleVit": {f"block.{k}": Cut(f"stages.{k}") for k in range(4)},
    "Twins": {f"block.{k}": Cut(f"blocks.{k}") for k in range(4)},
    "TNT": {f"blocks.{k}": Cut(f"blocks.{k}", grouped=True) for k in range(64)},  # pixels in each patch
    "Gemma4VitClassifier": {f"blocks.{k}": Cut(f"encoder.blocks.{k}") for k in range(64)},
    "NASNetALarge": {
        "cell_stem_1.conv_1x1.act": Cut("cell_stem_0", (("cell_stem_1", 0),)),
        "reduction_cell_0.conv_1x1.act": Cut("cell_5", (("reduction_cell_0", 1), ("cell_6", 1))),
        "reduction_cell_1.conv_1x1.act": Cut("cell_11", (("reduction_cell_1", 1), ("cell_12", 1))),
    },
    "PNASNet5Large": {
        "cell_stem_1.conv_1x1.act": Cut("cell_stem_0", (("cell_stem_1", 0),)),
        "cell_4.conv_1x1.act": Cut("cell_3", (("cell_4", 0),)),
        "cell_8.conv_1x1.act": Cut("cell_7", (("cell_8", 0),)),
    },
    "Xception": {f"block{k}.rep.0": Cut(f"block{k - 1}") for k in range(2, 13)},
    # Inside a block, parallel to its shortcut.
    "XceptionAligned": {
        f"blocks.{k}.stack.{part}": Cut(f"blocks.{k}.stack.{part}", ((f"blocks.{k}.shortcut", 0),))
        for k in range(32)
        for part in ("conv2", "act3")
    },
    # The head reads a hidden state of every stage.
    "EfficientViM": {
        f"stages.{k}": Cut(
            f"stages.{k}", tuple((f"{heads}.{i}", 0) for heads in ("heads", "heads_dist") for i in range(k))
        )
        for k in range(1, 8)
    },
}


def find_cut(model: nn.Module, layer: int | str) -> Cut:
    """Return the cut at a layer: an entry of the model's feature_info, or a module's own name.

    A number k is its k-th entry, `stage k` its k-th entry after the stem (see `find_stages`).

    Raises:
        UsageError: there is no such entry or module; the message lists them.
    """
    name = _name_of(model, layer)
    cut = _cut_at(model, name)
    if not _has(model, cut.output):
        raise UsageError(
            f"layer must be a stage or module of {type(model).__name__}, got {name!r}; its stages are "
            f"{_numbered(stage_names(model))}"
        )
    return cut._replace(inputs=tuple(given for given in cut.inputs if _has(model, given[0])))


def _name_of(model: nn.Module, layer: int | str) -> str:
    behind_stem = _STAGE.fullmatch(str(layer))
    if isinstance(layer, str) and not behind_stem:
        return layer
    stages = find_stages(model) if behind_stem else stage_names(model)
    number = int(behind_stem[1]) if behind_stem else int(layer)
    if not 1 <= number <= len(stages):
        which = "stages after the stem" if behind_stem else "stages"
        raise UsageError(
            f"layer must be one of the {which} of {type(model).__name__}, {_numbered(stages)}, got {layer}"
        )
    return stages[number - 1]


def _cut_at(model: nn.Module, name: str) -> Cut:
    return _known_cut(model, name) or Cut(name.replace("/", "."), width=_widths(model).get(name))


def find_stages(model: nn.Module) -> list[str]:
    """Return the names in the model's feature_info without the first ones, if they belong to the stem.

    Many networks of timm name their stem there too, as resnet, regnet and densenet do. An entry belongs to
    the stem if all parameters of the network up to it do, by the model's own `group_matcher`.
    """
    stem = _stem_pattern(model)
    return [name for name in stage_names(model) if not _ends_in(stem, model, _cut_at(model, name).output)]


def _stem_pattern(model: Any) -> re.Pattern[str]:
    """Pattern of the names of the stem's parameters, as timm groups them for layer-wise learning rates.

    For a model without such groups it is the name that nearly all others use; a model whose groups have no
    stem has none.
    """
    groups = model.group_matcher() if hasattr(model, "group_matcher") else {"stem": "stem"}
    stem = groups.get("stem") if isinstance(groups, dict) else None
    return re.compile(stem if isinstance(stem, str) else _NOTHING)


def _ends_in(stem: re.Pattern[str], model: nn.Module, output: str) -> bool:
    """Return whether all parameters of the network up to the end of a module are the stem's."""
    before: list[str] = []
    reached = False
    for name, module in model.named_modules():
        inside = name == output or name.startswith(f"{output}.")
        if reached and not inside:
            break
        reached |= inside
        before += [f"{name}.{own}".lstrip(".") for own, _ in module.named_parameters(recurse=False)]
    return all(stem.match(parameter) for parameter in before)


def find_layer(model: nn.Module, layer: int | str) -> nn.Module:
    """Return the module at whose output the network is cut; for a list of modules, the last one.

    For a Sequential it is also the last child, unless the Sequential does more than run its children:
    gradient checkpointing bypasses hooks on containers.

    Raises:
        UsageError: there is no such stage or module; the message lists the stages.
    """
    module = model.get_submodule(find_cut(model, layer).output)
    while (children := _chain(module)) is not None and len(children):
        module = children[-1]
    return module


def _chain(module: nn.Module) -> nn.ModuleList | nn.Sequential | None:
    """Return the module as a chain of its children, if it does nothing else."""
    if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
        return module
    return module if isinstance(module, nn.ModuleList) else None


def stage_names(model: Any) -> list[str]:
    """Return the names in the model's feature_info, if it has one."""
    return [stage["module"] for stage in _stages(model)]


def _stages(model: Any) -> list[dict[str, Any]]:
    info = getattr(model, "feature_info", None) or []
    return list(getattr(info, "info", info))


def _widths(model: Any) -> dict[str, int]:
    return {stage["module"]: stage["num_chs"] for stage in _stages(model) if "num_chs" in stage}


def _known_cut(model: nn.Module, name: str) -> Cut | None:
    known = (_CUTS.get(kind.__name__, {}).get(name) for kind in type(model).__mro__)
    return next((cut for cut in known if cut is not None and _has(model, cut.output)), None)


def _has(model: nn.Module, name: str) -> bool:
    try:
        model.get_submodule(name)
    except AttributeError:
        return False
    return True


def _numbered(stages: list[str]) -> str:
    return ", ".join(f"{k} ({name})" for k, name in enumerate(stages, 1)) or "none: give a module's name"
