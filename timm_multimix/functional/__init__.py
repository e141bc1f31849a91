"""Mixing, its losses and samplers as functions of tensors, on torch alone.

A mixing function takes a batch and returns the mixed batch with the draw that mixed it, which also mixes the
targets: `mixed, draw = mixup(x)`, then `draw.targets(t)`. Examples on this page assume `import torch` and
`from timm_multimix import functional as F`.

Notation: b examples in the batch, n mixed examples, c classes, r positions of a feature map.
"""

from .alignmixup import alignmixup, sinkhorn
from .attention import feature_attention, position_attention
from .c_mixup import c_mixup
from .catch_up_mix import catch_up_mix
from .choose import choose_per_sample
from .co_mixup import co_mixup
from .decoupled import Decoupled
from .draws import Composed, Draw, Identity, KeepTargets, Masks, Pairs, Tuples
from .guided_mixup import guided_mixup
from .hard_pairs import HardPairs, PairForm, pair_form
from .labeling import grid_labeling, quadratic_labeling, swap_labeling
from .losses import loss_of_mixed, mixed_loss, soft_loss, soft_targets
from .many import multi_mixup, zeta_mixup
from .masks import fmix, gridmix, smoothmix
from .mixing import Mixing, cutmix, mixing, mixup, none, sample_pairing
from .mixpro import maskmix, progressive
from .partners import closest_partners
from .puzzlemix import puzzlemix
from .resize import resizemix
from .saliency import gradient_saliency, spectral_residual
from .saliencymix import attentivemix, saliencymix
from .sampling import anisotropic_weights, beta_variates, dirichlet_weights, log_gamma_variates
from .smmix import smmix
from .snapmix import snapmix
from .transmix import attended, tokenmix
from .tuple_loss import multimix_loss
from .tuples import dense_multimix, dense_weights, multimix

__all__ = [
    "Composed",
    "Decoupled",
    "Draw",
    "HardPairs",
    "Identity",
    "KeepTargets",
    "Masks",
    "Mixing",
    "PairForm",
    "Pairs",
    "Tuples",
    "alignmixup",
    "anisotropic_weights",
    "attended",
    "attentivemix",
    "beta_variates",
    "c_mixup",
    "catch_up_mix",
    "choose_per_sample",
    "closest_partners",
    "co_mixup",
    "cutmix",
    "dense_multimix",
    "dense_weights",
    "dirichlet_weights",
    "feature_attention",
    "fmix",
    "gradient_saliency",
    "grid_labeling",
    "gridmix",
    "guided_mixup",
    "log_gamma_variates",
    "loss_of_mixed",
    "maskmix",
    "mixed_loss",
    "mixing",
    "mixup",
    "multi_mixup",
    "multimix",
    "multimix_loss",
    "none",
    "pair_form",
    "position_attention",
    "progressive",
    "puzzlemix",
    "quadratic_labeling",
    "resizemix",
    "saliencymix",
    "sample_pairing",
    "sinkhorn",
    "smmix",
    "smoothmix",
    "snapmix",
    "soft_loss",
    "soft_targets",
    "spectral_residual",
    "swap_labeling",
    "tokenmix",
    "zeta_mixup",
]


def __dir__() -> list[str]:
    return sorted(__all__)
