"""The options of a run: the weights it keeps, its folder, its records."""

from argparse import ArgumentParser

from .shared import add_log_level
from .values import Switch, below_one, integer


def add_averaging(parser: ArgumentParser) -> None:
    """The moving average of the weights."""
    add = parser.add_argument_group("weight averaging").add_argument
    add(
        "--model-ema",
        "--no-model-ema",
        action=Switch,
        default=False,
        help="keep and evaluate a moving average of the weights (default: not)",
    )
    add(
        "--model-ema-decay",
        type=below_one,
        default=0.9998,
        metavar="X",
        help="its decay per step (default: %(default)s)",
    )
    add(
        "--model-ema-warmup",
        "--no-model-ema-warmup",
        action=Switch,
        default=True,
        help="let the decay rise at first (default: yes, else short runs average random weights; timm: no)",
    )
    add(
        "--export-weights",
        choices=("auto", "raw", "ema"),
        default="auto",
        help="weights that go to model/ (default: %(default)s, ema with --model-ema, else raw)",
    )


def add_run(parser: ArgumentParser) -> None:
    """Where a run goes, what it tells and how it goes on."""
    add = parser.add_argument_group("run").add_argument
    add(
        "--config",
        metavar="FILE",
        help="YAML of these options, under what the command line says (default: none)",
    )
    add("--output", metavar="DIR", help="the run's folder (default: runs/DATE-TIME-MODEL-MIX)")
    add(
        "--overwrite",
        "--no-overwrite",
        action=Switch,
        default=False,
        help="replace the run that is in --output (default: stop with an error)",
    )
    add(
        "--resume",
        metavar="auto|DIR",
        help="auto: from the newest checkpoint in --output, if any; DIR: from that one (default: start anew)",
    )
    add(
        "--val-interval",
        type=integer(1),
        default=1,
        metavar="EPOCHS",
        help="evaluate after every so many epochs, and after the last (default: %(default)s)",
    )
    add(
        "--checkpoint-interval",
        type=integer(0),
        default=0,
        metavar="STEPS",
        help="a checkpoint also every so many optimizer steps (default: %(default)s, after epochs only)",
    )
    add(
        "--seed",
        type=integer(0, 2**63 - 1),
        default=42,
        metavar="N",
        help="seed of all randomness (default: %(default)s)",
    )
    add(
        "--log-interval",
        type=integer(1),
        default=50,
        metavar="STEPS",
        help="steps between the tracker's records (default: %(default)s)",
    )
    add(
        "--log-with",
        action="append",
        default=[],
        metavar="TRACKER",
        help="accelerate's trackers, such as tensorboard; may be repeated (default: none)",
    )
    add_log_level(add)
