"""The options of `preview`: the mixer, the images, and the file to draw into."""

from dataclasses import dataclass, field
from typing import Annotated, Self

from .declaration import REQUIRED, Options, Part, option
from .files import check_writable
from .shared import ColumnOptions, img_size, imports, model_kwargs, pretrained, settle_img_size
from .values import FIGURES, Figure, KeyValues, Seed, Size, integer


@dataclass(frozen=True, kw_only=True)
class PreviewFileOptions(Part):
    """The mixer and the file."""

    mix: str = option(REQUIRED, "mixers, as in `train`", "SPEC")
    import_: tuple[str, ...] = imports()
    out: Figure = option(REQUIRED, f"image to write: {', '.join(FIGURES)}", "FILE")
    overwrite: bool = option(False, "replace a file that exists (default: not)")
    examples: Annotated[int, integer(1, 16)] = option(
        4, "how many steps to show; for tuples one, with the labels of at most three tuples", "N"
    )
    seed: Seed = option(0, "seed of images and draws", "N")

    def check(self) -> None:
        """Check that the file can be written. Raises: UsageError."""
        check_writable("--out", self.out, self.overwrite)


@dataclass(frozen=True, kw_only=True)
class PreviewDataOptions(Part, title="data"):
    """The images."""

    dataset: str = option("digits", "as in `train`", "NAME")
    batch_size: Annotated[int, integer(2, 1024)] = option(
        32, "examples that are mixed with each other", "N", short="-b"
    )
    img_size: Size | None = img_size("the model's, the data's, else 224")
    columns: ColumnOptions = field(default_factory=ColumnOptions)


@dataclass(frozen=True, kw_only=True)
class PreviewModelOptions(Part, title="model, for mixers that are guided by one"):
    """The model, if there is one."""

    model: str | None = option(None, "as in `evaluate` (default: none)", "MODEL")
    pretrained: bool = pretrained(needs=("model",))
    model_kwargs: KeyValues = model_kwargs(needs=("model",))


@dataclass(frozen=True, kw_only=True)
class PreviewOptions(
    Options,
    prog="timm-multimix preview",
    usage="%(prog)s --mix SPEC --out FILE [OPTION ...]",
    description="Draw what a spec does to images of a dataset: mixed examples with their labels, "
    "tuples in a plane, and the density of lambda.",
):
    """The options of a preview."""

    file: PreviewFileOptions
    data: PreviewDataOptions = field(default_factory=PreviewDataOptions)
    network: PreviewModelOptions = field(default_factory=PreviewModelOptions)

    def settled(self) -> Self:
        """The same with one size of the images. Raises: UsageError."""
        return settle_img_size(self)
