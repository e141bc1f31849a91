"""MULTIMIX_SLOW=1/2 runs that share of the slow tests; each test, by its name, is always in the same one."""

import logging
import os
import re
from collections.abc import Iterator
from zlib import crc32

import pytest

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


def in_share(name: str, share: str) -> bool:
    """Whether a test belongs to a share such as 1/2."""
    part, parts = map(int, found.groups()) if (found := re.fullmatch(r"(\d+)/(\d+)", share)) else (0, 0)
    if not 1 <= part <= parts:
        raise ValueError(f"MULTIMIX_SLOW must be a share such as 1/2, got {share}")
    return crc32(name.encode()) % parts == part - 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the slow tests of other shares; model families have a share of their own."""
    if not (share := os.environ.get("MULTIMIX_SLOW")):
        return
    always = [item.get_closest_marker("slow") is None or "/families/" in item.nodeid for item in items]
    chosen = [here or in_share(item.nodeid, share) for here, item in zip(always, items, strict=True)]
    config.hook.pytest_deselected(items=[item for item, here in zip(items, chosen, strict=True) if not here])
    items[:] = [item for item, here in zip(items, chosen, strict=True) if here]
