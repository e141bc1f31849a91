"""Names of arms in images: on several lines, distinguishable by their ends, shown literally."""

from timm_multimix.comparison.pictures import _wrapped

LONG = "multimix, distill 0.5, distill-teacher "


def test_long_names_differ_in_their_ends() -> None:
    assert _wrapped(LONG + "ema") == "multimix, distill 0.5,\ndistill-teacher ema"
    assert _wrapped(LONG + "self") == "multimix, distill 0.5,\ndistill-teacher self"


def test_names_without_spaces_and_names_without_end() -> None:
    assert _wrapped("a" * 40) == "a" * 36 + "\n" + "a" * 4
    lines = _wrapped("word " * 100).split("\n")
    assert len(lines) == 3
    assert max(map(len, lines)) <= 36
    assert lines[-1].endswith("\u2026")


def test_formulas_and_controls_are_not_drawn() -> None:
    assert _wrapped("a$b$\x07") == r"a\$b\$ "
