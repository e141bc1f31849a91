"""A check, once per model, that mixing logits equals mixing the classifier's input; warns if it does not.

Both readings of mixing before the classifier agree if all layers after the classifier's input are affine and
treat examples independently. That does not hold in VOLO (a maximum over tokens), for a cosine classifier, or
if the classifier contains a normalisation or a hidden layer.
"""

import warnings

import torch
from torch import Tensor, nn

from ..functional import Tuples
from .eval_mode import undisturbed
from .frozen_norm import AnyModule, uses_batch_statistics
from .literal import InputPoint
from .outputs import as_logits
from .probe import classifiers

# Relative to the logits' spread; below the smallest error measured for layers that are not affine.
_TOLERATED = 1e-3
# Rounding errors between embedding and logits, in units of the classifier's eps times the logits' norm.
_ROUNDINGS = 16
_EXAMPLES = 8


def warn_if_not_affine(model: nn.Module, images: Tensor) -> None:
    """Warn if mixed logits differ from the logits of mixed embeddings, in training or always, and why."""
    name, reasons = type(model).__name__, _in_classifier(model)
    if (difference := affine_error(model, images)) is not None and difference > _TOLERATED:
        reasons.insert(0, f"its classifier is not an affine map of its input (error {difference:.2g})")
    if reasons:
        warnings.warn(
            f"{name}: {'; '.join(reasons)}. The logits of the clean examples are mixed; "
            "literal of multimix mixes the classifier's input instead",
            stacklevel=2,
        )
    # A model's own classifier is called behind this dropout, so `literal` does not come before it either.
    rate = getattr(model, "drop_rate", 0)
    if isinstance(rate, int | float) and rate and not _dropouts(model):
        warnings.warn(
            f"{name}: dropout before its classifier (drop_rate={rate:g}) comes before the mixing, and "
            "averages out over a tuple, also with literal of multimix; short tuples (m=4) keep more of it",
            stacklevel=2,
        )


def affine_error(model: nn.Module, images: Tensor) -> float | None:
    """Distance of the logits of mean embeddings from the mean logits, relative to the logits' spread.

    Possible rounding errors are subtracted. The model runs in eval mode; it and the random numbers are not
    changed. Returns None if nothing can be measured: fewer than two images, no known classifier that is
    called, or logits that are equal up to rounding.
    """
    found = [module for module in classifiers(model) if not isinstance(module, nn.Identity)]
    if len(images) < 2 or not found:
        return None
    images = images[:_EXAMPLES].detach()
    point, outputs = InputPoint(), list[Tensor]()
    handles = point.attach(found)
    handles += [module.register_forward_hook(lambda m, args, out: outputs.append(out)) for module in found]
    try:
        with undisturbed(model, images.device, autocast=False, keep_random=True):
            return _error(model, images, point, outputs)
    finally:
        for handle in handles:
            handle.remove()


def _error(model: nn.Module, images: Tensor, point: InputPoint, outputs: list[Tensor]) -> float | None:
    images = images.to(_dtype(model)) if images.is_floating_point() else images
    means = Tuples((torch.eye(len(images), device=images.device) + _next_one(images)) / 2)
    logits = _wide(model, images)
    with point.mixing(lambda embedding: means):
        mixed = _wide(model, images)
    if point.draw is None or mixed.shape != logits.shape:
        return None
    spread, error = (logits - logits.mean(0)).norm(), (mixed - means(logits)).norm()
    rounding = _ROUNDINGS * max(torch.finfo(out.dtype).eps for out in outputs) * logits.norm()
    return float((error - rounding).clamp_min(0) / spread) if spread > rounding else None


def _wide(model: nn.Module, images: Tensor) -> Tensor:
    logits = as_logits(model(images))
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _next_one(images: Tensor) -> Tensor:
    return torch.eye(len(images), device=images.device).roll(1, 1)


def _in_classifier(model: nn.Module) -> list[str]:
    """Return reasons in the classifier, only in training, why mixing logits differs from mixing its input."""
    norms = any(uses_batch_statistics(norm) for norm in _inside(model, nn.modules.batchnorm._BatchNorm))
    reasons = ["its classifier normalises by the statistics of the clean batch"] if norms else []
    if _dropouts(model):
        reasons.append("dropout in its classifier comes before the mixing, and averages out over a tuple")
    return reasons


def _dropouts(model: nn.Module) -> list[nn.Dropout]:
    return [each for each in _inside(model, nn.Dropout) if each.training and each.p]


def _inside(model: nn.Module, kind: type[AnyModule]) -> list[AnyModule]:
    """The modules of a kind in the model's classifiers."""
    return [part for each in classifiers(model) for part in each.modules() if isinstance(part, kind)]


def _dtype(model: nn.Module) -> torch.dtype:
    return next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
