"""The record of the sweep, what is made from it, and how a run's share of the families is chosen."""

from collections import Counter
from datetime import date, timedelta

import pytest
import timm

from tests.families import members, page, record

MODELS = record.load()["models"]


def test_the_page_is_what_the_record_makes():
    assert page.PATH.read_text() == page.page(), "run `make architectures`"


@pytest.mark.skipif(
    record.load()["versions"]["timm"] != timm.__version__, reason="the record is of another version of timm"
)
def test_the_record_has_every_family_and_every_extra():
    smallest = [row["family"] for row in MODELS.values() if not row["extra"]]
    assert smallest == members.families()
    assert {name for name, row in MODELS.items() if row["extra"]} == set(members.EXTRAS)
    assert all(name in timm.list_models(module=row["family"]) for name, row in MODELS.items())


def test_all_families_but_five_are_mixed_everywhere():
    rows = [row for row in MODELS.values() if not row["extra"]]
    assert sum(row["positions"] == 1 for row in rows) <= 5
    assert sum(bool(row["refused"]) or not row["stages"] for row in rows) <= 5


def test_inexact_families_are_recorded():
    """The norms and the maximum that the docs name; other departures are of dropout, which averages out."""
    departures = {
        kind: {row["family"] for row in MODELS.values() if kind in row["departures"]}
        for kind in ("not affine", "batch norm")
    }
    assert departures == {"not affine": {"volo"}, "batch norm": {"levit", "repvit", "iformer"}}


def test_five_days_sweep_each_family_once():
    swept = Counter()
    for day in range(5):
        swept.update(members.chosen_families(today=date(2024, 3, 1) + timedelta(day)))
    assert swept == Counter(members.families())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", slice(None)),
        ("1/5", slice(0, None, 5)),
        ("5/5", slice(4, None, 5)),
        ("2/2", slice(1, None, 2)),
    ],
)
def test_shares(text, expected):
    families = members.families() if text == "all" else members.by_size()
    assert members.chosen_families(text) == families[expected]


def test_names_and_mistakes():
    assert members.chosen_families("vgg,beit") == ["vgg", "beit"]
    for wrong in ("0/5", "6/5", "vgg,alexnet"):
        with pytest.raises(ValueError, match=wrong):
            members.chosen_families(wrong)


def test_a_family_without_a_record_is_still_to_be_found(monkeypatch):
    models = {name: row for name, row in MODELS.items() if row["family"] != "vgg"}
    monkeypatch.setattr(record, "load", lambda: {"models": models})
    assert members.cases(["vgg"]) == [("vgg", "")]
    assert members.cases(["pit"]) == [("pit", "pit_ti_224"), ("pit", "pit_ti_distilled_224")]


def test_no_worse():
    good = {"positions": 4, "mean_of_positions": "logits", "refused": {}}
    assert record.no_worse(good, good)
    for change in ({"positions": 1}, {"mean_of_positions": "other"}, {"refused": {"stem": "not reached"}}):
        assert not record.no_worse({**good, **change}, good)
        assert record.no_worse(good, {**good, **change})
