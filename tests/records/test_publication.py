"""Publication of a run's record, by the types of its fields."""

from pathlib import Path
from typing import Any

import pytest

from timm_multimix.options import TrainOptions
from timm_multimix.options.declaration import Option, declared
from timm_multimix.options.values import DatasetName
from timm_multimix.records import publication
from timm_multimix.records.publication import public_evaluation, public_options, public_summary


@pytest.mark.parametrize(
    ("annotation", "value", "kind", "told"),
    [
        (Path, "work/secret/file.csv", "hub", "file.csv"),
        (Path | None, "work/secret/file.csv", "hub", "file.csv"),
        (Path | None, None, "hub", None),
        (tuple[Path, ...], ["work/secret/a", "work/secret/b"], "hub", ["a", "b"]),
        (DatasetName, "secret/pets", "folder", "pets"),
        (DatasetName, "secret/pets.csv", "a kind to come", "pets.csv"),
        (DatasetName, "user/pets", "hub", "user/pets"),
        (str, "user/pets", "folder", "user/pets"),
        (str, "local-dir:secret/net", "hub", "local-dir:net"),
        (str, "/home/secret/net", "hub", "net"),
        (int, 3, "hub", 3),
        (list, ["/secret/b", {"c": "/secret/e"}], "hub", ["b", {"c": "e"}]),
    ],
)
def test_by_the_type_of_an_option(
    annotation: Any, value: Any, kind: str, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = declared(TrainOptions)["dataset"].facts
    options = {"new": Option("new", annotation, None, facts, TrainOptions)}
    monkeypatch.setattr(publication, "declared", lambda kind: options)
    assert public_options({"new": value}, kind) == {"new": told}


def test_a_summary_and_its_command_tell_the_same() -> None:
    summary = {"dataset": "secret/pets", "mix": "mixup", "command": "train.py --dataset=secret/pets -b 2"}
    told = public_summary(summary, {"dataset": "secret/pets", "mix": "mixup"}, "folder")
    assert told == {"dataset": "pets", "mix": "mixup", "command": "train.py --dataset=pets -b 2"}
    assert public_summary(summary, {"dataset": "secret/pets"}, "hub") == summary


def test_an_evaluation_by_the_kinds_in_it() -> None:
    """At any depth, also in parts that this version does not know."""
    record = {
        "model": {"name": "secret/run", "kind": "folder"},
        "data": {"dataset": "user/pets", "kind": "hub", "split": "test"},
        "new": [{"of": {"dataset": "secret/other", "kind": "folder", "samples": 3}}],
        "commands": ["timm-multimix evaluate secret/run --dataset user/pets --new secret/other"],
    }
    assert public_evaluation(record) == {
        "model": {"name": "run", "kind": "folder"},
        "data": {"dataset": "user/pets", "kind": "hub", "split": "test"},
        "new": [{"of": {"dataset": "other", "kind": "folder", "samples": 3}}],
        "commands": ["timm-multimix evaluate run --dataset user/pets --new other"],
    }
