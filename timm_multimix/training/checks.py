"""Checks before anything slow happens: names, and the classes of the data."""

from timm.optim import list_optimizers

from ..data.splits import Splits
from ..errors import UsageError, printable
from ..mixers import create_mixer
from ..mixers.plugins import import_modules
from ..modeling.create import attempt, check_model_name, nearest
from ..options.mixing import MixingOptions
from ..options.model import ModelOptions
from ..records.tasks import CLASSIFICATION, REGRESSION
from ..schedule import parse_schedule
from .finetune import check_weights


def check_names(network: ModelOptions | None, mixing: MixingOptions, optimizer: str | None) -> None:
    """Check that everything given by name exists.

    Args:
        network: the model; None if it is an object.
        mixing: the mixer and its schedule.
        optimizer: one of timm's; None for the default.

    Raises:
        UsageError: an unknown mixer, schedule, model or optimizer.
    """
    import_modules(mixing.import_)
    create_mixer(mixing.mix)
    if mixing.mix_schedule:
        parse_schedule(mixing.mix_schedule)
    if network is not None:
        check_model_name(network.model)
        network.check_files()
        attempt(f"model {network.model}", lambda: check_weights(network, mixing))
    optimizers = [str(name) for name in list_optimizers()]
    if optimizer and optimizer.lower().removeprefix("lookahead_") not in optimizers:
        raise UsageError(f"unknown optimizer {optimizer!r}; {nearest(optimizer, optimizers)}")


def check_classes(wanted: int | None, dataset: str, splits: Splits) -> None:
    """Compare the requested classifier with the data, and check that class names can be written to files.

    Raises:
        UsageError: the classifier is too small, or a name is not UTF-8.
    """
    for name in splits.class_names:
        if name != printable(name):
            raise UsageError(f"{dataset}: the class name {printable(name)!r} is not UTF-8; rename it")
    classes = len(splits.class_names)
    if wanted not in (None, classes) and splits.task != CLASSIFICATION:
        raise UsageError(f"--num-classes {wanted}, but {dataset} has {classes} targets of {splits.task}")
    if wanted is not None and wanted < classes:
        raise UsageError(f"--num-classes {wanted}, but {dataset} has labels 0 to {classes - 1}")


def check_one_class(mixing: MixingOptions, wanted: int | None, dataset: str, splits: Splits) -> None:
    """Check that there is more than one class to tell apart; binary cross-entropy trains on one.

    Raises:
        UsageError: the model would have one output for cross-entropy.
    """
    classes = wanted or len(splits.class_names)
    if splits.task == CLASSIFICATION and classes == 1 and not mixing.bce_loss:
        raise UsageError(f"{dataset} must have at least two classes, got {splits.class_names[0]!r} alone")


def check_targets(mixing: MixingOptions, dataset: str, task: str) -> None:
    """Check that the options of the targets fit the labels.

    Raises:
        UsageError: an option is for classes, and the labels are not classes.
    """
    if task == REGRESSION and mixing.bce_loss:
        raise UsageError(f"--bce-loss is for classes; {dataset} is {task}: remove it")
    if task == REGRESSION and mixing.smoothing:
        raise UsageError(f"--smoothing {mixing.smoothing:g} is for classes; {dataset} is {task}: remove it")
