"""The test Hub's parser of a README: its metadata, and errors in it."""

import math
from typing import Any

import yaml

TEXTS = ("license", "license_name", "license_link", "library_name", "pipeline_tag")
TEXTS_OR_LISTS = ("tags", "datasets", "metrics", "base_model", "language")


def front_matter(text: str) -> str | None:
    """The YAML between the lines of dashes at the top."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != "---" or "---" not in lines[1:]:
        return None
    return "\n".join(lines[1 : lines.index("---", 1)])


def read_metadata(text: str) -> dict[str, Any]:
    """A card's metadata, empty where there is none that can be read."""
    try:
        found = yaml.safe_load(front_matter(text) or "")
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def check_card(text: str) -> tuple[list[str], list[str]]:
    """Errors and warnings of a card."""
    block = front_matter(text)
    if block is None:
        return [], ["empty or missing yaml metadata in repo card"]
    try:
        metadata = yaml.safe_load(block)
    except yaml.YAMLError as error:
        return [f"YAML: {error}"], []
    if not isinstance(metadata, dict):
        return ["metadata must be a mapping"], []
    return [*check_texts(metadata), *check_results(metadata)], []


def check_texts(metadata: dict[str, Any]) -> list[str]:
    """Names that must be text, and those that may also be a list of texts."""
    errors = []
    for name in TEXTS:
        if not isinstance(metadata.get(name, ""), str):
            errors.append(f'"{name}" must be a string')
    for name in TEXTS_OR_LISTS:
        value = metadata.get(name, [])
        if not all(isinstance(item, str) for item in (value if isinstance(value, list) else [value])):
            errors.append(f'"{name}" must be a string or a list of strings')
    return errors


def check_results(metadata: dict[str, Any]) -> list[str]:
    """Names, tasks, datasets and finite values of a model-index."""
    errors = []
    try:
        for model in metadata.get("model-index", []):
            for result in model["results"]:
                texts = [
                    model["name"],
                    result["task"]["type"],
                    result["dataset"]["type"],
                    result["dataset"]["name"],
                ]
                for metric in result["metrics"]:
                    texts.append(metric["type"])
                    if isinstance(metric["value"], float) and not math.isfinite(metric["value"]):
                        errors.append('"model-index[].results[].metrics[].value" must be finite')
                    if not isinstance(metric["value"], str | int | float):
                        errors.append(
                            '"model-index[].results[].metrics[].value" must be a number or a string'
                        )
                if not all(isinstance(text, str) for text in texts):
                    errors.append('names and types in "model-index" must be strings')
    except (KeyError, TypeError) as error:
        errors.append(f'"model-index" is not well formed: {error!r}')
    return errors
