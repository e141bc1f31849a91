"""Texts that have broken programs before, and ways to spoil good ones."""

from hypothesis import strategies as st

HUGE = [
    "1" + "0" * 400,
    "9" * 5000,
    "0x" + "f" * 8000,
    "-0x" + "f" * 8000,
    "1e999",
    "1e999999999",
    "1e400/1e400",
    "-1e999",
    "nan",
    "1e-400",
]
DEEP = [
    "(" * 300 + ")" * 300,
    "[" * 2000,
    "-" * 3000 + "1",
    "{" * 150 + "}" * 150,
    "not " * 900 + "x",
    "a" + ".b" * 3000,
]
CODE = [
    "__import__('os').system('true')",
    "open('planted', 'w')",
    "().__class__.__bases__[0].__subclasses__()",
    "(lambda: exec('1'))()",
    "f'{open(1)}'",
    "[x for x in (1,)]",
    "$(touch planted)",
    "`touch planted`",
    "!!python/object/apply:os.system ['true']",
]
ODD = [
    "",
    " ",
    "\x00",
    "\ud800",
    "a\ud800b",
    "\r\n",
    "\u2028",
    "\u202eabc",
    "\ufeff",
    "'",
    '"',
    "\\",
    "%s%n%(x)s",
    "{0}",
    "-",
    "--",
    "=",
    "/dev/null/x",
    "../../..",
    "~nobody-here/x",
    "\u0663",
    "a" * 5000,
    "{[]: 1}",
    "{**{}}",
    "1_000",
    "None",
    "True",
    "...",
    "b'x'",
    "1j",
    "{1}",
    "[[1], (2,)]",
]
HOSTILE = HUGE + DEEP + CODE + ODD


def hostile() -> st.SearchStrategy[str]:
    """A hostile text, or any text with lone surrogates, as file names and arguments may hold them."""
    anything = st.text(st.characters(codec=None), max_size=30)
    return st.sampled_from(HOSTILE) | anything | st.integers().map(str) | st.floats().map(repr)


@st.composite
def spoiled(draw: st.DrawFn, whole: list[str]) -> str:
    """One of some good texts with a few pieces taken out, doubled, moved or replaced."""
    text = draw(st.sampled_from(whole))
    for _ in range(draw(st.integers(1, 4))):
        low, high = sorted(draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
        piece = text[low:high]
        new = draw(st.sampled_from(["", piece * 2, piece[::-1], f"({piece})", f"'{piece}'"]) | hostile())
        text = text[:low] + new + text[high:]
    return text


@st.composite
def spoiled_bytes(draw: st.DrawFn, whole: list[bytes]) -> bytes:
    """One of some good byte strings, cut off or with bytes changed, taken out or put in."""
    data = bytearray(draw(st.sampled_from(whole)))
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        length = draw(st.sampled_from([0, 1, 2, 4, 17]))
        new = draw(st.binary(max_size=6) | st.sampled_from([b"\xff" * 4, b"\x00" * 4, b"\x7f\xff\xff\xff"]))
        data[place : place + length] = new
    if draw(st.booleans()):
        del data[draw(st.integers(0, len(data))) :]
    return bytes(data)
