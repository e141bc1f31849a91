"""Conversion of images of any mode to upright 8-bit RGB or greyscale pixels; one error for broken images.

This is the only conversion to pixels. Orientation and transparency follow `datasets` and transformers, and so
Pillow's `convert`; the code on a model card does the same with Pillow.
"""

import io
import os
import stat
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import UsageError, one_line

ImageData = bytes | str | Path | Image.Image
Describe = Callable[[], str]

_MODES = {1: "L", 3: "RGB"}
# not all that Pillow knows: its EPS reader runs Ghostscript, which data must not be able to ask for
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


@cache
def picture_endings() -> frozenset[str]:
    """Endings of the names of image files, in lower case, with the dot."""
    formats = _formats()
    return frozenset(ending for ending, name in Image.registered_extensions().items() if name in formats)


def check_channels(channels: int) -> None:
    """Raises: UsageError unless images can be given with that many channels."""
    if channels not in _MODES:
        raise UsageError(f"{channels} input channels: images are given with 1 (greyscale) or 3 (RGB)")


class BrokenImage(UsageError):
    """An image that cannot be read."""


def decode_image(data: ImageData, describe: Describe) -> Image.Image:
    """The image in encoded bytes or a file, fully decoded and upright, in the mode it is stored in.

    The EXIF orientation is applied, as in `datasets` and transformers. `describe` names it for the error.
    Raises: BrokenImage if it is missing, truncated, no image at all, or a decompression bomb.
    """
    if isinstance(data, Image.Image):
        return ImageOps.exif_transpose(data)
    try:
        if not isinstance(data, bytes):
            _check_file(data)
        with _opened(data) as image:
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return image
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, ...
        raise _broken(error, describe) from error


def is_image(data: bytes | str | Path) -> bool:
    """Whether encoded bytes or a file have the first bytes of an image; the rest may be damaged."""
    try:
        if not isinstance(data, bytes):
            _check_file(data)
        _opened(data).close()
    except Exception:  # of whichever decoder
        return False
    return True


def _opened(data: Any) -> Image.Image:
    return Image.open(io.BytesIO(data) if isinstance(data, bytes) else data, formats=_formats())


def _check_file(path: str | Path) -> None:
    """Raises: OSError for anything but a file; reading a pipe may block, a device never ends."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("not a file")


def to_channels(image: Image.Image, channels: int, describe: Describe) -> Image.Image:
    """The image as 8-bit RGB (3 channels) or greyscale (1).

    Transparency is dropped, as Pillow's `convert` does it; 16-bit values v become round(v / 257), which
    `convert` alone would clip to white; 32-bit integers beyond them and floats are stretched.
    Raises: BrokenImage if it cannot be converted.
    """
    mode = _MODES[channels]
    if image.mode == mode:
        return image
    try:
        return _to_eight_bits(image).convert(mode)
    except Exception as error:
        raise _broken(error, describe) from error


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Greyscale of 16 or 32 bits or of floats, scaled to 8 bits; other modes as they are."""
    if image.mode == "F":
        return _from_floats(np.asarray(image, dtype=np.float64))
    if not image.mode.startswith("I"):
        return image
    whole = image.convert("I")
    values = np.asarray(whole)
    if values.min() < 0 or values.max() > 65535:
        return _stretch(values.astype(np.float64))
    return whole.point(lambda value: value / 257 + 0.5).convert("L")


def _from_floats(values: np.ndarray) -> Image.Image:
    if not np.isfinite(values).all():
        raise ValueError("values that are not finite")
    if values.min() < 0 or values.max() > 255:
        return _stretch(values)
    scale = 255 if values.max() <= 1 else 1
    return Image.fromarray(np.rint(values * scale).astype(np.uint8))


def _stretch(values: np.ndarray) -> Image.Image:
    low, high = values.min(), values.max()
    return Image.fromarray(np.rint((values - low) * (255 / max(high - low, 1e-300))).astype(np.uint8))


def _broken(error: Exception, describe: Describe) -> BrokenImage:
    if isinstance(error, UnidentifiedImageError):
        reason = "not an image that can be read"
    elif isinstance(error, FileNotFoundError):
        reason = "no such file"
    else:
        reason = one_line(error)
    return BrokenImage(f"broken image, {describe()}: {reason}")
