"""MULTIMIX_SLOW=1/2 runs that share of the slow tests of each file, one at least."""

import logging
import os
import random
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from zlib import crc32

import numpy as np
import pytest
import torch

from timm_multimix.logs import show_messages

pytest_plugins = ["tests.fakehub.fixtures"]


@pytest.fixture(autouse=True, scope="session")
def messages() -> None:
    """Show log messages as on the command line, for tests that read them."""
    show_messages()


@pytest.fixture(autouse=True)
def _root_handlers() -> Iterator[None]:
    """A run in this process logs to the stderr of its own test, which is closed after it."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Draw the same numbers in every run: no test fails by chance, pytest-randomly varies the order alone."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


pytest_runtest_call = pytest_runtest_setup


def in_share(names: Iterable[str], share: str) -> set[str]:
    """Those of some tests that a share such as 1/2 has: as large a part of each file's, one test at least.

    Where a file has fewer tests than there are shares, they take turns.
    """
    part, parts = map(int, found.groups()) if (found := re.fullmatch(r"(\d+)/(\d+)", share)) else (0, 0)
    if not 1 <= part <= parts:
        raise ValueError(f"MULTIMIX_SLOW must be a share such as 1/2, got {share}")
    chosen: set[str] = set()
    for _, tests in groupby(sorted(names), lambda name: name.partition("::")[0]):
        mixed = sorted(tests, key=lambda name: crc32(name.encode()))
        chosen.update(mixed[part - 1 :: parts] or [mixed[(part - 1) % len(mixed)]])
    return chosen


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the slow tests of other shares; model families have a share of their own."""
    if not (share := os.environ.get("MULTIMIX_SLOW")):
        return
    slow = {
        item.nodeid for item in items if item.get_closest_marker("slow") and "/families/" not in item.nodeid
    }
    left_out = slow - in_share(slow, share)
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in left_out])
    items[:] = [item for item in items if item.nodeid not in left_out]
