"""The options this package adds: mixing, its targets and its schedule."""

from dataclasses import dataclass
from typing import Literal

from .declaration import Arms, Facts, Part, option
from .shared import imports
from .timm_mixing import mix_of_timm
from .values import BelowOne, Fraction, Natural, NonNegative, Positive


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
            "cutmix_minmax": Facts(
                help="as in timm: cutmix boxes between these parts of height and width (default: by alpha)",
                metavar=("LOW", "HIGH"),
                check=tuple[Fraction, Fraction],
            ),
            "mixup_prob": Facts(
                help="as in timm: fraction of the batches that --mixup and --cutmix mix (default: 1)",
                metavar="P",
                check=Fraction,
            ),
            "mixup_switch_prob": Facts(
                help="as in timm: the part of --cutmix where --mixup is given too (default: 0.5)",
                metavar="P",
                check=Fraction,
            ),
            "mixup_mode": Facts(
                help="what --mixup and --cutmix draw once for: a batch, a pair or an image (default: batch)",
                check=Literal["batch", "pair", "elem"],
            ),
        },
        combine=mix_of_timm,
    )
    import_: tuple[str, ...] = imports()
    mix_schedule: str | None = option(
        None,
        "when to mix, in fractions of training, such as 0.1-0.8:0.008/0.002 (default: always)",
        "SCHEDULE",
        needs=("mix",),
        new_in_child=True,
    )
    mixup_off_epoch: Natural = option(
        0,
        "do not mix from this epoch on, as in timm; 0 for all epochs",
        "EPOCH",
        needs=("mix",),
        excludes={"mix_schedule": "which also says when to mix"},
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
    bce_sum: bool = option(
        False, "sum the binary cross-entropy over classes (default: their mean)", needs=("bce_loss",)
    )
    bce_target_thresh: Fraction | None = option(
        None,
        "targets of the binary cross-entropy are 1 above this and 0 below (default: as they are)",
        "X",
        needs=("bce_loss",),
    )
    bce_pos_weight: Positive | None = option(
        None, "weight of the positive part of the binary cross-entropy (default: 1)", "X", needs=("bce_loss",)
    )
    distill: Fraction = option(0.0, "weight of a teacher's predictions in the targets", "WEIGHT")
    distill_teacher: str = option(
        "ema",
        "ema (a moving average, that of --model-ema or else one of decay 0.999), self (the model's clean "
        "prediction) or a pretrained model's name",
        "TEACHER",
        needs=("distill",),
    )
    distill_warmup_epochs: NonNegative = option(
        0.0, "epochs over which --distill rises from 0", "N", needs=("distill",)
    )
