"""Measurement of each part of an evaluation, one function each; None if the part is not requested."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..options.declaration import flag
from ..records.evaluation_tables import short_name
from .accuracy import summarize_scores
from .calibration import summarize_calibration
from .consistency import measure_consistency
from .corruptions import KINDS, STRENGTHS, Corrupt
from .detection import compare_logits
from .drawing import draw_embedding
from .embedding import summarize_embedding
from .job import Job, describe_data, describe_model
from .outputs import Outputs, accuracy_under_attack, collect
from .outputs import accuracy as top1_accuracy
from .pictures import checked

Part = dict[str, Any]


def predict(job: Job) -> Outputs:
    """Return logits, labels and embedding of all images, from which most parts are computed.

    Raises:
        UsageError: the images are no pixels in [0, 1], and a part needs such.
    """
    measures, batches = job.options.measures, progress(job.pictures.batches(), "clean")
    asked = {"attacks": measures.attacks is not None, "corruptions": measures.corruptions}
    names = " and ".join(flag(name) for name, is_asked in asked.items() if is_asked)
    return collect(job.classifier, checked(batches, names) if names else batches)


def accuracy(job: Job, outputs: Outputs) -> Part:
    """Measure the accuracy."""
    return summarize_scores(outputs.logits, outputs.labels)


def calibration(job: Job, outputs: Outputs) -> Part | None:
    """Measure the calibration, if there is one class for each image."""
    if outputs.labels.is_floating_point():
        return None
    return summarize_calibration(outputs.logits, outputs.labels)


def embedding(job: Job, outputs: Outputs) -> Part | None:
    """Measure the geometry of the embedding, if the model has one, and draw it if requested."""
    if job.options.measures.embedding_plot:
        draw(job, outputs, job.options.measures.embedding_plot)
    if outputs.embedding is None or outputs.labels.is_floating_point():
        return None
    return summarize_embedding(outputs.embedding, outputs.labels)


def progress(batches: Iterator[Any], label: str) -> Iterator[Any]:
    """Yield the batches, with a progress bar on a terminal."""
    yield from tqdm(batches, desc=label, leave=False, disable=not sys.stderr.isatty())


def draw(job: Job, outputs: Outputs, file: Path) -> None:
    """Draw the embedding; where the file cannot be written, the evaluation goes on and fails at its end."""
    names = job.classifier.label_names or job.split.class_names
    model, data = short_name(job.options.network.model), short_name(job.dataset)
    title = f"{model} on {data} ({job.split.name}): t-SNE of the embedding"
    assert outputs.embedding is not None
    try:
        draw_embedding(outputs.embedding, outputs.labels, names, title, file, job.options.report.seed)
    except OSError as error:
        job.unwritten[file] = error


def unknown_images(job: Job, outputs: Outputs) -> list[Part] | None:
    """Measure how each dataset of --ood is separated from the known images."""
    parts = []
    for name, pictures in job.unknown.items():
        logits = collect(job.classifier, progress(pictures.batches(), name)).logits
        scores = compare_logits(outputs.logits, logits)
        parts.append(describe_data(name) | {"samples": len(logits), "scores": scores})
    return parts or None


def attacks(job: Job, outputs: Outputs) -> Part | None:
    """Measure top-1 under every attack and budget, with gradients of the model and of --transfer-from."""
    measures, seed = job.options.measures, job.options.report.seed
    if measures.attacks is None:
        return None
    indices = job.pictures.spaced(measures.attack_samples)

    def under(source: Any, what: str) -> dict[str, list[float]]:
        return {
            method: [
                accuracy_under_attack(
                    job.classifier,
                    source,
                    progress(job.pictures.batches(indices), f"{what} {method} {epsilon:.4f}"),
                    method,
                    epsilon,
                    measures.attack_steps,
                    seed,
                )
                for epsilon in measures.epsilons
            ]
            for method in measures.attacks or ()
        }

    part: Part = {
        "samples": len(indices),
        "steps": measures.attack_steps,
        "epsilons": list(measures.epsilons),
        "clean_top1": top1_accuracy(job.classifier, job.pictures.batches(indices)),
        "white_box": under(job.classifier, "white box"),
    }
    if job.surrogate is not None:
        source = describe_model(str(measures.transfer_from))
        top1 = under(job.surrogate, "transfer")
        part["transfer"] = {"from": source["name"], "kind": source["kind"], "top1": top1}
    return part


def corruptions(job: Job, outputs: Outputs) -> Part | None:
    """Measure top-1 for every corruption by strength, and the mean of all."""
    if not job.options.measures.corruptions:
        return None
    top1 = {
        kind: [
            top1_accuracy(
                job.classifier,
                progress(job.pictures.batches(corruption=Corrupt(kind, strength)), f"{kind} {strength}"),
            )
            for strength in STRENGTHS
        ]
        for kind in KINDS
    }
    mean = sum(map(sum, top1.values())) / (len(KINDS) * len(STRENGTHS))
    return {"top1": top1, "mean_top1": mean, "seed": job.options.report.seed}


def consistency(job: Job, outputs: Outputs) -> list[Part] | None:
    """Measure the gap between f(mix) and mix(f) for every mixer."""
    return [
        {"mix": spec}
        | measure_consistency(
            job.classifier,
            (pixels for pixels, _ in progress(job.pictures.batches(), spec)),
            mixture,
            job.options.report.seed,
        )
        for spec, mixture in job.mixtures.items()
    ] or None
