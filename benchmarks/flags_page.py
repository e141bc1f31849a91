"""Write docs/flags.md: the flags of timm's train.py and their counterparts here.

make docs
"""

import json
from functools import cache
from pathlib import Path

from timm_multimix.options import TrainOptions
from timm_multimix.options.arguments import parser_of
from timm_multimix.options.declaration import flag
from timm_multimix.options.parser import names_in_config
from timm_multimix.options.timm_flags import TimmFlag, timm_flags

PAGE = Path(__file__).resolve().parents[1] / "docs" / "flags.md"

_PAGE = """# timm's flags

<!-- Made by `make docs` from timm_multimix/options/timm_flags.tsv and the declarations of options. -->

timm's `train.py` has {total} options (timm 1.0.29.dev0, commit aa4b5850). Of these {same} are options here,
{alias} are short or other names of one, {accelerate} are for `accelerate launch`, and {absent} are
not available.
A flag that is not available ends in one line that says what to do instead. As in timm, `--momentum` does
nothing with an optimizer that has none, nor `--decay-rate`, `--min-lr` and the like with a schedule that does
not read them.
*The same* is of the meaning; defaults that differ are named. When `train` starts, it prints those in use.

`--config args.yaml` reads the arguments that a run of timm saved; what is not available is listed in one
line.

## Options here

{present}

## For accelerate, or not available

{missing}

## Only here

{own}.
"""


def make_page() -> str:
    """Return the page as `make docs` writes it."""
    flags = list(timm_flags().values())
    counts = {
        kind: sum(each.kind == kind for each in flags) for kind in ("same", "alias", "accelerate", "absent")
    }
    present = [each for each in flags if each.kind in ("same", "alias")]
    missing = [each for each in flags if each not in present]
    return _PAGE.format(
        total=len(flags), **counts, present=_table(present), missing=_table(missing), own=", ".join(_own())
    )


@cache
def names_here() -> dict[str, object]:
    """Return the names of all options of `train`, with their defaults."""
    return {name: each.default for each in parser_of(TrainOptions).flags() for name in names_in_config(each)}


def _own() -> list[str]:
    options = map(names_in_config, parser_of(TrainOptions).flags())
    return [f"`{flag(next(iter(names)))}`" for names in options if not timm_flags().keys() & set(names)]


def _table(flags: list[TimmFlag]) -> str:
    rows = [f"| `{flag(each.name)}` | {_here(each)} |" for each in flags]
    return "\n".join(["| timm | here |", "|---|---|", *rows])


def _here(each: TimmFlag) -> str:
    text = each.text.replace("|", "\\|")
    if each.kind == "accelerate":
        return f"accelerate's: {text}"
    if each.kind == "alias":
        return f"short for {text}"
    if each.kind == "absent":
        return text
    return "; ".join(filter(None, [text or "the same", _other_default(each)]))


def _other_default(each: TimmFlag) -> str:
    """Return both defaults, if both are values and they differ."""
    ours = names_here()[each.name]
    ours = list(ours) if isinstance(ours, tuple) else ours
    if ours in (None, each.default) or each.default in (None, ""):
        return ""
    return f"default {json.dumps(ours)} (timm: {json.dumps(each.default)})"


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")
