"""All options of `train`, and the defaults that depend on the data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, cast

from .data import AugmentationOptions, DataOptions
from .declaration import Options, declared
from .mixing import MixingOptions
from .model import ModelOptions
from .optimization import OptimizationOptions, ScheduleOptions
from .parser import parse
from .publishing import HubOptions
from .relations import overruled
from .run import AveragingOptions, RunOptions
from .shared import settle_img_size


@dataclass(frozen=True, kw_only=True)
class TrainOptions(
    Options,
    prog="timm-multimix train",
    usage="%(prog)s [OPTION ...]",
    description="Train any timm model with mixed examples. "
    "`accelerate launch` sets mixed precision, the number of processes and the engine.",
):
    """The options of a training run."""

    network: ModelOptions = field(default_factory=ModelOptions)
    data: DataOptions = field(default_factory=DataOptions)
    augmentation: AugmentationOptions = field(default_factory=AugmentationOptions)
    mixing: MixingOptions = field(default_factory=MixingOptions)
    optimization: OptimizationOptions = field(default_factory=OptimizationOptions)
    schedule: ScheduleOptions = field(default_factory=ScheduleOptions)
    averaging: AveragingOptions = field(default_factory=AveragingOptions)
    run: RunOptions = field(default_factory=RunOptions)
    hub: HubOptions = field(default_factory=HubOptions)

    def settled(self) -> Self:
        """The same with one size of the images and one name of the data. Raises: UsageError."""
        settled: Any = settle_data(settle_input_size(settle_img_size(self)))
        return cast(Self, settled)


def settle_input_size(options: TrainOptions) -> TrainOptions:
    """Let --input-size be --in-chans and --img-size."""
    if options.network.input_size is None:
        return options
    channels, height, width = options.network.input_size
    size = height if height == width else (height, width)
    return options.instead("input_size", in_chans=channels, img_size=size)


def settle_data(options: TrainOptions) -> TrainOptions:
    """Let --data-dir alone be --dataset, as in timm."""
    directory = options.data.columns.data_dir
    if directory is None or options.data.columns.dataset_download or "dataset" in options.given:
        return options
    return options.instead("data_dir", dataset=str(directory))


def parse_train_options(argv: Sequence[str]) -> TrainOptions:
    """The options of a run: defaults, over them the file of --config, over it the command line.

    Raises:
        UsageError: for every mistake, in one line.
    """
    return parse(TrainOptions, argv)


def fill_defaults(options: TrainOptions, suited: Mapping[str, Any]) -> TrainOptions:
    """Options in which `suited`, the data's own defaults, fill what the user did not choose.

    A user who chose any augmentation has chosen to augment. The warm-up becomes a tenth of the epochs.
    """
    filled = options.but(**overruled(declared(TrainOptions), suited, options.given))
    if filled.schedule.warmup_epochs is None:
        filled = filled.but(warmup_epochs=filled.optimization.epochs / 10)
    return filled
