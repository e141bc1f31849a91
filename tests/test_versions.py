"""The tested libraries have supported versions, or, where requested, the oldest supported ones."""

import os
from importlib.metadata import version

import pytest

from tests.overlay import PACKAGES, oldest_versions, whole


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split("+")[0].split(".")[:3]]


def test_every_package_has_a_lower_bound() -> None:
    assert sorted(oldest_versions()) == sorted(PACKAGES)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_version_is_supported_and_the_expected_one(name: str) -> None:
    oldest = whole(oldest_versions()[name])
    assert numbers(version(name)) >= numbers(oldest)
    expected = {*os.environ.get("EXPECT_VERSIONS", "").split(",")} - {""}
    assert expected <= {*PACKAGES}
    if name in expected:
        module = __import__(name.replace("-", "_"))
        assert numbers(version(name)) == numbers(module.__version__) == numbers(oldest)
