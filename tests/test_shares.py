"""Shares of the slow tests: together they are all of them, and each has some of every file."""

import pytest

from tests.conftest import in_share

NAMES = [f"tests/test_{file}.py::test_b[{k}]" for file, count in (("a", 200), ("b", 2)) for k in range(count)]


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_every_test_is_in_a_share_and_every_file_in_each(parts: int) -> None:
    shares = [in_share(NAMES, f"{part}/{parts}") for part in range(1, parts + 1)]
    assert set().union(*shares) == set(NAMES)
    large, small = ([[name for name in share if f"_{file}.py" in name] for share in shares] for file in "ab")
    assert sum(map(len, large)) == 200  # no test is in two
    assert max(map(len, large)) - min(map(len, large)) <= 1
    assert {len(share) for share in small} == {max(1, 2 // parts)}


def test_the_order_of_collection_does_not_matter() -> None:
    assert in_share(NAMES, "2/3") == in_share(reversed(NAMES), "2/3")


@pytest.mark.parametrize("share", ["0/2", "3/2", "2", "half"])
def test_no_such_share(share: str) -> None:
    with pytest.raises(ValueError, match="must be a share such as 1/2"):
        in_share(["a"], share)
