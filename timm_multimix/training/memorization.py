"""The memorization test of --label-noise (arXiv:1710.09412, section 3.4): are replaced labels memorized?

After every epoch the weights as trained are evaluated on all training images, in eval mode and with the
evaluation's transform, so without mixing or augmentation.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..data.noise import LabelFacts
from ..records.schema import NoiseRecord
from .consensus import Watch
from .evaluate import add_up, as_scores, count, predict_batches
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
    sharded = is_sharded(setup.model)
    predictions = predict_batches(
        setup.wrapped if sharded else setup.model,
        watch.over(setup.memorization.epoch(0)),
        setup.accelerator,
        setup.layout,
        (lambda images, labels: setup.predict(images, labels[:, 0])) if sharded else None,
    )
    sums = add_up(count_parts, predictions, setup.accelerator)
    found = {name: as_scores(row) for name, row in zip(PARTS, sums, strict=True) if row[-1]}
    return {
        f"{name}_{key}": value
        for name, result in found.items()
        for key, value in (("loss", result.loss), ("top1", result.value("top1")))
    }


def count_parts(logits: Tensor, labels: Tensor, valid: Tensor) -> Tensor:
    """Return the sums of `count` for each of `PARTS`; labels [b, 3] are those of `LabelFacts`."""
    given, true, replaced = labels.unbind(1)
    noisy, clean = valid & (replaced == 1), valid & (replaced == 0)
    return torch.stack([count(logits, given, noisy), count(logits, true, noisy), count(logits, given, clean)])


def describe_noise(setup: "Setup", rows: list[dict[str, Any]]) -> NoiseRecord | None:
    """Number of replaced labels, and the last epoch's columns of `PARTS`; None without --label-noise."""
    if setup.memorization is None:
        return None
    dataset = setup.memorization.dataset
    assert isinstance(dataset.source, LabelFacts)
    noisy = dataset.source.count_replaced(dataset)
    names = [f"{part}_{key}" for part in PARTS for key in ("loss", "top1")]
    return NoiseRecord(
        part=setup.options.data.label_noise,
        kind=setup.options.data.label_noise_kind,
        noisy_samples=noisy,
        clean_samples=len(dataset) - noisy,
        **{name: rows[-1][name] for name in names if name in rows[-1]},
    )
