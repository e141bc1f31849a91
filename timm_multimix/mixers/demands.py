"""Demands of a mixer: passes through the model, examples, data and a kind of model."""

import torch

from ..errors import UsageError
from .mixer import Context, Mixer
from .places import PLACES

_ATTENTIVE = "MixTask; a vision transformer whose last attention is over all tokens"
_FEATURE_MAP = "MixTask; a timm model whose last feature map has more than one position"

GUIDED = {
    "gradient": ("one forward and backward", "MixTask; any model"),
    "features": ("one forward", _FEATURE_MAP),
    "activation": ("one forward", _FEATURE_MAP),
    "evidence": ("one forward", _FEATURE_MAP),
    "received": ("one forward", _ATTENTIVE),
}
"""For each guide, the cost of computing it, and what it takes."""


def extra_cost(mixer: Mixer) -> str:
    """Return the extra cost of a training step, in words, from the structure of the mixer."""
    costs = [*(GUIDED[guide][0] for guide in mixer.guides), PLACES[mixer.place].cost]
    if mixer.complete is not None:
        costs.append("a pass that is not compiled")
    if mixer.solver:
        costs.append("a solver on the CPU")
    if (rows := rows_per_example(mixer)) > 1:
        costs.append(f"{rows:g} times the examples")
    return ", ".join(filter(None, costs)) or "no extra pass"


def rows_per_example(mixer: Mixer) -> float:
    """Return how many examples the network processes for each one in the batch, by trial."""
    if mixer.guided or mixer.row_per_example or not PLACES[mixer.place].maps:
        return 1.0
    draw = mixer.sample(torch.zeros(4, 1, 2, 2), Context(torch.Generator().manual_seed(0)))
    return len(draw.targets(torch.eye(4))) / 4


def find_data(mixer: Mixer) -> str:
    """Return what can be mixed: `any` if a table [b, features] works, by trial; else `images`."""
    if mixer.guided or PLACES[mixer.place].images_only:
        return "images"
    try:
        mixer.sample(torch.zeros(4, 3), Context(torch.Generator(), torch.zeros(4)))
    except UsageError:
        return "images"
    return "any"


def find_model(mixer: Mixer) -> str:
    """Return what a mixer needs: a task, and a kind of model."""
    if mixer.complete is not None:
        return _ATTENTIVE
    return GUIDED[mixer.guides[0]][1] if mixer.guides else PLACES[mixer.place].needs
