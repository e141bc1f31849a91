"""The options this package adds: mixing, its targets and its schedule."""

from argparse import ArgumentParser

from .values import Switch, below_one, fraction, non_negative


def add_mixing(parser: ArgumentParser) -> None:
    """What this package adds: mixing, its targets and its schedule."""
    add = parser.add_argument_group("mixing and targets").add_argument
    add(
        "--mix",
        default="none",
        metavar="SPEC",
        help="such as multimix, 'mixup | cutmix', '0.3*none | 0.7*multimix(n=500)' (default: %(default)s)",
    )
    add(
        "--mixup",
        type=non_negative,
        metavar="ALPHA",
        help="short for --mix 'mixup(alpha=ALPHA)' (default: not given)",
    )
    add(
        "--cutmix",
        type=non_negative,
        metavar="ALPHA",
        help="short for --mix 'cutmix(alpha=ALPHA)'; with --mixup, either per batch (default: not given)",
    )
    add(
        "--mix-schedule",
        metavar="SCHEDULE",
        help="when to mix, in fractions of training, such as 0.1-0.8:0.008/0.002 (default: always)",
    )
    add(
        "--smoothing",
        type=below_one,
        default=0.0,
        metavar="X",
        help="label smoothing (default: %(default)s, so that nothing is added unasked; timm: 0.1)",
    )
    add(
        "--bce-loss",
        "--no-bce-loss",
        action=Switch,
        default=False,
        help="binary cross-entropy, each class by itself (default: softmax cross-entropy)",
    )
    add(
        "--distill",
        type=fraction,
        default=0.0,
        metavar="WEIGHT",
        help="part of the targets that a teacher's predictions make up (default: %(default)s)",
    )
    add(
        "--distill-teacher",
        default="ema",
        metavar="TEACHER",
        help="ema, self (the model's clean prediction) or a pretrained model's name (default: %(default)s)",
    )
    add(
        "--distill-warmup-epochs",
        type=non_negative,
        default=0.0,
        metavar="N",
        help="epochs over which --distill rises from 0 (default: %(default)s)",
    )
