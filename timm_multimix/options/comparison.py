"""The options of `compare`: finished runs, or arms to train; what follows `--` is for training."""

import argparse
import shlex
from argparse import Namespace
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .parser import Parser, build_parser
from .values import integer

SET = ("output", "overwrite", "resume", "seed")
"""Training options that compare sets itself."""

WRONG = {*SET, "push_to_hub", "hub_model_id", "hub_private", "hub_license", "hub_overwrite"}
WRONG |= {"hub_tag_epochs", "hub_timeout"}
"""Training options that neither an arm nor all arms may have."""

MIXES = {"mix", "mixup", "cutmix"}
"""What tells one arm from another, so not for all arms."""


class _AddArm(argparse.Action):
    """Collects arms in the order given, each as (name, training options)."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        arm = (values, ["--mix", values]) if option_string == "--mix" else (values, _split(values))
        namespace.arms = [*(namespace.arms or []), arm]


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--arm {text!r}: {error}") from None


def build_comparison_parser() -> Parser:
    """All options of `compare` with their defaults."""
    parser = Parser(
        prog="timm-multimix compare",
        usage="%(prog)s RUN... --output DIR [OPTION ...]\n"
        "       %(prog)s --mix SPEC [--mix SPEC ...] --output DIR [OPTION ...] -- [TRAINING OPTION ...]",
        description="Compare finished runs, or train every --mix with every seed and compare these. The same "
        "command goes on with what was interrupted.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("runs", nargs="*", type=Path, metavar="RUN", help="folders of finished runs")
    add("--mix", dest="arms", action=_AddArm, metavar="SPEC", help="an arm of this mix; may be repeated")
    add(
        "--arm",
        dest="arms",
        action=_AddArm,
        metavar="OPTIONS",
        help="an arm of these training options, such as --arm='--mix mixup --distill 0.5'; may be repeated",
    )
    add("--seeds", type=integer(1), metavar="N", help="seeds 0 to N - 1 of each arm (default: 3)")
    add("--output", type=Path, metavar="DIR", help="folder for the pages and the runs trained for them")
    add(
        "--baseline",
        metavar="ARM",
        help="what the others are compared with (default: the first --mix; of finished runs the mix none, "
        "else the first)",
    )
    return parser


def parse_comparison_options(argv: list[str]) -> Namespace:
    """`runs`, or `arms`, `seeds` and `training`; `output`; `baseline`.

    Raises: UsageError for every mistake that shows in the words alone.
    """
    place = argv.index("--") if "--" in argv else len(argv)
    options = build_comparison_parser().parse_args(argv[:place])
    options.training = argv[place + 1 :]
    options.arms = options.arms or []
    if options.output is None:
        raise UsageError("compare writes its pages to a folder; give --output DIR")
    if options.runs:
        _check_collecting(options)
    else:
        _check_training(options)
    return options


def _check_collecting(options: Namespace) -> None:
    if options.arms:
        raise UsageError("compare takes finished runs or trains arms (--mix); give one or the other")
    if options.seeds is not None or options.training:
        what = "--seeds" if options.seeds is not None else "what follows --"
        raise UsageError(f"{what} has no effect on finished runs; give --mix SPEC to train")


def _check_training(options: Namespace) -> None:
    if not options.arms:
        raise UsageError("nothing to compare; give folders of finished runs, or --mix SPEC to train")
    options.seeds = options.seeds or 3
    names = [name for name, _ in options.arms]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"arm {name!r} is given more than once; give it once")
    if options.baseline is not None and options.baseline not in names:
        raise UsageError(f"--baseline {options.baseline}: no such arm; there are {', '.join(names)}")
    _check_words("after --", options.training, WRONG | MIXES)
    for name, words in options.arms:
        _check_words(f"arm {name!r}", words, WRONG)


def _check_words(where: str, words: list[str], wrong: set[str]) -> None:
    """Raises: UsageError if training options are among the `wrong` ones, or unknown."""
    for name in build_parser().parse_layer(words):
        if name in wrong:
            flag = "--" + name.replace("_", "-")
            reason = "is for compare to set" if name in SET else "is not for all arms"
            if name in WRONG - set(SET):
                reason = (
                    "cannot be used in a comparison; push the run that you choose with `timm-multimix push`"
                )
            elif name in MIXES:
                reason += "; give it before the --, as --mix SPEC"
            raise UsageError(f"{where}: {flag} {reason}")
