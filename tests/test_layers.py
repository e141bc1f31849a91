"""Imports point one way: every part of the package imports from parts further down only."""

from tests import layers


def test_every_part_has_a_place_in_the_order() -> None:
    assert set(layers.find_imports()) == set(layers.LAYERS)


def test_no_part_imports_from_above() -> None:
    order = list(layers.LAYERS)
    upward = [
        f"{part} imports {other}"
        for part, others in layers.find_imports().items()
        for other in others
        if order.index(other) <= order.index(part)
    ]
    assert upward == []


def test_the_page_of_the_parts_is_up_to_date() -> None:
    assert layers.PAGE.read_text(encoding="utf-8") == layers.make_page(), "run `make docs`"


def test_tests_mirror_the_package() -> None:
    """A directory of tests is one of the package's parts, of tools for tests, or of the pages of results."""
    tests = {path.name for path in (layers.ROOT / "tests").iterdir() if (path / "__init__.py").is_file()}
    assert tests - set(layers.LAYERS) == {"fakehub", "families", "fuzz", "gpu", "results"}
