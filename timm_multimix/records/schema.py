"""The schema of summary.json: fields, types, and checks when it is read."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from ..errors import UsageError, printable, quoted
from ..options.values import DatasetName
from .metrics import METRICS, PERCENT, Metric
from .tasks import CLASSIFICATION, TASKS

T = TypeVar("T")

OPTION = "the value of the option of this name"
AsOption = Annotated[str, OPTION]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The evaluation of one set of weights: the loss, the metrics of the task, and the number of images.

    Metrics are those of `TASKS`; others are None, and left out of the file.
    """

    loss: float
    top1: float | None = None
    top5: float | None = None
    map: float | None = None
    mae: float | None = None
    samples: int

    @property
    def metrics(self) -> dict[str, float]:
        """Return loss and metrics by name."""
        return {name: value for name, value in _plain(self).items() if name != "samples"}

    def value(self, metric: str) -> float:
        """Return a metric of the task."""
        return float(getattr(self, metric))


@dataclass(frozen=True, kw_only=True)
class NoiseRecord:
    """The effect of --label-noise, and how much the last epoch had memorized; None without such images."""

    part: float
    kind: str
    noisy_samples: int
    clean_samples: int
    noisy_loss: float | None = None
    noisy_top1: float | None = None
    noisy_true_loss: float | None = None
    noisy_true_top1: float | None = None
    clean_loss: float | None = None
    clean_top1: float | None = None


