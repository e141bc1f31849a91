"""The registered mixers that need nothing but the tensor at their place."""

import warnings
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from .. import functional as F
from ..errors import UsageError
from ..functional import Draw
from ..functional.attention import AttentionScore, find_score
from .arguments import concentration, concentration_range, count, flag, fraction, one_of
from .building import FIRST_LAYERS, MAP_PLACES, Layers, as_usage_error, make_mixer
from .mixer import Context, Mixer
from .registry import register_mixer
from .spec import parse_spec
from .step import Branches, weighted

_COLLAPSE = (
    "multimix over the whole batch at place={!r} collapses training (94.7 % error on CIFAR-100, "
    "zeta-mixup paper, table 8); give short tuples, such as m=2"
)


def _sample_dense(detach: bool, arguments: dict[str, Any], x: Tensor, context: Context) -> Draw:
    assert context.attention is not None
    attention = context.attention.detach() if detach else context.attention
    return F.Tuples(F.dense_weights(attention, **arguments, generator=context.generator))


_ALPHA, _REST = (0.5, 2.0), 0.1


def _tuple_arguments(
    n: int,
    m: int | None,
    alpha: Any,
    alpha_per_example: bool,
    clean: float,
    target: float | None,
    rest: float,
) -> dict[str, Any]:
    if target is None and rest != _REST:
        raise UsageError(f"rest={rest!r} has no effect without target; give target=3.0 or the like too")
    if target is not None and (alpha != _ALPHA or alpha_per_example):
        raise UsageError(f"alpha has no effect together with target={target!r}; remove one of them")
    return {
        "n": count("n", n),
        "m": m if m is None else count("m", m),
        "alpha": concentration_range("alpha", alpha),
        "alpha_per_example": flag("alpha_per_example", alpha_per_example),
        "clean": fraction("clean", clean),
        "target": target if target is None else concentration("target", target),
        "rest": concentration("rest", rest),
    }


def _check_literal(literal: Any, gather: bool, place: str) -> tuple[str, ...]:
    """The names of the modules whose input is to be mixed; none for the model's own classifiers."""
    names = () if literal is True else tuple(literal) if isinstance(literal, tuple | list) else (literal,)
    if (literal is not True and not names) or not all(isinstance(name, str) and name for name in names):
        raise UsageError(f"literal must be True, False or names of modules, got {literal!r}")
    if place != "embedding":
        raise UsageError(f"literal must be given with place='embedding', got place={place!r}")
    if gather:
        raise UsageError("literal must be given with gather=False, as only logits travel, got gather=True")
    return names


def _with_probability(p: float, mixer: Mixer, other: str) -> Branches:
    """`mixer` with probability p, else what the spec `other` says."""
    return weighted((fraction("p", p), mixer), (1 - p, parse_spec(other)))


@register_mixer
def none() -> Mixer:
    """No mixing: empirical risk minimisation."""
    return make_mixer("none", F.none)


@register_mixer
def sample_pairing(place: str = "input", layers: Layers = FIRST_LAYERS) -> Mixer:
    """SamplePairing: average two images, keep the first one's label (arXiv:1801.02929)."""
    return make_mixer("sample_pairing", F.sample_pairing, place, layers)


@register_mixer
def mixup(
    alpha: float = 1.0, per_sample: bool = False, place: str = "input", layers: Layers = FIRST_LAYERS
) -> Mixer:
    """mixup: interpolate two images and their labels (arXiv:1710.09412)."""
    arguments = {"alpha": concentration("alpha", alpha), "per_sample": flag("per_sample", per_sample)}
    return make_mixer("mixup", F.mixup, place, layers, **arguments)


@register_mixer
def cutmix(
    alpha: float = 1.0,
    per_sample: bool = False,
    correct: bool = True,
    place: str = "input",
    layers: Layers = FIRST_LAYERS,
) -> Mixer:
    """CutMix: paste a box of another image, labels by area (arXiv:1905.04899)."""
    arguments = {
        "alpha": concentration("alpha", alpha),
        "per_sample": flag("per_sample", per_sample),
        "correct": flag("correct", correct),
    }
    return make_mixer("cutmix", F.cutmix, one_of("place", place, MAP_PLACES), layers, **arguments)


@register_mixer
def manifold_mixup(alpha: float = 2.0, per_sample: bool = False, layers: Layers = FIRST_LAYERS) -> Mixer:
    """Manifold mixup: mixup at a layer chosen for every batch (arXiv:1806.05236).

    layers: 0 is the input, k the k-th entry of the model's feature_info, 'stage k' its k-th entry behind the
    stem, any other string a module's name. The default is the paper's: in timm's resnet, regnet and densenet
    entry 1 is the stem, which the paper does not mix.
    """
    arguments = {"alpha": concentration("alpha", alpha), "per_sample": flag("per_sample", per_sample)}
    return make_mixer("manifold_mixup", F.mixup, "hidden", layers, **arguments)


