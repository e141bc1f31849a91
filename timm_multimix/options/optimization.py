"""The options of optimizer and learning rate."""

from argparse import ArgumentParser

from .values import Switch, below_one, integer, non_negative, positive, positive_fraction


def add_optimization(parser: ArgumentParser) -> None:
    """Optimizer and learning rate; what suits the bare command stands here and nowhere else."""
    add = parser.add_argument_group("optimization").add_argument
    add(
        "--epochs",
        type=integer(1),
        default=30,
        metavar="N",
        help="passes over the data (default: %(default)s)",
    )
    add("--opt", default="sgd", metavar="NAME", help="any optimizer of timm (default: %(default)s)")
    add(
        "--lr",
        type=positive,
        default=0.2,
        metavar="RATE",
        help="peak learning rate (default: %(default)s, as 0.05, timm's, is too low for mixing at batch 128)",
    )
    add(
        "--momentum",
        type=below_one,
        default=0.9,
        metavar="X",
        help="of sgd and its like (default: %(default)s)",
    )
    add(
        "--weight-decay",
        type=non_negative,
        default=1e-4,
        metavar="X",
        help="weight decay (default: %(default)s)",
    )
    add("--opt-eps", type=positive, metavar="X", help="epsilon (default: the optimizer's)")
    add("--opt-betas", type=below_one, nargs="+", metavar="X", help="betas (default: the optimizer's)")
    add(
        "--layer-decay",
        type=positive_fraction,
        metavar="X",
        help="learning rate's factor per layer from the last (default: 1)",
    )
    add(
        "--body-lr-scale",
        type=positive_fraction,
        metavar="X",
        help="learning rate's factor for all but the classifier, with --pretrained (default: 1)",
    )
    add(
        "--freeze-body",
        "--no-freeze-body",
        action=Switch,
        default=False,
        help="train the classifier only, with --pretrained (default: all)",
    )
    add("--clip-grad", type=positive, metavar="X", help="clip gradients at this (default: not clipped)")
    add(
        "--clip-mode",
        choices=("norm", "value", "agc"),
        default="norm",
        help="what --clip-grad bounds (default: %(default)s)",
    )
    add(
        "--skip-nonfinite",
        type=integer(0),
        default=0,
        metavar="N",
        help="updates of an epoch that may go without effect as loss or gradient is not finite"
        " (default: %(default)s, stop at the first)",
    )
    add(
        "--grad-accum-steps",
        type=integer(1),
        default=1,
        metavar="N",
        help="batches per optimizer step (default: %(default)s)",
    )


def add_schedule(parser: ArgumentParser) -> None:
    """The learning rate over time, by timm's schedules."""
    add = parser.add_argument_group("learning-rate schedule").add_argument
    add(
        "--sched",
        default="cosine",
        choices=("cosine", "tanh", "step", "multistep", "poly", "wsd", "rsqrt", "constant", "none"),
        help="timm's schedules (default: %(default)s)",
    )
    add(
        "--warmup-epochs",
        type=non_negative,
        metavar="N",
        help="epochs of rising rate (default: a tenth of --epochs)",
    )
    add(
        "--warmup-lr",
        type=non_negative,
        default=1e-5,
        metavar="RATE",
        help="rate at the start (default: %(default)s)",
    )
    add(
        "--min-lr",
        type=non_negative,
        default=0.0,
        metavar="RATE",
        help="rate at the end (default: %(default)s)",
    )
    add(
        "--cooldown-epochs",
        type=integer(0),
        default=0,
        metavar="N",
        help="further epochs at --min-lr (default: %(default)s)",
    )
    add(
        "--decay-epochs",
        type=positive,
        metavar="N",
        help="interval of step, length of wsd's end (default: timm's)",
    )
    add(
        "--decay-milestones",
        type=integer(1),
        nargs="+",
        default=[90, 180, 270],
        metavar="EPOCH",
        help="where multistep falls (default: 90 180 270)",
    )
    add(
        "--decay-rate",
        type=positive,
        default=0.1,
        metavar="X",
        help="factor of step and multistep, power of poly (default: %(default)s)",
    )
