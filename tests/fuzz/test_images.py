"""Any bytes as an image are decoded to 8 bits or refused; bombs are refused before they take memory."""

import io
import os
import struct
import tempfile
import warnings
import zlib
from pathlib import Path

import numpy as np
import PIL
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from timm_multimix.data.images import ImageData, decode_image, to_channels

from .effort import tries, value_or_refusal
from .texts import spoiled_bytes

# Older versions of Pillow do not read back the TIFF of this mode that they have written.
TIFF_SINCE_13 = ["YCbCr"] if int(PIL.__version__.split(".")[0]) >= 13 else []
MODES = {
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "JPEG": ["L", "RGB", "CMYK"],
    "GIF": ["L", "P", "RGB"],
    "TIFF": ["1", "L", "LA", "RGB", "RGBA", "CMYK", "I", "F", "I;16", *TIFF_SINCE_13],
    "BMP": ["1", "L", "P", "RGB"],
    "WEBP": ["RGB", "RGBA"],
    "PPM": ["L", "RGB"],
}


def encode(kind: str, mode: str, size: tuple[int, int]) -> bytes:
    """An image of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    image = Image.fromarray(noise).convert("L" if mode == "I;16" else mode)
    image = image.convert("I").convert("I;16") if mode == "I;16" else image
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


GOOD = [
    encode(kind, mode, size) for kind, modes in MODES.items() for mode in modes for size in ((1, 1), (9, 5))
]


def read(data: ImageData, channels: int) -> None:
    def decode() -> Image.Image:
        return to_channels(decode_image(data, lambda: "here"), channels, lambda: "here")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = value_or_refusal(decode)
    if image is not None:
        assert image.mode == {1: "L", 3: "RGB"}[channels]
        assert min(image.size) >= 1


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, depth: int, colour: int, data: bytes, *extra: bytes) -> bytes:
    """A PNG with any values in its header."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = (
        chunk(b"IHDR", header) + b"".join(extra) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    )
    return b"\x89PNG\r\n\x1a\n" + body


def gif(width: int, height: int) -> bytes:
    return (
        b"GIF89a"
        + struct.pack("<HH", width, height)
        + b"\x80\x00\x00"
        + bytes(6)
        + b","
        + struct.pack("<HHHH", 0, 0, width, height)
        + b"\x00\x02\x02\x4c\x01\x00;"
    )


def bmp(width: int, height: int) -> bytes:
    return (
        b"BM"
        + struct.pack("<IHHIIiiHHIIiiII", 60, 0, 0, 54, 40, width, height, 1, 24, 0, 6, 1, 1, 0, 0)
        + bytes(6)
    )


# either small or far beyond Pillow's limit, since what lies between is taken as a large image
SIDES = st.sampled_from([0, 1, 2, 255, 65_535, 1_000_000, 2**31 - 1])
HEADERS = (
    st.builds(
        png,
        SIDES,
        SIDES,
        st.sampled_from([1, 8, 16, 99]),
        st.sampled_from([0, 2, 3, 6]),
        st.binary(max_size=9),
    )
    | st.builds(gif, st.sampled_from([0, 1, 65_535]), st.sampled_from([0, 1, 65_535]))
    | st.builds(bmp, SIDES, st.sampled_from([-(2**31), -1, 0, 1, 2**31 - 1]))
    | st.builds(lambda w, h: b"P6 %d %d 255\n\x00" % (w, h), st.integers(-1, 10**12), st.integers(-1, 10**12))
)


@tries("pictures")
@given(st.sampled_from(GOOD) | spoiled_bytes(GOOD) | st.binary(max_size=64), st.sampled_from([1, 3]))
def test_any_bytes(data: bytes, channels: int) -> None:
    read(data, channels)


@tries("headers")
@given(HEADERS, st.sampled_from([1, 3]))
def test_headers_that_lie(data: bytes, channels: int) -> None:
    read(data, channels)


@pytest.mark.parametrize("channels", [1, 3])
def test_whole_images_of_every_mode_are_read(channels: int) -> None:
    for data in GOOD:
        image = to_channels(decode_image(data, lambda: "here"), channels, lambda: "here")
        assert image.size in ((1, 1), (9, 5))


def test_a_bomb_in_the_text_of_a_image() -> None:
    text = chunk(b"zTXt", b"a\x00\x00" + zlib.compress(bytes(200 << 20), 9))
    read(png(1, 1, 8, 0, b"\x00\x00", text), 3)


def test_a_bomb_of_pixels_takes_no_memory() -> None:
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read(png(60_000, 60_000, 8, 6, bytes(1000)), 3)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


@pytest.mark.parametrize("kind", ["fifo", "folder", "device", "loop", "null"])
def test_paths_that_are_not_files(kind: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "a.png"
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        elif kind == "loop":
            path.symlink_to(path)
        read({"device": Path("/dev/zero"), "null": Path("a\x00.png")}.get(kind, path), 3)
