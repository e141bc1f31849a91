"""When the lines of code of the package came: with 2a91810, by restating it, or with features since.

`python -m tests.origins` asks `git blame`, which needs the whole history, and takes a minute.
"""

import subprocess
from collections import Counter
from collections.abc import Iterator

from tests.measures import PACKAGE, code_lines

FIRST = "2a91810"

RESTATING = [
    "d5bc2b5",
    "246e582",
    "1b2db85",
    "efc0c8f",
    "c4e3d2e",
    "a086bbb",
    "3bf2aba",
    "3a5cf72",
    "80a9767",
    "d2d538b",
    "bedf244",
    "9409444",
    "d064a55",
    "f3950be",
    "992e624",
    "aaca30a",
    "defe827",
    "fa4f01b",
    "069ba7f",
    "4492fcf",
    "9939233",
    "7220fbb",
    "cabb505",
    "2a6ace7",
    "7848768",
    "e8a5327",
    "17befe2",
    "53f034d",
    "4c544fc",
    "94d5a62",
    "489cb93",
    "f428757",
    "90e8c4d",
    "940b0fd",
    "68dcd38",
    "620c383",
    "95a5d54",
    "c433d9a",
    "9460a19",
]
"""Commits that say what was there in another way; all others since then added something."""


def git(*words: str) -> str:
    """What git says."""
    done = subprocess.run(["git", *words], cwd=PACKAGE, capture_output=True, text=True, check=True)
    return done.stdout


def origins() -> Counter[str]:
    """Lines of code by what wrote them."""
    first = set(git("rev-list", FIRST).split())
    restating = set(git("rev-parse", *RESTATING).split())
    found: Counter[str] = Counter()
    for path in sorted(PACKAGE.rglob("*.py")):
        code = code_lines(path.read_text(encoding="utf-8"))
        commits = blamed(git("blame", "-w", "-M", "-C", "--line-porcelain", "--", str(path)))
        for number, commit in enumerate(commits, 1):
            if number in code:
                restated = "restating it since" if commit in restating else "features since"
                found[f"of {FIRST}" if commit in first else restated] += 1
    return found


def blamed(text: str) -> Iterator[str]:
    """The commit of each line."""
    commit = ""
    for line in text.splitlines():
        if line.startswith("\t"):
            yield commit
        elif len(word := line.partition(" ")[0]) == 40:
            commit = word


if __name__ == "__main__":
    for what, count in origins().most_common():
        print(f"{what}: {count}")
