"""`timm_multimix.train`: the trainer as a function."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from ..data.objects import object_name
from ..errors import UsageError
from ..logs import set_level, show_messages
from ..mixers import Mixture
from ..options import TrainOptions
from ..options.keywords import from_keywords, spelled_as_keywords
from ..task_arguments import check_mixture
from ..training import Callback, Given
from ..training import run as run_training
from .objects import check_given_once, is_object, model_name
from .run import Run


def train(
    model: str | nn.Module = "test_resnet",
    *,
    mix: str | Mixture = "none",
    train_data: Any = "digits",
    eval_data: Any = None,
    epochs: int | None = None,
    callbacks: Sequence[Callback] = (),
    **options: Any,
) -> Run:
    """Train a model with mixing, as `timm-multimix train` does, also with models and data that are objects.

    Training is exactly resumable (`output=DIR, resume="auto"`): all randomness is a function of the seed and
    the position. For objects this holds as follows:

    - A dataset with a length and indices, of torch or of the `datasets` library, is read in the trainer's
      order by its worker processes. What it draws from the global generators of Python, NumPy or torch in
      `__getitem__` depends on (seed, epoch, index). Resuming is exact if it returns the same items again.
    - A loader (with a length, of batches of images and labels) is iterated as it is, in one process.
      The global generators are seeded before a pass and before each batch, so a DataLoader that shuffles and
      augments with them is exact; a run resumed within an epoch reads that epoch's earlier batches once more.
      A loader with its own `generator` or with `persistent_workers` is not exact, and a warning says so.
    - A network starts with its present weights, is trained in place, and gets the weights of the checkpoint
      when a run is resumed.

    Objects cannot be recorded: the run's record has their class, and a run with objects is resumed by this
    function, not from the command line.

    Args:
        model: a name as on the command line, or any network that maps images [b, c, h, w] to logits
            [b, classes].
        mix: a mixer spec such as `"multimix"` or `"mixup | cutmix"`, or the result of `create_mixer`.
        train_data: a name or path as on the command line; a dataset of (image, label) pairs; a
            `datasets.Dataset` or `DatasetDict`; or a loader. A label is a class index, several
            numbers 0 or 1 (multi-label), or a float (regression); `task="regression"` takes integers as
            numbers. PIL images are augmented and normalized as the options say. Tensors [c, h, w] are used as
            they are; `mean` and `std` then only describe, for the exported model, how they were normalized.
        eval_data: likewise; None for names and for a `DatasetDict`, which have their own splits.
        epochs: passes over the data; None: the default for the data.
        callbacks: called during training, see `Callback`.
        **options: every option of `timm-multimix train`, with underscores: `lr=0.1, model_ema=True,
            output="runs/a"`. Logging stays as the program has set it up; `log_level` is the level of the
            loggers of accelerate, datasets, huggingface_hub and timm.

    Returns:
        The finished run.

    Raises:
        UsageError: an unknown option or a value that is not allowed, before anything is written; or an error
            of the run that its user can mend, such as a full disk.

    Examples:
        >>> run = timm_multimix.train("resnet18", mix="multimix", train_data="digits", epochs=2)
        >>> run.metrics[-1]["eval_top1"]
    """
    check_given_once(options, "train_data")
    with spelled_as_keywords(TrainOptions):
        named = {
            "model": model if isinstance(model, str) else model_name(model),
            "mix": check_mixture(mix).spec if isinstance(mix, Mixture) else mix,
            "dataset": object_name(train_data) if is_object(train_data) else str(train_data),
            "epochs": epochs,
        }
        if eval_data is not None and not is_object(train_data):
            raise UsageError("eval_data has no effect on train_data by name; choose its split by val_split")
        chosen = from_keywords(TrainOptions, named | options)
        given = Given(
            None if isinstance(model, str) else model,
            train_data if is_object(train_data) else None,
            eval_data,
            tuple(callbacks),
            chosen.given,
        )
        show_messages()
        if "log_level" in chosen.given:
            set_level(chosen.run.log_level)
        outcome = run_training(chosen, given)
    return Run(outcome.directory, model=outcome.model)
