"""`per_sample(a | b)`: choose a mixer for every example of the batch."""

from functools import partial

from torch import Tensor

from ..errors import UsageError
from ..functional import Draw, choose_per_sample
from ..mixer_names import PER_SAMPLE
from .mixer import Context, Mixer
from .places import PLACES
from .sources import Agreement
from .step import Branches

AGREEMENT = Agreement(
    reference="timm.data.Mixup(mode='elem'), generalised",
    tested="every row against those of the mixers it chooses from; shares of the choice",
    tests=(
        "mixers/test_per_sample.py::test_every_row_is_that_of_one_of_the_mixers",
        "mixers/test_per_sample.py::test_a_share_of_the_samples_is_mixed",
    ),
    departures="timm's partner is the example at the mirrored place of the batch, which is "
    "partner='reversed' or 'pair'; here it is random.",
)


def per_sample(branches: Branches) -> Mixer:
    """Mix each example with one of several mixers, drawn on the device in proportion to their weights.

    With `none` a share of the examples is left unmixed: `per_sample(0.5*none | 0.5*mixup)`. An example that
    is mixed may meet any example of the batch. Every mixer draws for the whole batch, which costs as much as
    all of them together. If all of them have partner='pair', both examples of a pair are mixed by the same
    one.

    Raises:
        UsageError: the mixers are at different places or layers, or at the classifier; do not return one row
            for each example; or are sums or chains of mixers.
    """
    for _, step in branches:
        if not step.is_plain:
            raise UsageError(f"{PER_SAMPLE} must be given mixers alone, got {step.name}")
    mixers = tuple(step.mixer for _, step in branches)
    for mixer in mixers:
        _check_part(mixer)
    mixing = [mixer for mixer in mixers if mixer.name != "none"] or list(mixers)
    places = dict.fromkeys(_place_of(mixer) for mixer in mixing)
    if len(places) > 1 or not PLACES[mixing[0].place].maps:
        given = ", ".join(f"{mixer.name} at {_place_of(mixer)}" for mixer in mixing)
        raise UsageError(f"mixers in {PER_SAMPLE} must mix at the input or at the same layers, got {given}")
    name = " | ".join(f"{weight:g}*{step.name}" for weight, step in branches)
    sample = partial(_sample, mixers, [weight for weight, _ in branches])
    return Mixer(f"{PER_SAMPLE}({name})", sample, mixing[0].place, mixing[0].layers, parts=mixers)


def _check_part(mixer: Mixer) -> None:
    if not mixer.row_per_example:
        raise UsageError(f"mixers in {PER_SAMPLE} must return one row for each example, got {mixer.name}")
    if mixer.complete is not None:
        raise UsageError(
            f"mixers in {PER_SAMPLE} must know their labels when they draw, got {mixer.name}, "
            "whose labels come from the pass over the mixed batch"
        )


def _sample(mixers: tuple[Mixer, ...], weights: list[float], x: Tensor, context: Context) -> Draw:
    draws = [mixer.sample(x, context) for mixer in mixers]
    mixing = [mixer for mixer in mixers if mixer.name != "none"]
    pairs = bool(mixing) and all(mixer.arguments.get("partner") == "pair" for mixer in mixing)
    return choose_per_sample(draws, weights, len(x), x.device, context.generator, pairs)


def _place_of(mixer: Mixer) -> str:
    return f"{mixer.place} {mixer.layers}" if mixer.place == "hidden" else mixer.place
