"""`timm_multimix.Run`: a finished run as an object."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import timm
from torch import nn

import timm_multimix.models  # noqa: F401  so that timm makes the package's own networks

from ..errors import UsageError
from ..files import read_json
from ..hub.run import push_run
from ..notebook import facts_html, file_html
from ..options import TrainOptions
from ..options.keywords import from_keywords, spelled_as_keywords
from ..options.publishing import PushOptions
from ..records.metrics import METRICS
from ..records.reader import FinishedRun, read_run
from ..records.schema import RunRecord

if TYPE_CHECKING:
    from .evaluation import Measured


class Run:
    """A finished run: its options, what it measured, and its model.

    Args:
        directory: the run's directory, trained from Python or from the command line.
        model: its network, if it is in memory; else it is loaded from the directory when needed.

    Raises:
        UsageError: the directory holds no finished run, or a file in it is damaged.

    Examples:
        >>> run = timm_multimix.Run("runs/20260101-120000-resnet18-multimix")
        >>> run.summary.top1
    """

    def __init__(self, directory: str | Path, *, model: nn.Module | None = None) -> None:
        self.directory = Path(directory)
        self._found, self._model = read_run(self.directory), model

    @property
    def summary(self) -> RunRecord:
        """The content of summary.json: accuracies in per cent, counts, hardware, versions."""
        return self._found.record

    @property
    def options(self) -> TrainOptions:
        """The options of the training."""
        return self._found.options

    @property
    def metrics(self) -> list[dict[str, float]]:
        """The rows of metrics.csv, one for each epoch; losses in nats, accuracies in per cent."""
        return self._found.metrics

    @cached_property
    def model(self) -> nn.Module:
        """The trained network, in eval mode.

        Raises:
            UsageError: the run was trained in an earlier process with a network that timm cannot create.
        """
        if self._model is not None:
            return self._model.eval()
        if not is_of_timm(self._found):
            raise UsageError(
                f"the network of {self.directory} is not one that timm makes; load its weights from "
                f"{self._found.model / 'model.safetensors'} into yours"
            )
        return timm.create_model(f"local-dir:{self._found.model}", pretrained=True).eval()

    @property
    def network(self) -> nn.Module | Path:
        """The model for `evaluate`: the directory if timm can create the network, else the network itself."""
        return self.directory if is_of_timm(self._found) else self.model

    @property
    def class_names(self) -> list[str]:
        """The names of the network's outputs."""
        return [str(name) for name in read_json(self._found.model / "config.json")["label_names"]]

    def evaluate(self, data: Any = None, **options: Any) -> "Measured":
        """Evaluate the run's model, see `timm_multimix.evaluate`.

        Args:
            data: as in `timm_multimix.evaluate`; None: the run's own data.
            **options: those of `timm-multimix evaluate`, with underscores.

        Returns:
            What was measured; it is also written to evaluation.json in the run's directory.
        """
        from .evaluation import evaluate

        return evaluate(self, data, **options)

    def push(self, repo_id: str, **options: Any) -> str | Path:
        """Publish the run on the Hugging Face Hub, as `timm-multimix push` does.

        Args:
            repo_id: the repository, USER/NAME; it is created if it does not exist.
            **options: those of `timm-multimix push`, with underscores: `private=True, license="apache-2.0",
                dry_run="DIRECTORY"`.

        Returns:
            The commit that holds the run; with `dry_run`, the directory of the files.

        Raises:
            UsageError: no token, or the Hub refuses the run.
        """
        with spelled_as_keywords(PushOptions):
            if not is_of_timm(self._found):
                raise UsageError("only networks that timm makes can be published")
            return push_run(from_keywords(PushOptions, options, str(self.directory), repo_id))

    def __repr__(self) -> str:
        return f"Run({str(self.directory)!r}, {', '.join(f'{k}={v!r}' for k, v in self._facts().items())})"

    def _facts(self) -> dict[str, Any]:
        record = self.summary
        facts = {"mix": record.mix, "model": record.model, "dataset": record.dataset, "epochs": record.epochs}
        return facts | {"seed": record.seed, record.metric: METRICS[record.metric].format(record.result)}

    def _repr_html_(self) -> str:
        """A table of the run and its curves, for notebooks."""
        curves = self.directory / "curves.png"
        shown = file_html(curves, "loss and accuracy by epoch") if curves.is_file() else ""
        return facts_html(f"Run in {self.directory}", self._facts()) + shown


def is_of_timm(run: FinishedRun) -> bool:
    """Return whether timm can create the network of a run from its config.json."""
    return "architecture" in read_json(run.model / "config.json")
