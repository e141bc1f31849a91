"""The options of a run: the weights it keeps, its directory, its records."""

from dataclasses import dataclass
from typing import Literal

from ..errors import UsageError
from .declaration import Arms, Facts, Part, option
from .shared import LogLevel, log_level
from .values import BelowOne, Count, Natural, Seed


@dataclass(frozen=True, kw_only=True)
class AveragingOptions(Part, title="weight averaging"):
    """The moving average of the weights."""

    model_ema: bool = option(False, "keep and evaluate a moving average of the weights (default: not)")
    model_ema_decay: BelowOne = option(0.9998, "decay of that average per step", "X", needs=("model_ema",))
    model_ema_warmup: bool = option(
        True,
        "let the decay rise at first (default: yes, else short runs average random weights; timm: no)",
        needs=("model_ema",),
    )
    export_weights: Literal["auto", "raw", "ema"] = option(
        "auto", "weights that go to model/ (default: {default}, ema with --model-ema, else raw)"
    )

    def check(self) -> None:
        """Check that there are weights to export. Raises: UsageError."""
        if self.export_weights == "ema" and not self.model_ema:
            raise UsageError("--export-weights ema needs --model-ema; give that as well")


@dataclass(frozen=True, kw_only=True)
class RunOptions(Part, title="run"):
    """A run's directory, what it logs and how it resumes."""

    config: str | None = option(
        None,
        "YAML of these options, or recipe:NAME; the command line overrides it (default: none)",
        "FILE",
        short="-c",
        recorded=False,
        bears_on_result=False,
    )
    output: str | None = option(
        None,
        "the run's directory (default: runs/DATE-TIME-MODEL-MIX)",
        "DIR",
        recorded=False,
        bears_on_result=False,
        arms=Arms.SET_BY_COMPARE,
    )
    overwrite: bool = option(
        False,
        "replace the run that is in --output (default: stop with an error)",
        recorded=False,
        bears_on_result=False,
        arms=Arms.SET_BY_COMPARE,
    )
    resume: str | None = option(
        None,
        "auto: from the newest checkpoint in --output, if any; DIR: from that one; of a finished run, with "
        "--epochs N and a new --output: N more epochs from its end (default: start anew)",
        "auto|DIR",
        excludes={"overwrite": "which replaces the run"},
        recorded=False,
        bears_on_result=False,
        arms=Arms.SET_BY_COMPARE,
    )
    val_interval: Count = option(
        1, "evaluate after every so many epochs, and after the last", "EPOCHS", new_in_child=True
    )
    checkpoint_interval: Natural = option(
        0,
        "a checkpoint also every so many optimizer steps (default: {default}, after epochs only)",
        "STEPS",
        bears_on_result=False,
        aliases=("recovery_interval",),
    )
    checkpoint_hist: Count = option(
        2, "checkpoints to keep, besides the best weights", "N", bears_on_result=False
    )
    seed: Seed = option(42, "seed of all randomness", "N", arms=Arms.SET_BY_COMPARE, new_in_child=True)
    log_interval: Count = option(
        50,
        "batches between lines of progress in train.log, on a pipe and in trackers",
        "STEPS",
        bears_on_result=False,
    )
    log_with: tuple[str, ...] = option(
        (),
        "accelerate's trackers, such as tensorboard; may be repeated (default: none)",
        "TRACKER",
        append=True,
        bears_on_result=False,
        short_forms={"log_wandb": Facts(help="short for --log-with wandb (default: not given)", check=bool)},
        combine=lambda given: ("wandb",) if given["log_wandb"] else None,
    )
    log_level: LogLevel = log_level(bears_on_result=False)
    wandb_project: str | None = option(
        None,
        "project of wandb, experiment of mlflow (default: timm-multimix)",
        "NAME",
        needs=("log_with",),
        bears_on_result=False,
    )
    wandb_tags: tuple[str, ...] | None = option(
        None, "tags of the run in wandb (default: none)", "TAG", needs=("log_with",), bears_on_result=False
    )

    def check(self) -> None:
        """Check that there is a directory to resume in. Raises: UsageError."""
        if self.resume == "auto" and self.output is None:
            raise UsageError("--resume auto resumes the run in --output; give --output DIR as well")
