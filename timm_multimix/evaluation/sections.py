"""The parts of an evaluation: how each is measured, and how its record is displayed.

A part is a line in `SECTIONS`: a function that measures it and one that returns its numbers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..records.evaluation_tables import (
    ALL,
    Block,
    Number,
    Table,
    data_name,
    glossary,
    make_table,
    numbers_of,
    short_name,
)
from ..records.evaluations import Evaluation
from ..records.metrics import METRICS
from . import measure
from .job import Job
from .outputs import Outputs

TOP1 = METRICS["top1"]


@dataclass(frozen=True)
class Section:
    """A part of an evaluation.

    Attributes:
        measure: returns its record, of plain values; None if it is not requested or cannot be measured.
        show: returns title and numbers of such a record.
        note: what a reader of the numbers must also know.
        first: whether it is measured before the others: other data may turn out to be broken.
    """

    measure: Callable[[Job, Outputs], Any]
    show: Callable[[Any], Block]
    note: str = ""
    first: bool = False


AFTER_SCALING = " after temperature scaling, one half"
"""Names of the numbers of scaled logits in a comparison."""


def show_accuracy(part: dict[str, Any]) -> Block:
    """Return the metrics of the predictions."""
    return Block("Accuracy" if "top1" in part else "Result", list(numbers_of(part)))


def show_calibration(part: dict[str, Any]) -> Block:
    """Return calibration of all images, and before and after temperature scaling of one half."""
    bins = f", {part['bins']} bins"
    numbers = list(numbers_of(part, ALL, {"ece": bins}))
    if scaled := part.get("temperature_scaling"):
        after = f"the same half, temperature {scaled['temperature']:.4f}"
        numbers += numbers_of(scaled["before"], "half of them, as they are", None)
        how = dict.fromkeys(scaled["after"], AFTER_SCALING) | {"ece": AFTER_SCALING + bins}
        numbers += numbers_of(scaled["after"], after, how)
    return Block("Calibration", numbers, f"ECE of {part['bins']} bins")


def show_embedding(part: dict[str, Any]) -> Block:
    """Return the geometry on the unit sphere."""
    numbers = [*numbers_of(part), *numbers_of(part["class_spread"])]
    return Block("Embedding", numbers, f"of {part.get('dimensions')} numbers, on the unit sphere")


def show_attacks(part: dict[str, Any]) -> Block:
    """Return top-1 by attack and budget, with the model's own gradients and another's."""
    sources = {"white box": part["white_box"]}
    if transfer := part.get("transfer"):
        sources[f"black box from {short_name(transfer['from'])}"] = transfer["top1"]
    return Block(f"Top-1 under attack ({part['samples']} images)", list(_attacked(part, sources)))


def _attacked(part: dict[str, Any], sources: dict[str, dict[str, list[float]]]) -> Iterator[Number]:
    for source, found in sources.items():
        for method, values in found.items():
            name = attack_name(method, part["steps"])
            row, by = f"{source}, {name}", "" if source == "white box" else f", {source}"
            yield Number(TOP1, part.get("clean_top1"), row, "clean", how=None)
            for epsilon, value in zip(part["epsilons"], values, strict=True):
                size = f"\u03b5 = {budget(epsilon)}"
                how = f" under {name}{by}, {size}, {part['samples']} images"
                yield Number(TOP1, value, row, size, how)


def show_ood(part: list[dict[str, Any]]) -> Block:
    """Return how each unknown dataset is separated from the known images, by each score."""
    return Block("Out-of-distribution detection", list(_told_apart(part)))


def _told_apart(part: list[dict[str, Any]]) -> Iterator[Number]:
    seen: list[tuple[str, int]] = []
    for data in part:
        name = data_name(data), data["samples"]
        number = f", no. {len(seen) + 1}" if name in seen else ""
        seen.append(name)
        for score, values in data["scores"].items():
            told = score.replace("_", " ")
            row = f"{name[0]} ({name[1]}{number}), {told}"
            yield from numbers_of(values, row, f" against {name[0]}, {name[1]} images{number}, {told}")


def show_corruptions(part: dict[str, Any]) -> Block:
    """Return top-1 by kind and strength; comparisons have the mean of all."""
    numbers = []
    for kind, values in part.get("top1", {}).items():
        strengths = [(f"strength {strength}", value) for strength, value in enumerate(values, 1)]
        numbers += [
            Number(TOP1, value, kind, column, how=None)
            for column, value in [*strengths, ("mean", sum(values) / len(values))]
        ]
    mean = Number(TOP1, part["mean_top1"], "mean", "mean", " under corruptions, mean")
    return Block("Top-1 under corruption", [*numbers, mean])


def show_consistency(part: list[dict[str, Any]]) -> Block:
    """Return the gap between f(mix) and mix(f), by mixer."""
    numbers = [
        number
        for row in part
        for number in numbers_of(row, row["mix"], f" of f(mix) and mix(f), {row['mix']}")
    ]
    return Block("Mixing consistency: f(mix) against mix(f)", numbers)


SECTIONS = {
    "accuracy": Section(measure.accuracy, show_accuracy),
    "calibration": Section(
        measure.calibration,
        show_calibration,
        note="temperature: fitted on every second image, measured on the others",
    ),
    "embedding": Section(measure.embedding, show_embedding),
    "attacks": Section(
        measure.attacks,
        show_attacks,
        note="attacks change each pixel value, from 0 to 1, by at most \u03b5; the labels are the true ones",
    ),
    "ood": Section(measure.unknown_images, show_ood, first=True),
    "corruptions": Section(measure.corruptions, show_corruptions),
    "consistency": Section(measure.consistency, show_consistency),
}
"""By their names in the record, in the order in which they are shown."""


def measure_all(job: Job) -> Evaluation:
    """Return the records of all requested parts, by name."""
    outputs = measure.predict(job)
    order = sorted(SECTIONS, key=lambda name: not SECTIONS[name].first)
    parts = {name: SECTIONS[name].measure(job, outputs) for name in order}
    return {name: parts[name] for name in SECTIONS if parts[name] is not None}


def blocks(*evaluations: Evaluation) -> list[Block]:
    """Return the blocks to display for evaluations, the same parts together."""
    return [
        section.show(evaluation[name])
        for name, section in SECTIONS.items()
        for evaluation in evaluations
        if evaluation.get(name)
    ]


def make_tables(*evaluations: Evaluation) -> list[Table]:
    """Return a table for each part of evaluations."""
    return [make_table(block) for block in blocks(*evaluations)]


def all_numbers(*evaluations: Evaluation) -> list[Number]:
    """Return the numbers of all parts of evaluations."""
    return [number for block in blocks(*evaluations) for number in block.numbers]


def footnote(*evaluations: Evaluation) -> str:
    """Return an explanation of the tables' labels, and other notes for a reader."""
    measured = {name for evaluation in evaluations for name, part in evaluation.items() if part}
    notes = [section.note for name, section in SECTIONS.items() if section.note and name in measured]
    return "; ".join(filter(None, [glossary(all_numbers(*evaluations)), *notes]))


def attack_name(method: str, steps: int) -> str:
    """Return a method with the number of its steps, if it makes several."""
    return method if method == "fgsm" else f"{method} of {steps} steps"


def budget(value: float) -> str:
    """Return a budget in steps of 8-bit pixels if it is a small multiple of them, or of halves."""
    halves = value * 510
    few = abs(halves - round(halves)) < 1e-9 and 0 < halves <= 64
    return f"{round(halves) / 2:g}/255" if few else f"{value:g}"