@register_mixer
def multimix(
    n: int = 1000,
    m: int | None = None,
    alpha: float | tuple[float, float] = _ALPHA,
    p: float = 0.5,
    other: str = "mixup",
    alpha_per_example: bool = False,
    clean: float = 0.0,
    target: float | None = None,
    rest: float = _REST,
    gather: bool = False,
    place: str = "embedding",
    layers: Layers = FIRST_LAYERS,
    literal: bool | str | tuple[str, ...] = False,
) -> Branches:
    """MultiMix: n interpolations of the whole batch, before the classifier (arXiv:2311.05538).

    m: examples in a tuple (None: all). With probability p MultiMix, else the mixer spec `other`. The paper
    does not give the alpha of its mixup; AlignMixup, by the same authors and halved likewise, has 2 in both
    halves: `other='mixup(2)'`. alpha_per_example: a concentration for each example and step, not one for
    all. So has it the one public replica of the method, by a co-author's group (arXiv:2312.12334), with
    n = 1000 and alpha from 0.5 to 2 as here. clean: the share of tuples that are single examples, a clean
    term in the same loss. target: the concentration of one example of each tuple, in turn, where the others
    have `rest` (in the place of alpha). gather: mix the examples of all processes, each making n tuples; only
    logits and targets travel.

    The clean examples are classified and their logits are mixed: exactly as if the classifier's input were,
    where all behind it is affine and takes examples one by one. What it normalises by is the clean batch, and
    dropout comes before. The first step tries that out and warns where it is not so. literal: mix the input
    of the model's classifier itself, or of the modules of these names, and classify n mixed embeddings.

    The recipe needs long training. Weights near 1/m make every mixed example nearly the batch's mean, and to
    second order the loss is that of the mean plus 1/(m alpha + 1) times a term that tells examples apart. At
    small logits the gradient of this term is cross-entropy's times 1/(m alpha + 1): under SGD, with m = 128
    and alpha = 1, 0.8 % of that of a clean step. In a short training the MultiMix steps are idle, and the
    recipe does what `0.5*mixup | 0.5*skip` does. Smaller alpha, short tuples and `target` make the factor,
    in general (sum lambda^2 - 1/m) m / (m - 1), larger.
    """
    if flag("gather", gather) and place != "embedding":
        raise UsageError(f"gather=True with place={place!r} given, allowed is place='embedding'")
    if m is None and place in ("input", "hidden"):
        warnings.warn(_COLLAPSE.format(place), stacklevel=2)
    arguments = _tuple_arguments(n, m, alpha, alpha_per_example, clean, target, rest)
    mixer = make_mixer("multimix", F.multimix, place, layers, **arguments)
    pure = replace(mixer, gather=gather, row_per_example=False)
    if literal is not False:
        pure = replace(pure, place="classifier", classifiers=_check_literal(literal, gather, place))
    return _with_probability(p, pure, other)


@register_mixer
def multimix_short(
    n: int = 1000, m: int = 4, alpha: float | tuple[float, float] = _ALPHA, gather: bool = False
) -> Mixer | Branches:
    """MultiMix over tuples of four at every step, for short training: our recipe (arXiv:2311.05538).

    Every step counts: with alpha between 0.5 and 2 tuples of four tell examples apart with about 40 % of a
    clean step's strength, those of the whole batch with about 1 %. Where training is long enough to memorise
    it was level or worse, and it learns wrong labels. What was measured: docs/results.
    """
    return multimix(n, m, alpha, p=1.0, gather=gather)


@register_mixer
def dense_multimix(
    n: int = 1000,
    m: int | None = None,
    alpha: float | tuple[float, float] = _ALPHA,
    p: float = 0.5,
    other: str = "mixup",
    alpha_per_example: bool = False,
    clean: float = 0.0,
    target: float | None = None,
    rest: float = _REST,
    shared: bool = False,
    attention_grad: bool = False,
    attention: AttentionScore = "product",
) -> Branches:
    """Dense MultiMix: MultiMix at every spatial position, weighted by attention (arXiv:2311.05538).

    Arguments as in multimix; shared: the same factors at all positions; attention_grad: let gradient flow
    through the attention. attention: made of the positions' features z, `product`, relu(z . GAP(z)), the
    paper's; of its ablation `gap`, relu of the mean over channels, and `uniform`; or, in Python, a function
    of z [r, b, d] that gives scores [r, b] of at least 0. All are l1-normalised over the positions.
    """
    with as_usage_error():
        find_score(attention)
    arguments = _tuple_arguments(n, m, alpha, alpha_per_example, clean, target, rest) | {
        "shared": flag("shared", shared)
    }
    sample = partial(_sample_dense, not flag("attention_grad", attention_grad), arguments)
    return _with_probability(p, Mixer("dense_multimix", sample, "positions", attention=attention), other)
