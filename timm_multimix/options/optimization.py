"""The options of optimizer and learning rate, with the defaults of the bare command."""

from dataclasses import dataclass
from typing import Literal

from ..errors import UsageError
from .declaration import Part, option
from .values import BelowOne, Count, KeyValues, Natural, NonNegative, Positive, PositiveFraction


@dataclass(frozen=True, kw_only=True)
class OptimizationOptions(Part, title="optimization"):
    """Optimizer and learning rate."""

    epochs: Count = option(30, "passes over the data", "N", headline=True, new_in_child=True)
    opt: str | None = option(
        None,
        "any optimizer of timm (default: sgd, and adamw for models with self-attention)",
        "NAME",
        headline=True,
    )
    lr: Positive | None = option(
        None,
        "peak learning rate (default: 0.2 for sgd, as 0.05, timm's, is too low for mixing at batch 128; "
        "0.001 for adamw and other optimizers with betas)",
        "RATE",
        headline=True,
        new_in_child=True,
        idle_with=("lr_base",),
    )
    lr_base: Positive | None = option(
        None,
        "peak learning rate at --lr-base-size images per update, to be scaled to those of the run, as in "
        "timm (default: --lr)",
        "RATE",
        idle_with=("lr",),
    )
    lr_base_size: Count = option(256, "images per update that --lr-base is for", "N", needs=("lr_base",))
    lr_base_scale: Literal["linear", "sqrt"] | None = option(
        None,
        "how --lr-base grows with the images per update (default: sqrt for Ada... and Lamb..., else linear)",
        needs=("lr_base",),
    )
    opt_kwargs: KeyValues = option({}, "further arguments of the optimizer (default: none)", "KEY=VALUE")
    momentum: BelowOne = option(0.9, "momentum of sgd and similar optimizers", "X", headline=True)
    weight_decay: NonNegative = option(1e-4, "weight decay", "X", headline=True)
    opt_eps: Positive | None = option(None, "epsilon (default: the optimizer's)", "X")
    opt_betas: tuple[BelowOne, ...] | None = option(None, "betas (default: the optimizer's)", "X")
    layer_decay: PositiveFraction | None = option(
        None, "learning rate's factor per layer from the last (default: 1)", "X"
    )
    body_lr_scale: PositiveFraction | None = option(
        None,
        "learning rate's factor for all but the classifier, with pretrained weights (default: 1)",
        "X",
        needs=("pretrained", "pretrained_path", "initial_checkpoint"),
        excludes={
            "freeze_body": "which also sets how fast the backbone learns",
            "layer_decay": "which also sets how fast the backbone learns",
        },
    )
    freeze_body: bool = option(
        False,
        "train the classifier only, with pretrained weights (default: all)",
        needs=("pretrained", "pretrained_path", "initial_checkpoint"),
        excludes={"layer_decay": "which also sets how fast the backbone learns"},
    )
    clip_grad: Positive | None = option(None, "clip gradients at this (default: not clipped)", "X")
    clip_mode: Literal["norm", "value", "agc"] = option(
        "norm", "what --clip-grad bounds", needs=("clip_grad",)
    )
    skip_nonfinite: Natural = option(
        0,
        "updates of an epoch that may be skipped as loss or gradient is not finite"
        " (default: {default}, stop at the first)",
        "N",
    )
    grad_accum_steps: Count = option(1, "batches per optimizer step", "N")

    @property
    def chosen(self) -> tuple[str, float]:
        """Optimizer and peak rate, once the model's defaults have filled in what the user left open."""
        if self.opt is None or self.lr is None:
            raise TypeError("optimizer and learning rate depend on the model, which is not known yet")
        return self.opt, self.lr


@dataclass(frozen=True, kw_only=True)
class ScheduleOptions(Part, title="learning-rate schedule", new_in_child=True):
    """The learning rate over time, by timm's schedules."""

    sched: Literal["cosine", "tanh", "step", "multistep", "poly", "wsd", "rsqrt", "constant", "none"] = (
        option("cosine", "timm's schedules", headline=True)
    )
    warmup_epochs: NonNegative | None = option(
        None, "epochs of rising rate (default: a tenth of --epochs)", "N"
    )
    warmup_lr: NonNegative = option(1e-5, "rate at the start", "RATE")
    min_lr: NonNegative = option(0.0, "rate at the end", "RATE")
    cooldown_epochs: Natural = option(0, "further epochs at --min-lr", "N")
    decay_epochs: Positive | None = option(
        None, "interval of step, length of wsd's end (default: timm's)", "N"
    )
    decay_milestones: tuple[Count, ...] = option((90, 180, 270), "where multistep falls", "EPOCH")
    decay_rate: Positive = option(0.1, "factor of step and multistep, power of poly", "X", aliases=("dr",))

    def check(self) -> None:
        """Check that the epochs of multistep rise. Raises: UsageError."""
        if list(self.decay_milestones) != sorted(set(self.decay_milestones)):
            given = " ".join(map(str, self.decay_milestones))
            raise UsageError(f"--decay-milestones must be epochs in rising order, got {given}")
