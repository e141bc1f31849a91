"""Shares of the slow tests: they are disjoint, and together all of them."""

import pytest

from tests.conftest import in_share

NAMES = [f"tests/test_a.py::test_b[{k}]" for k in range(200)]


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_every_test_is_in_one_share(parts: int) -> None:
    shares = [f"{part}/{parts}" for part in range(1, parts + 1)]
    assert all(sum(in_share(name, share) for share in shares) == 1 for name in NAMES)
    sizes = [sum(in_share(name, share) for name in NAMES) for share in shares]
    assert min(sizes) > len(NAMES) / parts / 2


@pytest.mark.parametrize("share", ["0/2", "3/2", "2", "half"])
def test_no_such_share(share: str) -> None:
    with pytest.raises(ValueError, match="must be a share such as 1/2"):
        in_share("a", share)
