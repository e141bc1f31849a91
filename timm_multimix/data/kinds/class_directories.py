"""Class directories of image files, by split or not."""

from ..collection import ClassDirectories
from ..request import Request
from ..shards import look_into
from .declaration import Kind


def _open(request: Request) -> ClassDirectories:
    return ClassDirectories(request.path, look_into(request.path).notes)


KIND = Kind(
    title="Class directories",
    form="DIR",
    about="""\
`DIR/train/CLASS/*.jpg` and `DIR/val/CLASS/*.jpg` (or `validation`, `valid`, `dev`, `eval`, `test`, in any
case), or `DIR/CLASS/*.jpg` without splits, as torchvision's `ImageFolder` has it. Images may lie deeper in
a class directory. Classes are sorted by name; hidden files and those of file systems are not read,
nor are directories of runs. Without splits, the one split is called `all`.""",
    matches=lambda request: request.directory is not None,
    open=_open,
)
