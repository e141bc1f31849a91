"""The registered mixers that are guided: by the images' saliency, or by what the model finds in them."""

from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from .. import functional as F
from ..errors import UsageError
from ..functional import Draw
from .arguments import concentration, count, flag, fraction, one_of
from .building import make_mixer, sample_with
from .guiding import make_guided
from .mixer import Mixer
from .registry import register_mixer
from .step import Branches, weighted

_SALIENCIES = ("spectral", "gradient")


@register_mixer
def saliencymix(alpha: float = 1.0, per_sample: bool = False, saliency: str = "spectral") -> Mixer:
    """SaliencyMix: paste a box about the partner's most salient point, labels by area (arXiv:2006.01791).

    The box has the area 1 - lambda, lambda ~ Beta(alpha, alpha) with the paper's alpha = 1, and stays at its
    place; every partner has its own point. The paper's saliency is a static one of the image, OpenCV's
    fine-grained; ours is of the same kind, the spectral residual (Hou and Zhang 2007), a Fourier transform of
    64 x 64 pixels an image: no pass through the model, so it also works in the place of timm.data.Mixup.
    saliency='gradient' takes the gradient of the loss with respect to the image, which costs a forward and a
    backward.
    """
    arguments = {"alpha": concentration("alpha", alpha), "per_sample": flag("per_sample", per_sample)}
    return make_guided(F.saliencymix, one_of("saliency", saliency, _SALIENCIES), arguments)


@register_mixer
def attentivemix(top_k: int = 6, grid: int = 7) -> Mixer:
    """Attentive CutMix: paste the partner's most attended cells, labels by area (arXiv:2003.13048).

    Of a 7 x 7 grid the 6 cells with the highest attention are pasted, so that lambda is always 43 / 49: both
    numbers are the paper's. The paper takes the attention from a second, pretrained network; ours is the
    model's own, from its last feature map z, as relu(z . GAP(z)): no class and no further weights needed, at
    the cost of a forward. Wants images that leave more than one position in that map.
    """
    arguments = {"top_k": count("top_k", top_k), "grid": count("grid", grid)}
    if top_k > grid * grid:
        raise UsageError(f"top_k={top_k} given, allowed is 1 to {grid * grid} for a grid of {grid}")
    return make_guided(F.attentivemix, "features", arguments)


@register_mixer
def puzzlemix(
    alpha: float = 1.0,
    labels: int = 3,
    beta: float = 1.2,
    gamma: float = 0.5,
    eta: float = 0.2,
    transport: bool = True,
    transport_cost: float = 0.8,
    grid: int | None = None,
    transport_grid: int | None = 8,
) -> Mixer:
    """Puzzle Mix: an optimal mask and moved patches, by input gradients; labels by area (arXiv:2009.06962).

    The mask z, of `labels` values from 0 to 1 on a grid of 2 to 16 cells (drawn, or `grid`), minimises the
    saliency it hides + beta (label smoothness) + beta gamma (smoothness of the pixels at its edges) + eta
    (prior of lambda ~ Beta(alpha, alpha)); then patches of each image move to where they are seen, at
    `transport_cost` times the squared distance. Patches are those of a grid of `transport_grid` along a side
    where that is finer than the mask's (None: always the mask's); 8 is their 4 pixels of 32. All numbers are
    those of the authors' CIFAR runs. The mask is found exactly by a minimum cut (they swap labels), the
    transport exactly by an assignment (they iterate), both SciPy's, on the CPU: the device waits for them,
    the longer the finer the grids are. Pixels are compared after each channel is stretched to 0 .. 1. Costs
    a forward and a backward besides.
    """
    arguments = {
        "alpha": concentration("alpha", alpha),
        "labels": count("labels", labels),
        "beta": concentration("beta", beta),
        "gamma": concentration("gamma", gamma),
        "eta": concentration("eta", eta),
        "transport": flag("transport", transport),
        "transport_cost": concentration("transport_cost", transport_cost),
        "grid": grid if grid is None else count("grid", grid),
        "transport_grid": transport_grid
        if transport_grid is None
        else count("transport_grid", transport_grid),
    }
    if labels < 2:
        raise UsageError(f"labels={labels} given, allowed is an integer of at least 2")
    return replace(make_guided(F.puzzlemix, "gradient", arguments), solver=True)


