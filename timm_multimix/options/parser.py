"""Parsing in two layers, a YAML file under the command line, each checked by the same argparse parser."""

import argparse
import difflib
from argparse import Namespace
from typing import Any, NoReturn

from ..errors import UsageError
from . import data, mixing, model, optimization, publishing, run
from .checks import check_choices, check_result, overruled, resolve_aliases
from .config import config_tokens, load_config
from .shared import settle_img_size


class Parser(argparse.ArgumentParser):
    """An argparse parser whose errors are `UsageError`s of one line, and which can say its options."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message.removeprefix("argument "))

    def options(self) -> list[argparse.Action]:
        """All options but --help."""
        return [action for action in self._actions if action.dest != "help"]

    def parse_layer(self, tokens: list[str]) -> dict[str, Any]:
        """What `tokens` choose, by dest, without any defaults.

        Raises: UsageError for unknown flags, with the nearest known one, and for values that are not allowed.
        """
        nothing = Namespace(**{action.dest: None for action in self.options()})
        chosen, unknown = self.parse_known_args(tokens, nothing)
        if unknown:
            self.error(self._describe_unknown(unknown[0]))
        return {dest: value for dest, value in vars(chosen).items() if value is not None}

    def _describe_unknown(self, token: str) -> str:
        if not token.startswith("-"):
            return f"unexpected argument {token!r}; options begin with --"
        flag = token.partition("=")[0]
        known = [name for action in self._actions for name in action.option_strings]
        nearest = difflib.get_close_matches(flag, known, n=1)
        return f"unrecognized option {flag}; " + (
            f"did you mean {nearest[0]}?" if nearest else "--help lists them"
        )


def build_parser() -> Parser:
    """All options of `train` with their defaults."""
    parser = Parser(
        prog="timm-multimix train",
        usage="%(prog)s [OPTION ...]",
        description="Train any timm model, mixing examples. "
        "Mixed precision, number of processes and engine are those of `accelerate launch`.",
        allow_abbrev=False,
    )
    model.add_model(parser)
    data.add_data(parser)
    data.add_augmentation(parser)
    mixing.add_mixing(parser)
    optimization.add_optimization(parser)
    optimization.add_schedule(parser)
    run.add_averaging(parser)
    run.add_run(parser)
    publishing.add_publishing(parser)
    return parser


def _parse_config(path: str) -> dict[str, Any]:
    """The layer of a config file; its errors name the file."""
    try:
        parser = build_parser()
        return resolve_aliases(parser.parse_layer(config_tokens(load_config(path), parser.options())))
    except UsageError as error:
        raise UsageError(f"config file {path}: {error}") from None


def parse_train_options(argv: list[str]) -> Namespace:
    """The options of a run: defaults, over them the file of --config, over it the command line.

    `given` holds the dests that file or command line chose; --mixup and --cutmix have become `mix`.

    Raises: UsageError for every mistake, in one line.
    """
    defaults = {action.dest: action.default for action in build_parser().options()}
    chosen = resolve_aliases(build_parser().parse_layer(argv))
    config = _parse_config(chosen["config"]) if "config" in chosen else {}
    below = overruled(config, set(chosen))
    options = Namespace(**(defaults | below | chosen), given=set(below) | set(chosen))
    del options.mixup, options.cutmix
    settle_img_size(options)
    options.given |= {"img_size"} if options.img_size is not None else set()
    check_choices(chosen, options.given)
    check_result(options)
    return options
