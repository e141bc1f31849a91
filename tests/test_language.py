"""Help, pages and messages are in the words of the field."""

import ast
import contextlib
import io
import re
from pathlib import Path

import pytest

from timm_multimix.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]
WORDS = re.compile(
    r"\b(folders?|pictures?|(?<!-)body|cannot be had|(is|are|was) not here|go(es)? (on with|by)"
    r"|going on from|(is|are) to say|so also|is no run|no run's|things that want|(is|are) whole"
    r"|without effect|learnt|(is|are|was|were) told|told (of|from|apart)|tell (them|it) apart"
    r"|telling apart|beside|stand in one table)\b"
    r"|given, (allowed|expected|needed)|allowed is|is needed\b|deviation of (the )?channels",
    re.IGNORECASE,
)
PAGES = [
    ROOT / "README.md",
    ROOT / "recipes/README.md",
    *sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != "architecture-decisions.md"),
]
# Names of columns and kinds of data, which files hold.
NAMES = {"picture", "pictures", "folder", "body"}


def found(text: str) -> list[str]:
    return [match[0] for match in WORDS.finditer(text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page(page: Path) -> None:
    assert found(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command(command: str) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as printed, pytest.raises(SystemExit):
        main([command, "--help"])
    assert len(printed.getvalue()) > 200
    assert found(printed.getvalue()) == []


def test_messages() -> None:
    """Texts that the package raises, logs or shows; docstrings are not among them."""
    assert [(path.name, words) for path, words in _messages() if words] == []


def _messages() -> list[tuple[Path, list[str]]]:
    paths = sorted((ROOT / "timm_multimix").rglob("*.py"))
    return [(path, found(" ".join(_strings(ast.parse(path.read_text(encoding="utf-8")))))) for path in paths]


def _strings(tree: ast.Module) -> list[str]:
    """The strings in a module that are not docstrings and not a name."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    strings = (node.value for node in ast.walk(tree) if _is_text(node) and id(node) not in docstrings)
    return [text for text in strings if text not in NAMES]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_the_words_are_found() -> None:
    assert found("this folder cannot be had; labels [3] given, allowed are [2]") == [
        "folder",
        "cannot be had",
        "given, allowed",
    ]
