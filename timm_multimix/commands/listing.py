"""`timm-multimix list`: the mixers that --mix takes."""

from ..errors import UsageError
from ..options.parser import Parser


def main(argv: list[str]) -> int:
    """Print name, place of mixing and description of each mixer whose name matches.

    Raises: UsageError if none does.
    """
    parser = Parser(prog="timm-multimix list", description="List the mixers of --mix.", allow_abbrev=False)
    parser.add_argument("pattern", nargs="?", default="*", help="glob pattern of names (default: all)")
    pattern = parser.parse_args(argv).pattern
    from ..mixers import describe, list_mixers
    from ..mixers.registry import build

    names = list_mixers(pattern)
    if not names:
        raise UsageError(f"no mixer matches {pattern!r}; there are {', '.join(list_mixers())}")
    width = max(map(len, names))
    for name in names:
        # a mixer's own place is its first branch's, the others are what it is alternated with
        print(f"{name:{width}}  {build(name)[0][1].place:9}  {describe(name)}")
    return 0
