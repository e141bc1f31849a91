"""The options of `list`."""

from dataclasses import dataclass

from .declaration import Options, option
from .shared import imports


@dataclass(frozen=True, kw_only=True)
class ListOptions(
    Options,
    prog="timm-multimix list",
    description="List the mixers of --mix: name, place, what a step costs compared with an ordinary one, "
    "description. With NAME: arguments, tests and paper of that mixer.",
):
    """The mixers to list, and the format."""

    pattern: str = option("*", "a name or a glob pattern (default: all)", "NAME", nargs="?", positional=True)
    import_: tuple[str, ...] = imports()
    json: bool = option(False, "print JSON (default: text)")
