"""Features that some supported versions of datasets lack."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets import IterableDataset


def undecoded(stream: "IterableDataset") -> "IterableDataset":
    """The stream with its images as files' bytes, for which versions before 3.4 have no `decode`."""
    import datasets

    if hasattr(stream, "decode"):
        return stream.decode(False)
    for name, kind in (stream.features or {}).items():
        if isinstance(kind, datasets.Image):
            stream = stream.cast_column(name, datasets.Image(decode=False))
    return stream
