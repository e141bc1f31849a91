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
