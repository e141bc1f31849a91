"""Every option is declared once, completely, and with facts about options that exist."""

from dataclasses import fields

import pytest

from tests.options.commands import COMMANDS, all_options, required
from timm_multimix.options import TrainOptions, parse_train_options
from timm_multimix.options.arguments import Parser, help_text, reading
from timm_multimix.options.data import AugmentationOptions
from timm_multimix.options.declaration import (
    REQUIRED,
    Option,
    Options,
    Part,
    build,
    declared,
    flat,
    in_use,
    is_part,
)
from timm_multimix.options.parser import parse
from timm_multimix.options.publishing import HubOptions
from timm_multimix.options.relations import names_of

ALL = [pytest.param(kind, option, id=f"{kind.__name__}-{option.name}") for kind, option in all_options()]


def count_fields(kind: type[Part]) -> int:
    """The fields of a command and its parts that are no parts themselves."""
    return sum(
        count_fields(entry.type) if is_part(entry) else "facts" in entry.metadata  # type: ignore[arg-type]
        for entry in fields(kind)  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("kind", COMMANDS)
def test_no_command_declares_a_name_twice(kind: type[Options]) -> None:
    assert len(declared(kind)) == count_fields(kind)
    flags = [name for action in Parser(kind)._actions for name in action.option_strings]
    assert len(flags) == len(set(flags))


@pytest.mark.parametrize("kind", COMMANDS)
def test_required_options_are_enough(kind: type[Options], tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = parse(kind, required(kind))
    for name, option in declared(kind).items():
        assert option.default in (REQUIRED, flat(options)[name])


@pytest.mark.parametrize(("kind", "option"), ALL)
def test_help_states_the_default(kind: type[Options], option: Option) -> None:
    text = help_text(option)
    assert text.count("(default: ") == (option.default is not REQUIRED)
    assert "{" not in text
    shown = "".join(Parser(kind).format_help().split())  # lines are broken after dashes as well
    assert "".join(text.replace("%%", "%").split()) in shown


@pytest.mark.parametrize(("kind", "option"), ALL)
def test_facts_name_options_of_the_same_command(kind: type[Options], option: Option) -> None:
    facts = option.facts
    named = {*facts.needs, *facts.idle_with, *facts.excludes, *facts.requires}
    assert named <= declared(kind).keys() - {option.name}
    assert facts.recorded or not facts.bears_on_result  # what no record has cannot be held to it


@pytest.mark.parametrize(("kind", "option"), ALL)
def test_defaults_have_the_declared_type(kind: type[Options], option: Option) -> None:
    found = reading(option)
    if option.default in (REQUIRED, None) or found.action is not None:
        return
    values = option.default if isinstance(option.default, tuple) else (option.default,)
    convert = found.convert or str
    assert tuple(convert(str(value)) for value in values) == tuple(values)
    assert found.choices is None or set(values) <= set(found.choices)


def test_a_part_shares_facts_with_all_its_options() -> None:
    hub = names_of(TrainOptions, recorded=False) & {
        name for name, option in declared(TrainOptions).items() if option.group.title == "publishing"
    }
    assert hub == declared(HubOptions).keys()
    assert {"push_to_hub", "hub_license", "hub_timeout"} <= hub
    augmentations = declared(AugmentationOptions)
    assert {name for name, option in augmentations.items() if "no_aug" in option.facts.idle_with} == (
        augmentations.keys() - {"no_aug"}
    )
    assert augmentations["scale"].facts.idle_with == ("crop_padding", "no_aug")


def test_other_values_at_any_depth() -> None:
    options = parse_train_options(["--lr", "0.1"])
    other = options.but(img_size=32, lr=0.3)
    assert (other.network.input.img_size, other.optimization.lr, other.given) == (32, 0.3, options.given)
    assert (options.network.input.img_size, options.optimization.lr) == (None, 0.1)
    assert other.data is options.data
    assert build(TrainOptions, flat(other), other.given) == other


def test_an_option_that_does_not_exist_cannot_be_changed() -> None:
    with pytest.raises(TypeError, match="ScheduleOptions has no option lr"):
        parse_train_options([]).schedule.but(lr=0.1)


@pytest.mark.parametrize("value", [None, False, 0, 0.0, "", (), [], "off"])
def test_values_that_turn_nothing_on(value: object) -> None:
    assert not in_use(value)


@pytest.mark.parametrize("value", [True, 1, 0.1, "none", "auto", (0,)])
def test_values_that_do(value: object) -> None:
    assert in_use(value)
