"""The options this package adds: mixing, its targets and its schedule."""

from dataclasses import dataclass

from .declaration import Arms, Facts, Part, option
from .values import BelowOne, Fraction, NonNegative


@dataclass(frozen=True, kw_only=True)
class MixingOptions(Part, title="mixing and targets"):
    """Mixing, its targets and its schedule."""

    mix: str = option(
        "none",
        "such as multimix, 'mixup | cutmix', '0.3*none | 0.7*multimix(n=500)'",
        "SPEC",
        arms=Arms.TELLS_APART,
        bare=True,
        headline=True,
        new_in_child=True,
        short_forms={
            "mixup": Facts(
                help="short for --mix 'mixup(alpha=ALPHA)' (default: not given)",
                metavar="ALPHA",
                check=NonNegative,
            ),
            "cutmix": Facts(
                help="short for --mix 'cutmix(alpha=ALPHA)'; with --mixup, either per batch "
                "(default: not given)",
                metavar="ALPHA",
                check=NonNegative,
            ),
        },
    )
    mix_schedule: str | None = option(
        None,
        "when to mix, in fractions of training, such as 0.1-0.8:0.008/0.002 (default: always)",
        "SCHEDULE",
        needs=("mix",),
        new_in_child=True,
    )
    smoothing: BelowOne = option(
        0.0,
        "label smoothing (default: {default}, so that nothing is added unasked; timm: 0.1)",
        "X",
        new_in_child=True,
    )
    bce_loss: bool = option(
        False, "binary cross-entropy, each class by itself (default: softmax cross-entropy)"
    )
    distill: Fraction = option(0.0, "part of the targets that a teacher's predictions make up", "WEIGHT")
    distill_teacher: str = option(
        "ema",
        "ema, self (the model's clean prediction) or a pretrained model's name",
        "TEACHER",
        needs=("distill",),
    )
    distill_warmup_epochs: NonNegative = option(
        0.0, "epochs over which --distill rises from 0", "N", needs=("distill",)
    )
