"""The options of `evaluate`: what is measured, of which model, on which data."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self, get_args

from .declaration import REQUIRED, Options, Part, option
from .files import check_parent
from .model import InputOptions
from .shared import (
    ColumnOptions,
    Interpolation,
    LoadingOptions,
    device,
    img_size,
    imports,
    model_kwargs,
    pretrained,
    settle_img_size,
    skip_broken,
)
from .values import Budget, Count, Figure, KeyValues, PositiveFraction, Seed, Size, budget

Attack = Literal["fgsm", "ifgsm", "pgd"]
ATTACKS: tuple[Attack, ...] = get_args(Attack)
BUDGETS = ("1/255", "2/255", "4/255", "8/255")


@dataclass(frozen=True, kw_only=True)
class EvaluatedModelOptions(Part, title="model"):
    """The model, and what of its input differs from its own description."""

    model: str = option(
        REQUIRED,
        "a run's directory, local-dir:DIR, hf-hub:USER/NAME (with their weights) or any timm model",
        "MODEL",
        positional=True,
    )
    pretrained: bool = pretrained()
    model_kwargs: KeyValues = model_kwargs()
    img_size: Size | None = img_size("the model's; with random weights, the data's")
    interpolation: Interpolation | None = option(None, "resizing (default: the model's)")
    crop_pct: PositiveFraction | None = option(
        None, "part of the resized image kept (default: the model's)", "X"
    )

    @property
    def input(self) -> InputOptions:
        """Settings of the input that differ from the model's own."""
        return InputOptions(img_size=self.img_size, interpolation=self.interpolation, crop_pct=self.crop_pct)


@dataclass(frozen=True, kw_only=True)
class EvaluatedDataOptions(Part, title="data"):
    """The images."""

    dataset: str | None = option(None, "as in `train` (default: the run's, else digits)", "NAME")
    columns: ColumnOptions = field(default_factory=ColumnOptions)
    allow_other_classes: bool = option(
        False, "compare classes of other names than the model's by their numbers (default: an error)"
    )
    skip_broken: bool = skip_broken()
    loading: LoadingOptions = field(default_factory=LoadingOptions)


@dataclass(frozen=True, kw_only=True)
class MeasureOptions(Part, title="additional measurements"):
    """The parts of an evaluation besides accuracy, calibration and embedding."""

    attacks: tuple[Attack, ...] | None = option(
        None,
        "accuracy under attack by fgsm, ifgsm, pgd; without a name all (default: not measured)",
        "METHOD",
        nargs="*",
        per_class=True,
    )
    epsilons: tuple[Budget, ...] = option(
        tuple(map(budget, BUDGETS)),
        f"largest changes of a pixel value (from 0 to 1) by --attacks (default: {' '.join(BUDGETS)})",
        "X",
        needs=("attacks",),
    )
    attack_steps: Count = option(10, "steps of ifgsm and pgd", "N", needs=("attacks",))
    attack_samples: Count | None = option(
        None,
        "attack so many images, evenly spaced in the split (default: all)",
        "N",
        needs=("attacks",),
    )
    transfer_from: str | None = option(
        None,
        "attack through this model's gradients as well: a black-box attack (default: white box only)",
        "MODEL",
        needs=("attacks",),
    )
    ood: tuple[str, ...] = option(
        (),
        "out-of-distribution datasets, to be detected as such (default: not measured)",
        "NAME",
        per_class=True,
    )
    corruptions: bool = option(
        False,
        "accuracy under noise, blur, contrast and JPEG in five strengths (default: not measured)",
        per_class=True,
    )
    consistency: tuple[str, ...] = option(
        (),
        "compare predictions of mixed images with mixed predictions, for mixers (default: not measured)",
        "SPEC",
        per_class=True,
    )
    import_: tuple[str, ...] = imports(needs=("consistency",))
    embedding_plot: Figure | None = option(
        None, "draw the embedding in the plane, by t-SNE (default: not drawn)", "FILE", per_class=True
    )

    def check(self) -> None:
        """Check that the figure can be written. Raises: UsageError."""
        check_parent(self.embedding_plot)


@dataclass(frozen=True, kw_only=True)
class ReportOptions(Part, title="output"):
    """The device of an evaluation, and the file of its numbers."""

    device: str = device()
    seed: Seed = option(0, "seed of noise, mixing and the random starts of attacks", "N")
    output: Path | None = option(
        None, "JSON to which the numbers are added (default: evaluation.json in a run's directory)", "FILE"
    )
    json: bool = option(False, "print the JSON instead of a table (default: not)")

    def check(self) -> None:
        """Check that the record can be written. Raises: UsageError."""
        check_parent(self.output)


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(
    Options,
    prog="timm-multimix evaluate",
    usage="%(prog)s MODEL [OPTION ...]",
    description="Measure a classifier: accuracy, calibration and embedding; more on request. "
    "Runs in one process, without a launcher.",
):
    """The options of an evaluation."""

    network: EvaluatedModelOptions
    data: EvaluatedDataOptions = field(default_factory=EvaluatedDataOptions)
    measures: MeasureOptions = field(default_factory=MeasureOptions)
    report: ReportOptions = field(default_factory=ReportOptions)

    def settled(self) -> Self:
        """The same with one size of the images, attacks by name, budgets in order. Raises: UsageError."""
        sized = settle_img_size(self)
        if sized.measures.attacks is None:
            return sized
        return sized.but(
            attacks=tuple(dict.fromkeys(sized.measures.attacks or ATTACKS)),
            epsilons=tuple(sorted(set(sized.measures.epsilons))),
        )
