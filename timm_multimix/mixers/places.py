"""The places of mixing in the network, each declared once.

How a pass is mixed at a place inside the network is in `sites.inside`.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place of mixing.

    Args:
        where: what is mixed, for `list`.
        needs: what it takes to mix there.
        depth: a mixer can mix what another has mixed at a place that is less deep.
        in_network: whether the network goes on with what is mixed there; else its outputs are mixed.
        chosen: whether an argument `place` may name it; else it is for mixers that are made for it.
        maps: whether images or feature maps are mixed, so that masks and boxes can be.
        images_only: whether it takes images to mix there, not any tensors.
        cost: of a step, beside an ordinary one.
        shown: what a preview shows of it: the mixed images, the weights of tuples, or nothing.
        pictured: where that is, beside such a picture; by default `where`.
    """

    where: str
    needs: str
    depth: int
    in_network: bool = True
    chosen: bool = True
    maps: bool = False
    images_only: bool = False
    cost: str = ""
    shown: Literal["images", "tuples", "nothing"] = "images"
    pictured: str = ""


_FEATURE_MAP = "MixTask; a timm model with a feature map"

PLACES = {
    "input": Place(
        where="images, before the network",
        needs="no model: works with MixTask, and in place of timm.data.Mixup",
        depth=0,
        maps=True,
        pictured="at the input",
    ),
    "hidden": Place(
        where="a layer of the network",
        needs="MixTask; a timm model, or names of modules as layers",
        depth=1,
        maps=True,
        pictured="at a hidden layer; here drawn on the images",
    ),
    "features": Place(
        where="the last feature map, before pooling",
        needs=_FEATURE_MAP,
        depth=2,
        chosen=False,
        images_only=True,
        shown="nothing",
        pictured="at the last features, where there is no image of it",
    ),
    "classifier": Place(
        where="the classifier's own input",
        needs="MixTask; a model with a classifier that is a module",
        depth=3,
        chosen=False,
        shown="tuples",
        pictured="before the classifier",
    ),
    "embedding": Place(
        where="before the classifier",
        needs="MixTask; any model that gives logits",
        depth=3,
        in_network=False,
        shown="tuples",
        pictured="before the classifier",
    ),
    "positions": Place(
        where="every position of the last feature map, before the classifier",
        needs=_FEATURE_MAP,
        depth=3,
        in_network=False,
        images_only=True,
        cost="the head at every position",
        shown="tuples",
        pictured="at every position",
    ),
}
"""By name, from the input on."""

ANY_PLACE = tuple(name for name, place in PLACES.items() if place.chosen)
"""For mixers of any tensors."""

MAP_PLACES = tuple(name for name, place in PLACES.items() if place.chosen and place.maps)
"""For masks and boxes."""