@dataclass(frozen=True, kw_only=True)
class ParentRecord:
    """The finished run that another one continued; `epochs` are all earlier ones, also its own parents'.

    Of the metrics, it has that of the task.
    """

    run: str
    kind: str = "folder"
    epochs: int
    top1: float | None = None
    map: float | None = None
    mae: float | None = None
    sha256: str


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """The content of summary.json. Accuracies are in per cent; `top1` is the last epoch's, of model/.

    A run that is not a classification has a `task`, one of `TASKS`, and its metric instead of `top1`.

    Fields with a default are left out of the file if they are not set; runs of earlier versions may lack
    them.
    """

    mix: AsOption
    model: AsOption
    base_model: str | None
    dataset: DatasetName
    dataset_kind: str
    epochs: int
    seed: Annotated[int, OPTION]
    parent: ParentRecord | None = None
    num_processes: int
    samples_evaluated: int
    task: str | None = None
    top1: float | None = None
    top1_best: float | None = None
    map: float | None = None
    map_best: float | None = None
    mae: float | None = None
    mae_best: float | None = None
    best_epoch: int
    exported_weights: str
    evaluation_split: str
    evaluation_data: str | None = None
    best_chosen_on_test_split: bool
    results: dict[str, Scores]
    train_split: str
    train_samples: int
    skipped_samples: int | None = None
    classes: int
    data: dict[str, Any] | None = None
    label_noise: NoiseRecord | None = None
    parameters: int
    parameters_equal_on_ranks: bool | None = None
    choices_equal_on_ranks: bool | None = None
    draws_differ_on_ranks: bool | None = None
    device: str
    hardware: str
    mixed_precision: str
    batch_size: int | None = None
    grad_accum_steps: int | None = None
    effective_batch_size: int | None = None
    optimizer: str | None = None
    lr: float | None = None
    schedule: str | None = None
    peak_memory_bytes: int | None = None
    train_seconds: float
    images_per_second: float | None = None
    command: str
    versions: dict[str, str]

    @property
    def metric(self) -> str:
        """The name, in `METRICS`, of the metric that selects the best epoch."""
        return self.scores[0]

    @property
    def scores(self) -> tuple[str, ...]:
        """The names of the metrics of an evaluation."""
        return TASKS[self.task or CLASSIFICATION].scores

    @property
    def result(self) -> float:
        """The value of that metric at the last epoch."""
        return float(getattr(self, self.metric))

    def to_dict(self) -> dict[str, Any]:
        """Return the plain values of summary.json, all of them encodable in UTF-8."""
        return _plain(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "RunRecord":
        """Create the record from plain values; fields of later versions are left out.

        Raises:
            UsageError: a field is missing, or has a value that no run writes.
        """
        record = _build(cls, content, "")
        if record.epochs < 1:
            raise UsageError(f"epochs must be at least 1, got {record.epochs}")
        if record.task is not None and record.task not in TASKS:
            raise UsageError(f"task must be one of {', '.join(TASKS)}, got {quoted(record.task)}")
        for name in (record.metric, f"{record.metric}_best"):
            _check_metric(name, getattr(record, name), METRICS[record.metric])
        for kind, scores in record.results.items():
            if missing := [name for name in record.scores if getattr(scores, name) is None]:
                raise UsageError(f"lacks {', '.join(f'results.{kind}.{name}' for name in missing)}")
        if record.exported_weights not in record.results:
            raise UsageError(f"results lacks {quoted(record.exported_weights)}, the exported weights")
        return record


def _check_metric(name: str, value: float | None, metric: Metric) -> None:
    """Check that a metric is present and in its range; raises UsageError."""
    if value is None:
        raise UsageError(f"lacks {name}")
    if metric.unit == PERCENT and not 0 <= value <= 100:
        raise UsageError(f"{name} must be from 0 to 100, got {value}")


def same_as_options() -> list[str]:
    """Return the fields that hold the option of the same name."""
    types = get_type_hints(RunRecord, include_extras=True)
    return [name for name, kind in types.items() if OPTION in getattr(kind, "__metadata__", ())]


def _plain(value: Any) -> Any:
    """Return a record as nested dicts, without fields that are not set."""
    if is_dataclass(value):
        told = {item.name: getattr(value, item.name) for item in fields(value)}
        silent = {item.name for item in fields(value) if item.default is None and told[item.name] is None}
        return {name: _plain(item) for name, item in told.items() if name not in silent}
    if isinstance(value, dict):
        return {_plain(name): _plain(item) for name, item in value.items()}
    return printable(value) if isinstance(value, str) else value


def _build(kind: type[T], content: Any, where: str) -> T:
    """Create a dataclass from plain values."""
    if not isinstance(content, Mapping):
        raise _wrong(where, "an object", content)
    expected = fields(kind)  # type: ignore[arg-type]
    if missing := [f.name for f in expected if f.default is MISSING and f.name not in content]:
        raise UsageError(f"lacks {', '.join(where + name for name in missing)}")
    types, found = get_type_hints(kind), [f.name for f in expected if f.name in content]
    return kind(**{name: _value(types[name], content[name], where + name) for name in found})


def _mapping(kind: Any, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(where, "an object", value)
    return {name: _value(kind, item, f"{where}.{name}") for name, item in value.items()}


def _value(kind: Any, value: Any, where: str) -> Any:
    """Convert a value to a field's type."""
    if kind is Any:
        return value
    if isinstance(kind, UnionType):
        inner = next(part for part in get_args(kind) if part is not NoneType)
        return None if value is None else _value(inner, value, where)
    if get_origin(kind) is dict:
        return _mapping(get_args(kind)[1], value, where)
    if is_dataclass(kind):
        return _build(kind, value, f"{where}.")  # type: ignore[arg-type]
    if kind is float:
        return _number(value, where)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _wrong(where, {int: "a whole number", str: "a text", bool: "true or false"}[kind], value)
    return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(where, "a number", value)
    try:
        return float(value)
    except OverflowError:
        raise UsageError(f"{where} must be a number, got one that is too large") from None


def _wrong(where: str, allowed: str, value: Any) -> UsageError:
    shown = quoted(value) if isinstance(value, str) else quoted(str(value)).strip("'\"")
    return UsageError(f"{where.rstrip('.') or 'the file'} must be {allowed}, got {shown}")
