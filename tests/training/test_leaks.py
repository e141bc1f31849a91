"""A long run does not leak memory, files, threads or processes."""

import gc
import importlib
import itertools
import os
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from timm_multimix.errors import UsageError

from .helpers import Train

LOOP = importlib.import_module("timm_multimix.training.loop")
RUN = importlib.import_module("timm_multimix.training.run")  # the package's `run` is the function in it

GROWTH = 2**20 * 12
"""Bytes of resident memory that 2,000 steps may add: a leak of 6 kB per step would exceed it."""


def live_tensors() -> tuple[int, int]:
    """Number and bytes of the tensors that Python holds."""
    gc.collect()
    found = [item for item in gc.get_objects() if issubclass(type(item), torch.Tensor)]
    return len(found), sum(item.numel() * item.element_size() for item in found)


@pytest.mark.slow
def test_memory_does_not_grow_over_2000_steps(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured every 100 updates of 2,157 (three epochs of digits), after the first 400."""
    resident, tensors, calls = list[int](), list[tuple[int, int]](), itertools.count(1)
    original = LOOP.update

    def measured(*arguments: Any, **options: Any) -> Any:
        norm = original(*arguments, **options)
        if next(calls) % 100 == 0:
            tensors.append(live_tensors())
            resident.append(psutil.Process().memory_info().rss)
        return norm

    monkeypatch.setattr(LOOP, "update", measured)
    options = ["--dataset", "digits", "--model", "test_vit", "--batch-size", 2, "--validation-batch-size", 64]
    options += [
        "--epochs",
        3,
        "--workers",
        0,
        "--mix",
        "mixup|manifold_mixup|multimix(n=20)",
        "--log-interval",
        10,
    ]
    train(*options, "--lr", 0.01, "--clip-grad", 1, "--model-ema", "--output", "run")
    assert len(resident) == 21
    assert max(resident[-4:]) - max(resident[2:6]) < GROWTH
    assert tensors[-1] == tensors[10]  # third epoch and second; in the first one no sums are left over


def open_files() -> set[str]:
    """Open files of this process, without its pipes to its parent."""
    paths = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            paths.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
        except FileNotFoundError:  # the listing's own
            continue
    return paths


def children() -> set[psutil.Process]:
    """All child processes; other tests may have left some, as torch.compile does."""
    return set(psutil.Process().children(recursive=True))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no list of open files on this system")
@pytest.mark.parametrize("end", ["finished", "broken"])
def test_everything_is_closed_after_a_run(
    end: str, train: Train, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [*quick, "--workers", 2, "--epochs", 1, "--log-with", "tensorboard"]
    train(*options, "--output", "first")  # what libraries open once for good
    gc.collect()
    before, others = open_files(), children()
    if end == "broken":

        def fail(*arguments: Any, **options: Any) -> None:
            raise UsageError("evaluation fails")

        monkeypatch.setattr(RUN, "evaluate", fail)
        with pytest.raises(UsageError, match="evaluation fails"):
            train(*options, "--output", "second")
    else:
        train(*options, "--output", "second")
    assert children() == others  # now, not after a garbage collection
    gc.collect()
    assert open_files() - before == set()
