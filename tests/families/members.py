"""timm's families, each a module of timm.models, and the model that stands for one in the sweep."""

import os
from datetime import date
from functools import cache
from importlib.util import find_spec

import timm
import torch

from tests.families import record

# Other kinds of heads and features than the smallest members have.
EXTRAS = {
    "deit_tiny_distilled_patch16_224": "two class tokens, two heads",
    "pit_ti_distilled_224": "two class tokens, two heads, no positions in the features",
    "efficientvim_m1_dist": "several scales, two sets of heads",
    "levit_conv_128s": "BatchNorm in the head",
    "repvit_m0_9": "BatchNorm in two heads",
    "mobilenetv4_conv_small_035": "convolution and BatchNorm after pooling",
    "coat_lite_tiny": "class token after the last of several scales",
    "mvitv2_small_cls": "class token",
    "resnet50_clip": "attention pooling of a map",
    "test_vit3": "attention pooling of tokens",
    "vit_small_patch14_reg4_dinov2": "register tokens",
    "eva02_tiny_patch14_224": "rotary positions",
    "hieradet_small": "maps with channels last",
    "test_vit4": "average pooling of tokens behind a class token",
    "test_maxvit": "attention in blocks and grids",
    "xception41": "stages inside a block",
}


@cache
def families() -> list[str]:
    """All modules of timm with models; others may have registered more."""
    own = (module for module in timm.list_modules() if find_spec(f"timm.models.{module}"))
    return sorted(module for module in own if timm.list_models(module=module))


def by_size() -> list[str]:
    """The families by their smallest members' parameters, so that every share of them takes as long."""
    sizes = {row["family"]: row["parameters"] for row in record.load()["models"].values() if not row["extra"]}
    return sorted(families(), key=lambda family: (sizes.get(family, 0), family))


def family_of(name: str) -> str:
    return next(family for family in families() if name in timm.list_models(module=family))


def members(family: str) -> list[str]:
    """The family's models with a classifier, the one with the fewest parameters first."""
    sized = [(parameters(name), name) for name in timm.list_models(module=family)]
    return [name for count, name in sorted(sized) if count]


def parameters(name: str) -> int:
    """Number of a model's parameters; 0 where it has no classifier."""
    with torch.device("meta"):
        model = timm.create_model(name, num_classes=record.CLASSES)
    shapes = [parameter.shape for parameter in model.parameters()]
    has_classifier = any(record.CLASSES in shape[:1] for shape in shapes)
    return sum(shape.numel() for shape in shapes) if has_classifier else 0


def chosen_families(text: str | None = None, today: date | None = None) -> list[str]:
    """Those to be swept: `all`, a share such as `2/5`, names; by default the fifth of the day of the year."""
    text = text or os.environ.get("MULTIMIX_FAMILIES") or default_share(today or date.today())
    if text == "all":
        return families()
    if "/" in text:
        part, parts = map(int, text.split("/"))
        if not 1 <= part <= parts:
            raise ValueError(f"MULTIMIX_FAMILIES must be all, a share such as 1/5, or names, got {text}")
        return by_size()[part - 1 :: parts]
    names = text.split(",")
    if unknown := set(names) - set(families()):
        raise ValueError(f"MULTIMIX_FAMILIES={text} given, unknown: {sorted(unknown)}")
    return names


def default_share(today: date) -> str:
    return f"{today.timetuple().tm_yday % 5 + 1}/5"


def cases(chosen: list[str]) -> list[tuple[str, str]]:
    """(family, model) for each of the families, its smallest, and for the extras among them.

    The model's name is empty for a family that the record does not have.
    """
    known = {row["family"]: name for name, row in record.load()["models"].items() if not row["extra"]}
    smallest = [(family, known.get(family, "")) for family in chosen]
    extras = [(family_of(name), name) for name in EXTRAS]
    return sorted(smallest + [case for case in extras if case[0] in chosen and case not in smallest])
