"""The memorization test of --label-noise (arXiv:1710.09412, section 3.4): are replaced labels memorized?

After every epoch the weights as trained are evaluated on all training images, in eval mode and with the
evaluation's transform, so without mixing or augmentation.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..data.noise import EncodedLabels
from ..records import NoiseRecord
from ..sites.student import as_logits
from .consensus import Watch
from .evaluate import add_up, as_scores, count
from .sharding import is_sharded

if TYPE_CHECKING:
    from .setup import Setup

PARTS = ("noisy", "noisy_true", "clean")
"""Images with a replaced label, against that label (memorized) and against the true one; other images."""


@torch.no_grad()
def measure_memorization(setup: "Setup", watch: Watch) -> dict[str, float]:
    """Return loss and top-1 in per cent of each of `PARTS` that has images; nothing without --label-noise.

    Raises Stop for a signal.
    """
    if setup.memorization is None:
        return {}
    labels = setup.memorization.dataset.source
    assert isinstance(labels, EncodedLabels)

    def predict(images: Tensor, codes: Tensor) -> Tensor:
        if is_sharded(setup.model):
            return setup.predict(images, labels.decode(codes)[0])
        return as_logits(setup.model(images))

    def count_parts(logits: Tensor, codes: Tensor, valid: Tensor) -> Tensor:
        given, true, replaced = labels.decode(codes)
        noisy, clean = valid & replaced, valid & ~replaced
        return torch.stack(
            [count(logits, given, noisy), count(logits, true, noisy), count(logits, given, clean)]
        )

    model = setup.wrapped if is_sharded(setup.model) else setup.model
    batches = watch.over(setup.memorization.epoch(0))
    sums = add_up(count_parts, model, batches, setup.accelerator, setup.layout, predict)
    found = {name: as_scores(row) for name, row in zip(PARTS, sums, strict=True) if row[-1]}
    return {
        f"{name}_{key}": value
        for name, result in found.items()
        for key, value in (("loss", result.loss), ("top1", result.value("top1")))
    }


def describe_noise(setup: "Setup", rows: list[dict[str, Any]]) -> NoiseRecord | None:
    """Number of replaced labels, and the last epoch's columns of `PARTS`; None without --label-noise."""
    if setup.memorization is None:
        return None
    dataset = setup.memorization.dataset
    assert isinstance(dataset.source, EncodedLabels)
    noisy = dataset.source.count_replaced(dataset)
    names = [f"{part}_{key}" for part in PARTS for key in ("loss", "top1")]
    return NoiseRecord(
        part=setup.options.data.label_noise,
        kind=setup.options.data.label_noise_kind,
        noisy_samples=noisy,
        clean_samples=len(dataset) - noisy,
        **{name: rows[-1][name] for name in names if name in rows[-1]},
    )
