"""The command line enforces every relation between options."""

from pathlib import Path
from typing import Any

import pytest

from tests.options.commands import all_options, required, words
from timm_multimix.errors import UsageError
from timm_multimix.options import TrainOptions, parse_train_options
from timm_multimix.options.declaration import Options, declared, flag
from timm_multimix.options.parser import parse
from timm_multimix.options.relations import is_idle, names_of, overruled


def pairs(fact: str) -> list[Any]:
    """(command, option, the other option) for every relation of a kind."""
    return [
        pytest.param(kind, option.name, other, id=f"{option.name}-{other}")
        for kind, option in all_options()
        for other in getattr(option.facts, fact)
    ]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def mistake(kind: type[Options], *names: str) -> str:
    """The error line for these options."""
    with pytest.raises(UsageError) as caught:
        parse(kind, [*required(kind), *(word for name in names for word in words(kind, name))])
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("kind", "name", "other"), pairs("needs"))
def test_an_option_without_its_requirement_is_refused(kind: type[Options], name: str, other: str) -> None:
    told = mistake(kind, name)
    assert told.startswith(f"{flag(name)} has no effect without ")
    assert flag(other) in told


@pytest.mark.parametrize(("kind", "name", "other"), pairs("needs"))
def test_an_option_with_its_requirement_is_accepted(
    kind: type[Options], name: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some").touch()  # for options that take a file
    names = [name, other, *declared(kind)[other].facts.requires]
    argv = [word for one in dict.fromkeys(names) for word in words(kind, one)]
    assert {name, other} <= parse(kind, [*required(kind), *argv]).given


@pytest.mark.parametrize(("kind", "name", "other"), pairs("idle_with"))
def test_an_option_has_no_effect_together_with_another(kind: type[Options], name: str, other: str) -> None:
    told = mistake(kind, name, other)
    orders = [(name, other)] + [(other, name)] * (name in declared(kind)[other].facts.idle_with)
    assert told in [f"{flag(a)} has no effect together with {flag(b)}; remove one of them" for a, b in orders]


@pytest.mark.parametrize(("kind", "name", "other"), pairs("excludes"))
def test_an_option_excludes_another(kind: type[Options], name: str, other: str) -> None:
    needs = {need for one in (name, other) for need in declared(kind)[one].facts.needs[:1]}
    told = mistake(kind, name, other, *needs)
    reason = declared(kind)[name].facts.excludes[other]
    assert told == f"{flag(name)} cannot be used with {flag(other)}, {reason}; remove one of them"


@pytest.mark.parametrize(("kind", "name", "other"), pairs("requires"))
def test_an_option_requires_a_value_of_another(kind: type[Options], name: str, other: str) -> None:
    assert mistake(kind, name).startswith(f"{flag(name)} needs {flag(other)} ")


def test_every_relation_is_tested() -> None:
    assert all(pairs(fact) for fact in ("needs", "idle_with", "excludes", "requires"))


def test_an_option_that_is_off_makes_no_other_one_idle() -> None:
    options = parse_train_options(["--crop-padding", "0", "--scale", "0.5", "1", "--aug"])
    assert options.augmentation.scale == (0.5, 1.0)


def test_an_option_of_a_config_yields_to_one_that_it_would_disable() -> None:
    below = {"no_aug": True, "epochs": 3, "scale": (0.5, 1.0)}
    assert overruled(declared(TrainOptions), below, {"hflip", "epochs"}) == {"scale": (0.5, 1.0)}


def test_an_option_is_idle_while_what_it_needs_is_off() -> None:
    decay = declared(TrainOptions)["model_ema_decay"]
    assert is_idle(decay, {"model_ema": False, "distill": 0.5})  # a teacher's own average has another decay
    assert not is_idle(decay, {"model_ema": True, "distill": 0.0})
    assert not is_idle(declared(TrainOptions)["lr"], {})


def test_options_that_a_resumed_run_may_change() -> None:
    assert names_of(TrainOptions, bears_on_result=False, recorded=True) == {
        "workers",
        "pin_mem",
        "checkpoint_interval",
        "checkpoint_hist",
        "log_interval",
        "log_with",
        "wandb_project",
        "wandb_tags",
        "log_level",
    }
