"""Demands of a mixer: passes through the model, examples, data and a kind of model."""

import torch

from ..errors import UsageError
from .mixer import Context, Mixer

PASSES = {
    "gradient": "one forward and backward",
    "features": "one forward",
    "activation": "one forward",
    "evidence": "one forward",
    "received": "one forward",
}
"""The cost of each guide."""

PLACES = {
    "input": "images, before the network",
    "hidden": "a layer of the network",
    "features": "the last feature map, before pooling",
    "embedding": "before the classifier",
    "positions": "every position of the last feature map, before the classifier",
}
"""The places of mixing, from the input on."""

_MODELS = {
    "input": "no model: works with MixTask, and in place of timm.data.Mixup",
    "hidden": "MixTask; a timm model, or names of modules as layers",
    "features": "MixTask; a timm model with a feature map",
    "embedding": "MixTask; any model that gives logits",
    "positions": "MixTask; a timm model with a feature map",
}
_ATTENTIVE = "MixTask; a vision transformer whose last attention is over all tokens"
_GUIDED = {
    "gradient": "MixTask; any model",
    "features": "MixTask; a timm model whose last feature map has more than one position",
    "activation": "MixTask; a timm model whose last feature map has more than one position",
    "evidence": "MixTask; a timm model whose last feature map has more than one position",
    "received": _ATTENTIVE,
}


def extra_cost(mixer: Mixer) -> str:
    """Return the extra cost of a training step, in words, from the structure of the mixer."""
    costs = [PASSES[guide] for guide in mixer.guides]
    if mixer.place == "positions":
        costs.append("the head at every position")
    if mixer.complete is not None:
        costs.append("a pass that is not compiled")
    if mixer.solver:
        costs.append("a solver on the CPU")
    if (rows := rows_per_example(mixer)) > 1:
        costs.append(f"{rows:g} times the examples")
    return ", ".join(costs) or "no extra pass"


def rows_per_example(mixer: Mixer) -> float:
    """Return how many examples the network processes for each one in the batch, by trial."""
    if mixer.guided or mixer.row_per_example or mixer.place not in ("input", "hidden"):
        return 1.0
    draw = mixer.sample(torch.zeros(4, 1, 2, 2), Context(torch.Generator().manual_seed(0)))
    return len(draw.targets(torch.eye(4))) / 4


def find_data(mixer: Mixer) -> str:
    """Return what can be mixed: `any` if a table [b, features] works, by trial; else `images`."""
    if mixer.guided or mixer.place in ("positions", "features"):
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
    return _GUIDED[mixer.guides[0]] if mixer.guides else _MODELS[mixer.place]