@register_mixer
def co_mixup(
    alpha: float = 1.0,
    beta: float = 0.32,
    gamma: float = 1.0,
    eta: float = 0.05,
    threshold: float = 0.83,
    omega: float = 0.001,
    iterations: int = 4,
    partition: int = 20,
    halves: bool = True,
    resolve: bool = True,
    grid: int = 4,
) -> Mixer:
    """Co-Mixup: salient cells of many images in a mix, diverse together; labels by area (arXiv:2102.03065).

    `partition` examples make as many mixes, on a grid of 4 x 4 cells, that minimise minus the saliency shown
    + beta (neighbouring cells of different images) + gamma (what two mixes have in common, with a share
    omega between images salient at different places, where an image's part in the other mixes is above
    `threshold`) + eta (prior of Dirichlet(alpha) shares of the images). One mix after the other is labeled
    anew with the others as they are, `iterations` times from random labels; from the second on a cell may
    average two images (`halves`), before the last mixes of the same images are made to part (`resolve`).
    All numbers but alpha are those of the authors' CIFAR-100 runs, and so is the hard threshold. Their alpha
    is 2, with the loss of the clean images added in the same step: `none + co_mixup(alpha=2)`. Without it
    they advise less but give no number: 1, as for mixup, is a choice of ours.

    Ours: a mix is labeled exactly (they swap labels, as we do on grids too fine for that), iterations do not
    stop early, salient places are of windows of a quarter of the side, and the gradient is taken in eval
    mode. Where saliency is flat, mixes become whole images. `grid` must divide the images' sides. Costs a
    forward and a backward besides, and the device waits for the solver: at batches of 32 and 64 about 40
    times as long as for puzzlemix(grid=4), several steps' time of a small network, and longer with the batch.
    """
    arguments = {
        "alpha": concentration("alpha", alpha),
        "beta": concentration("beta", beta),
        "gamma": concentration("gamma", gamma),
        "eta": concentration("eta", eta),
        "threshold": concentration("threshold", threshold),
        "omega": fraction("omega", omega),
        "iterations": count("iterations", iterations),
        "partition": count("partition", partition),
        "halves": flag("halves", halves),
        "resolve": flag("resolve", resolve),
        "grid": count("grid", grid),
    }
    return replace(make_guided(F.co_mixup, "gradient", arguments), solver=True, row_per_example=False)


@register_mixer
def alignmixup(alpha: float = 2.0, epsilon: float = 0.1, iterations: int = 100, p: float = 0.5) -> Branches:
    """AlignMixup: mix last features, brought to each other's places by Sinkhorn transport (arXiv:2103.15375).

    With probability p the last feature map is mixed after one of the two, drawn evenly, has been aligned to
    the other by an entropic transport plan between their positions (epsilon, and at most 100 iterations: the
    paper's); else the images are, by mixup. lambda ~ Beta(alpha, alpha) with the paper's alpha = 2, one for
    the batch. The features are those of the training pass, so no pass is added; the plan takes 2 `iterations`
    sums over r x r numbers an image, r the positions, in log space, on the device, without gradient. The
    paper's second form, with an autoencoder, is not this one.
    """
    alpha = concentration("alpha", alpha)
    if concentration("epsilon", epsilon) == 0:
        raise UsageError("epsilon=0 given, allowed is a positive number")
    arguments = {"alpha": alpha, "epsilon": epsilon, "iterations": count("iterations", iterations)}
    aligned = Mixer("alignmixup", partial(sample_with, F.alignmixup, arguments), "features")
    return weighted((fraction("p", p), aligned), (1 - p, make_mixer("mixup", F.mixup, alpha=alpha)))


@register_mixer
def transmix(alpha: float = 1.0, per_sample: bool = False, area: float = 0.5) -> Mixer:
    """TransMix: CutMix whose labels go by the class token's attention on the mix (arXiv:2111.09833).

    lambda is the share of the class token's attention, in the last layer, averaged over heads and without
    gradient, that falls on what was kept of the image; where the head reads no class token, of the attention
    that all positions pay. It is seen in the training pass itself: no pass is added, fused attention stays,
    but this pass runs uncompiled. area: the share that the label by area keeps; 0 is the paper's equation 4,
    0.5 what the authors' code does, with which the paper's numbers were made. For vision transformers whose
    last attention is over all tokens.
    """
    arguments: dict[str, Any] = {
        "alpha": concentration("alpha", alpha),
        "per_sample": flag("per_sample", per_sample),
    }
    cutmix = make_mixer("transmix", F.cutmix, **arguments)
    return replace(cutmix, complete=partial(_attended, fraction("area", area)))


@register_mixer
def tokenmix(ratio: float = 0.5714, min_tokens: int = 1, normalize: bool = False) -> Mixer:
    """TokenMix: replace several blocks of tokens, labels by where the class is seen (arXiv:2207.08409).

    Blocks of at least `min_tokens` tokens, until the share `ratio` of the grid of the last features is
    replaced. The authors' code replaces half of its 14 x 14 tokens and 14 more, 4/7, by blocks of any size,
    and so does the default; `tokenmix(0.5, 14)` reads these 14 as the least size of a block instead.
    A label's score is the share of its image's class activation that is in the mix; the two scores of a mix
    add up to one only on average, as in the paper, unless `normalize`. The paper takes the activation from a
    pretrained teacher; ours is the model's own probability of the class at every position, of the clean
    images, at the cost of a forward: labels are rough where training begins.
    """
    arguments = {
        "ratio": fraction("ratio", ratio),
        "min_tokens": count("min_tokens", min_tokens),
        "normalize": flag("normalize", normalize),
    }
    return make_guided(F.tokenmix, "activation", arguments)


def _attended(area: float, draw: Draw, attention: Tensor) -> Draw:
    assert isinstance(draw, F.Masks)
    return F.attended(draw, attention, area)
