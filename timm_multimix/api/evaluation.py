"""`timm_multimix.evaluate` and its result."""

import copy
import logging
from os import PathLike
from typing import Any

from torch import nn

from ..data.objects import object_name
from ..evaluation.classifier import Classifier
from ..evaluation.job import Given
from ..evaluation.report import Unwritten, render
from ..evaluation.run import run as run_evaluation
from ..evaluation.sections import make_tables
from ..modeling.create import resolve_data_config
from ..notebook import table_html
from ..options.evaluation import EvaluateOptions
from ..options.keywords import from_keywords, in_keywords, spelled_as_keywords
from ..options.model import InputOptions
from ..records.evaluation_tables import Table
from ..records.evaluations import Evaluation
from .objects import check_given_once, is_object, model_name
from .run import Run

logger = logging.getLogger(__name__)


class Measured:
    """The result of `evaluate`.

    Args:
        record: the content of evaluation.json: `record["accuracy"]["top1"]` is in per cent.
    """

    def __init__(self, record: Evaluation) -> None:
        self.record = record

    @property
    def tables(self) -> list[Table]:
        """The numbers as tables, one for each part."""
        return list(make_tables(self.record))

    def __getitem__(self, part: str) -> Any:
        """Return a part of the record, such as `accuracy` or `calibration`."""
        return self.record[part]

    def __repr__(self) -> str:
        return render(self.record)

    def _repr_html_(self) -> str:
        """The tables, for notebooks."""
        return "".join(table_html(table.title, table.header, table.rows) for table in self.tables)


def evaluate(model: "str | PathLike[str] | Run | nn.Module", data: Any = None, **options: Any) -> Measured:
    """Evaluate a classifier, as `timm-multimix evaluate` does, also one that is given as an object.

    Args:
        model: a run or its directory, a model's name as on the command line, or a network. A network is
            copied; its preprocessing is taken from its `pretrained_cfg`, or else timm's default.
        data: a name or path as on the command line; a dataset of (image, label) pairs, as in `train`; or a
            `datasets.Dataset`. Tensors are given to the network as they are, already normalized. None: the
            run's own data, else digits.
        **options: those of `timm-multimix evaluate`, with underscores: `corruptions=True, attacks=["pgd"]`.

    Returns:
        What was measured. For a run it is also written to evaluation.json in its directory; a warning says if
        that failed in the end.

    Raises:
        UsageError: an unknown option, a model or data that cannot be opened, or classes that differ.

    Examples:
        >>> network = timm.create_model("test_resnet", num_classes=10, in_chans=1)
        >>> measured = timm_multimix.evaluate(network, "digits", img_size=32)
        >>> sorted(measured["accuracy"])
        ['top1', 'top5']
    """
    check_given_once(options, "data")
    with spelled_as_keywords(EvaluateOptions):
        network = model.network if isinstance(model, Run) else model
        if isinstance(model, Run):
            named = str(model.directory)  # also where the network is an object: its data are the run's
        else:
            named = model_name(network) if isinstance(network, nn.Module) else str(network)
        objects = data if data is not None and is_object(data) else None
        dataset = data if data is None else str(data) if objects is None else object_name(objects)
        chosen = from_keywords(EvaluateOptions, {"dataset": dataset} | options, named)
        classifier = None
        if isinstance(network, nn.Module):
            classifier = as_classifier(model if isinstance(model, Run) else network, chosen.network.input)
        try:
            return Measured(run_evaluation(chosen, Given(classifier, objects)))
        except Unwritten as error:
            logger.warning(in_keywords(str(error), EvaluateOptions))
            return Measured(error.record)


def as_classifier(model: Run | nn.Module, asked: InputOptions | None = None) -> Classifier:
    """Copy a network, or that of a run, for evaluation.

    Args:
        model: the network or the run.
        asked: settings of its input that override its `pretrained_cfg`.
    """
    network = model.model if isinstance(model, Run) else model
    names = model.class_names if isinstance(model, Run) else None
    config = resolve_data_config(model_name(network), asked or InputOptions(), network)
    return Classifier(copy.deepcopy(network), config, names)
