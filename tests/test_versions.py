"""The libraries under test are the ones that are meant: any supported, or, where asked for, the oldest."""

import os
from importlib.metadata import version

import pytest

from tests.overlay import PACKAGES, oldest_versions, whole


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(".")[:3]]


def test_every_package_has_a_lower_bound() -> None:
    assert sorted(oldest_versions()) == sorted(PACKAGES)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_version_is_supported_and_the_expected_one(name: str) -> None:
    oldest = whole(oldest_versions()[name])
    assert numbers(version(name)) >= numbers(oldest)
    assert os.environ.get("EXPECT_VERSIONS") in (None, "oldest")
    if os.environ.get("EXPECT_VERSIONS") == "oldest":
        module = __import__(name.replace("-", "_"))
        assert (version(name), module.__version__) == (oldest, oldest)
