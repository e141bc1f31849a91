"""The options of `compare`: finished runs, or arms to train; what follows `--` is for training."""

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UsageError
from .arguments import parser_of
from .declaration import REQUIRED, Arms, Facts, Options, option
from .parser import parse
from .shared import imports
from .train import TrainOptions
from .values import Count


class ArmWords(NamedTuple):
    """An arm of a comparison to train: its name, and the training options that make it up."""

    name: str
    words: list[str]


class _AddArm(argparse.Action):
    """Collects arms in the order given, whichever flag gave them."""

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        words = ["--mix", values] if option_string == "--mix" else _split(values)
        namespace.mix = [*(namespace.mix or []), ArmWords(values, words)]


def _split(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--arm {text!r}: {error}") from None
    if not words or not words[0].startswith("-"):
        raise UsageError(f"--arm must be training options such as '--mix cutmix --lr 0.1', got {text!r}")
    return words


@dataclass(frozen=True, kw_only=True)
class CompareOptions(
    Options,
    prog="timm-multimix compare",
    usage="%(prog)s RUN... --output DIR [OPTION ...]\n"
    "       %(prog)s --mix SPEC [--mix SPEC ...] --output DIR [OPTION ...] -- [TRAINING OPTION ...]",
    description="Compare finished runs, or train every --mix with every seed and compare these. The same "
    "command resumes what was interrupted.",
):
    """The options of a comparison; `training` are options of all arms, as `train` takes them."""

    runs: tuple[Path, ...] = option(
        (), "directories of finished runs (default: none)", "RUN", nargs="*", positional=True
    )
    mix: tuple[ArmWords, ...] = option(
        (),
        "a mix to compare; may be repeated (default: none)",
        "SPEC",
        action=_AddArm,
        short_forms={
            "arm": Facts(
                help="an arm of these training options, such as --arm='--mix mixup --distill 0.5'; may be "
                "repeated (default: none)",
                metavar="OPTIONS",
                action=_AddArm,
            )
        },
    )
    import_: tuple[str, ...] = imports()
    seeds: Count = option(3, "seeds 0 to N - 1 of each arm", "N")
    output: Path = option(REQUIRED, "directory for the pages and the runs trained for them", "DIR")
    baseline: str | None = option(
        None,
        "what the others are compared with (default: the first --mix; of finished runs the mix none, else "
        "the first)",
        "ARM",
    )
    comparisons: Count = option(
        1,
        "number of comparisons that intervals are corrected for, by Bonferroni (default: 1, not corrected)",
        "N",
    )
    training: tuple[str, ...] = ()

    @classmethod
    def advice(cls, name: str) -> str | None:
        """Options of training follow a `--`."""
        options = parser_of(TrainOptions).flags()
        known = {word for option in options for word in (option.name, *option.facts.aliases)}
        if name not in known:
            return None
        return f"options of training follow --, as in `compare ... -- --{name.replace('_', '-')} ...`"

    @property
    def arms(self) -> tuple[ArmWords, ...]:
        """The arms to train, by --mix and --arm, in the order given."""
        return self.mix


def parse_comparison_options(argv: Sequence[str]) -> CompareOptions:
    """The options of a comparison.

    Raises:
        UsageError: for every mistake that shows in the words alone.
    """
    place = argv.index("--") if "--" in argv else len(argv)
    options = replace(parse(CompareOptions, argv[:place]), training=tuple(argv[place + 1 :]))
    if options.runs:
        _check_collecting(options)
    else:
        words = [f"--import={name}" for name in options.import_]
        options = replace(options, training=(*words, *options.training))
        _check_training(options)
    return options


def _check_collecting(options: CompareOptions) -> None:
    if options.arms:
        raise UsageError("compare takes finished runs or trains arms (--mix); give one or the other")
    if options.import_:
        raise UsageError("--import has no effect on finished runs; remove it")
    if "seeds" in options.given or options.training:
        what = "--seeds" if "seeds" in options.given else "what follows --"
        raise UsageError(f"{what} has no effect on finished runs; give --mix SPEC to train")


def _check_training(options: CompareOptions) -> None:
    if not options.arms:
        raise UsageError("nothing to compare; give directories of finished runs, or --mix SPEC to train")
    names = [arm.name for arm in options.arms]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"arm {name!r} is given more than once; give it once")
    if options.baseline is not None and options.baseline not in names:
        known = ", ".join(map(repr, names))
        raise UsageError(f"--baseline {options.baseline}: no such arm; there are {known}")
    _check_words("after --", options.training, {Arms.ANY})
    for arm in options.arms:
        _check_words(f"arm {arm.name!r}", arm.words, {Arms.ANY, Arms.TELLS_APART})


def _check_words(where: str, words: Sequence[str], allowed: set[Arms]) -> None:
    """Raises: UsageError if training options are unknown, or not among those that are allowed there."""
    parser = parser_of(TrainOptions)
    known = {option.name: option for option in parser.flags()}
    for name in parser.parse_layer(words):
        if known[name].facts.arms not in allowed:
            raise UsageError(f"{where}: {known[name].flag} {known[name].facts.arms.value}")
