"""Datasets from the Hugging Face Hub or its cache; an unreachable Hub costs seconds, not minutes."""

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..dataset_names import TORCH, HubName
from ..errors import UsageError, one_line

if TYPE_CHECKING:
    from datasets import DatasetBuilder, DatasetDict

_CONFIGURATIONS = re.compile(r"(?:available configs|Available): \[(.*?)\]")


def load_from_hub(name: HubName) -> tuple["DatasetDict", list[str]]:
    """All splits of a Hub dataset; from the local cache, which is noted, where the Hub cannot be reached.

    One short request goes first, because `datasets` retries an unreachable Hub for half a minute.

    Raises: UsageError if there is no such dataset, or neither Hub nor cache have it.
    """
    import datasets

    trouble = None if datasets.config.HF_HUB_OFFLINE else _probe(name)
    try:
        if trouble is None:
            with quiet():
                return datasets.load_dataset(name.repo_id, **name.arguments), []
        with _offline(), quiet():
            splits = datasets.load_dataset(name.repo_id, **name.arguments)
        return splits, [f"the Hub cannot be reached ({trouble}): '{name.repo_id}' is read from the cache"]
    except Exception as error:
        _check_configuration(name, error)
        reason = trouble or one_line(error)
        torchvision = "" if "/" in name.repo_id else f" (torchvision's datasets are {TORCH}NAME)"
        raise UsageError(
            f"dataset '{name.repo_id}': neither 'digits' nor a directory{torchvision}, and could not be "
            f"downloaded from the Hub: {reason}"
        ) from error


def builder_from_hub(name: HubName) -> "DatasetBuilder":
    """Return `datasets`' builder of a Hub dataset, without reading data; for streaming, which needs the Hub.

    Raises: UsageError if there is no such dataset or the Hub cannot be reached.
    """
    import datasets

    reason = "HF_HUB_OFFLINE is set" if datasets.config.HF_HUB_OFFLINE else _probe(name)
    try:
        if reason is None:
            with quiet():
                return datasets.load_dataset_builder(name.repo_id, **name.arguments)
    except Exception as error:
        _check_configuration(name, error)
        reason = one_line(error)
    raise UsageError(f"`streaming`: dataset '{name.repo_id}' could not be downloaded from the Hub: {reason}")


def _check_configuration(name: HubName, error: Exception) -> None:
    """Raises: UsageError if `datasets` asks for the name of one of several configurations."""
    if found := _CONFIGURATIONS.search(" ".join(str(error).split())):
        names = found.group(1).replace("'", "")
        wrong = "" if name.configuration is None else f", not {name.configuration}"
        raise UsageError(
            f"dataset '{name.repo_id}' has the configurations {names}{wrong}; name one as {name.repo_id}:NAME"
        ) from error


def _probe(name: HubName) -> str | None:
    """Why the Hub cannot be reached; None if it has the dataset. Raises: UsageError if it does not."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    from ..connection.client import unreachable
    from ..connection.patience import silence

    repo_id = name.repo_id
    try:
        return unreachable(lambda: HfApi().dataset_info(repo_id, revision=name.revision, timeout=silence()))
    except GatedRepoError as error:
        raise UsageError(
            f"dataset '{repo_id}' is gated: ask for access on its Hub page and log in"
        ) from error
    except RevisionNotFoundError as error:
        raise UsageError(f"dataset '{repo_id}' has no revision '{name.revision}'") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise UsageError(
            f"unknown dataset '{repo_id}': neither 'digits' nor a directory, and not on the Hub (or private)"
        ) from error


@contextmanager
def _offline() -> Iterator[None]:
    """Let `datasets` use its cache only."""
    import datasets

    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


@contextmanager
def reading(title: str) -> Iterator[None]:
    """Guard reading with `datasets`, which raises errors of many kinds for damaged files.

    Raises:
        UsageError: that `title` cannot be read, and why.
    """
    try:
        with quiet():
            yield
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{title} cannot be read: {one_line(error.__cause__ or error)}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Silence output of `datasets` that duplicates this package's own lines, unless --log-level requests it.

    No progress bars in log files, nor from any process but the first of a machine.
    """
    import datasets

    bars, logger = datasets.are_progress_bars_disabled(), logging.getLogger("datasets")
    level = logger.level
    if not sys.stderr.isatty() or os.environ.get("LOCAL_RANK", "0") != "0":
        datasets.disable_progress_bars()
    if logger.isEnabledFor(logging.WARNING) and not logger.isEnabledFor(logging.INFO):
        logger.setLevel(logging.CRITICAL)  # its errors come back as exceptions, and are told once
    try:
        yield
    finally:
        logger.setLevel(level)
        if not bars:
            datasets.enable_progress_bars()
