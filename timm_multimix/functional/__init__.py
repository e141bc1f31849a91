"""The methods as functions of tensors, on torch alone: draws, losses and samplers."""

from .draws import Draw, Identity, KeepTargets, Masks, Pairs, Tuples
from .losses import mixed_loss, soft_loss, soft_targets
from .mixing import cutmix, dense_multimix, dense_weights, mixing, mixup, multimix, none, sample_pairing
from .sampling import beta_variates, dirichlet_weights, log_gamma_variates
from .tuple_loss import multimix_loss

__all__ = [
    "Draw",
    "Identity",
    "KeepTargets",
    "Masks",
    "Pairs",
    "Tuples",
    "beta_variates",
    "cutmix",
    "dense_multimix",
    "dense_weights",
    "dirichlet_weights",
    "log_gamma_variates",
    "mixed_loss",
    "mixing",
    "mixup",
    "multimix",
    "multimix_loss",
    "none",
    "sample_pairing",
    "soft_loss",
    "soft_targets",
]
