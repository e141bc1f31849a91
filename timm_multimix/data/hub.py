"""Datasets of the Hugging Face Hub, or from its cache; a Hub out of reach costs seconds, not minutes."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from timm_multimix.data.images import one_line
from timm_multimix.errors import UsageError

if TYPE_CHECKING:
    from datasets import DatasetBuilder, DatasetDict

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def is_hub_id(name: str) -> bool:
    """Whether a name has the form of a Hub id, `NAME` or `OWNER/NAME`."""
    return _HUB_ID.fullmatch(name) is not None


def load_from_hub(name: str) -> "DatasetDict":
    """All splits of a Hub dataset; from the local cache where the Hub cannot be reached.

    One short request goes first, because `datasets` retries an unreachable Hub for half a minute.

    Raises: UsageError if there is no such dataset, or neither Hub nor cache have it.
    """
    import datasets

    trouble = None if datasets.config.HF_HUB_OFFLINE else _probe(name)
    try:
        if trouble is None:
            with quiet_unless_terminal():
                return datasets.load_dataset(name)
        with _offline():
            return datasets.load_dataset(name)
    except Exception as error:
        reason = trouble or one_line(error)
        raise UsageError(
            f"dataset '{name}': not 'digits', not a folder here, and cannot be had from the Hub: {reason}"
        ) from error


def builder_from_hub(name: str) -> "DatasetBuilder":
    """What `datasets` knows of a Hub dataset before it reads any data; for streaming, which needs the Hub.

    Raises: UsageError if there is no such dataset or the Hub cannot be reached.
    """
    import datasets

    reason = "HF_HUB_OFFLINE is set" if datasets.config.HF_HUB_OFFLINE else _probe(name)
    try:
        if reason is None:
            return datasets.load_dataset_builder(name)
    except Exception as error:
        reason = one_line(error)
    raise UsageError(f"--streaming: dataset '{name}' cannot be had from the Hub: {reason}")


def _probe(name: str) -> str | None:
    """Why the Hub cannot be reached; None if it has the dataset. Raises: UsageError if it does not."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    from timm_multimix.hub.client import silence, unreachable

    try:
        return unreachable(lambda: HfApi().dataset_info(name, timeout=silence()))
    except GatedRepoError as error:
        raise UsageError(f"dataset '{name}' is gated: ask for access on its Hub page and log in") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise UsageError(
            f"unknown dataset '{name}': not 'digits', not a folder here, and not on the Hub (or private)"
        ) from error


@contextmanager
def _offline() -> Iterator[None]:
    """`datasets` looks into its cache only."""
    import datasets

    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


@contextmanager
def quiet_unless_terminal() -> Iterator[None]:
    """No progress bars of `datasets` in log files, nor from any process but the first of a machine."""
    import datasets

    bars = datasets.are_progress_bars_disabled()
    if not sys.stderr.isatty() or os.environ.get("LOCAL_RANK", "0") != "0":
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not bars:
            datasets.enable_progress_bars()
