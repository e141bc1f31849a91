"""Mixing consistency: how linear a model is between examples, f(mix x) against mix f(x)."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from ..errors import UsageError
from ..mixers import Context, Mixture, create_mixer
from ..randomness import choice_generator, draw_generator


def create_input_mixer(spec: str) -> Mixture:
    """Create the mixers of a spec.

    Raises:
        UsageError: not a spec, or one of its mixers does not mix images without a model.
    """
    mixture = create_mixer(spec)
    try:
        mixture.check_input_only()
    except UsageError as error:
        raise UsageError(f"--consistency {spec}: {error}") from None
    return mixture


def mixing_gap(mixed: Tensor, expected: Tensor) -> Tensor:
    """Return the sums over rows, [2], of KL(expected, softmax(mixed)) in nats and of total variation, 0 to 1.

    mixed [n, c]: logits of mixed images; expected [n, c]: probabilities.
    """
    log_p, expected = mixed.cpu().double().log_softmax(1), expected.cpu().double()
    divergence = torch.xlogy(expected, expected) - expected * log_p
    variation = (expected - log_p.exp()).abs() / 2
    return torch.stack([divergence.sum(), variation.sum()])


@torch.no_grad()
def measure_consistency(
    model: Callable[[Tensor], Tensor], batches: Iterable[Tensor], mixture: Mixture, seed: int = 0
) -> dict[str, float]:
    """Return the mean gap between the predictions for mixed images and the mixed predictions for the images.

    For every batch [b, ch, h, w] the mixers draw once, as a function of (seed, batch). With p = softmax f,
    `kl` is the mean over mixed images k of KL(draw.targets(p(x))_k, p(draw(x))_k) in nats, and
    `total_variation` that of half the l1 distance. Both are 0 if the model is exactly as linear as mixing the
    targets assumes. A constant model is, too, so compare them together with the accuracy.
    """
    sums, count = torch.zeros(2, dtype=torch.float64), 0
    for step, pixels in enumerate(batches):
        mixer = mixture.choose(choice_generator(seed, step)).mixer
        draw = mixer.sample(pixels, Context(draw_generator(seed, step, pixels.device)))
        mixed = model(draw(pixels))
        expected = draw.targets(model(pixels).softmax(1))
        sums += mixing_gap(mixed, expected)
        count += len(mixed)
    divergence, variation = (sums / count).tolist()
    return {"kl": divergence, "total_variation": variation}
