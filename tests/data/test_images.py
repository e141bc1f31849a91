"""Images of every mode, and broken ones."""

import io
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import ExifTags, Image

from timm_multimix.data.images import check_channels, decode_image, picture_endings, to_channels
from timm_multimix.errors import UsageError

from .conftest import encoded, picture


def decoded(data: object, channels: int = 3) -> np.ndarray:
    image = decode_image(data, lambda: "here")
    return np.asarray(to_channels(image, channels, lambda: "here"))


def test_rgb_and_greyscale_come_back_as_stored() -> None:
    colour, grey = picture(0), picture(1, "L")
    np.testing.assert_array_equal(decoded(encoded(colour)), np.asarray(colour))
    np.testing.assert_array_equal(decoded(encoded(grey), 1), np.asarray(grey))
    np.testing.assert_array_equal(decoded(encoded(grey)), np.repeat(np.asarray(grey)[..., None], 3, axis=2))


def test_grey_of_colour_is_the_luma() -> None:
    colour = picture(0)
    luma = np.asarray(colour) @ [0.299, 0.587, 0.114]
    assert np.abs(decoded(encoded(colour), 1) - luma).max() <= 1


def test_palette_gives_its_colours() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    assert decoded(encoded(image)).tolist() == [[[10, 20, 30], [40, 50, 60]]]


def transparent(mode: str) -> Image.Image:
    """Three pixels of grey 100: hidden, nearly hidden, whole."""
    image = Image.new(mode, (3, 1))
    for x, alpha in enumerate((0, 51, 255)):
        image.putpixel((x, 0), (100,) * (len(mode) - 1) + (alpha,))
    return image


def palette_with_a_hidden_entry() -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    image.info["transparency"] = 1
    return image


def grey_with_a_hidden_value() -> Image.Image:
    image = picture(0, "L")
    image.info["transparency"] = image.getpixel((3, 4))
    return image


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "image",
    [transparent("RGBA"), transparent("LA"), palette_with_a_hidden_entry(), grey_with_a_hidden_value()],
    ids=["RGBA", "LA", "P", "L"],
)
def test_transparency_is_dropped_as_by_convert(image: Image.Image, channels: int) -> None:
    with Image.open(io.BytesIO(encoded(image))) as stored:
        assert stored.has_transparency_data
        expected = np.asarray(stored.convert({1: "L", 3: "RGB"}[channels]))
    np.testing.assert_array_equal(decoded(encoded(image), channels), expected)


def test_colours_of_transparent_pixels_are_kept() -> None:
    assert decoded(encoded(transparent("RGBA")), 1).tolist() == [[100, 100, 100]]
    assert decoded(encoded(palette_with_a_hidden_entry())).tolist() == [[[10, 20, 30], [40, 50, 60]]]


STORED = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 10


def rotated(orientation: int, kind: str) -> bytes:
    """An image of 3 x 2 pixels, whose EXIF asks for one of the eight orientations."""
    image = Image.fromarray(STORED)
    exif = image.getexif()
    exif[ExifTags.Base.Orientation] = orientation
    stream = io.BytesIO()
    image.save(stream, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int, kind: str) -> None:
    data = rotated(orientation, kind)
    # Pillow itself turns a TIFF as it is loaded
    plain = STORED if kind == "TIFF" else np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    upright = {
        1: plain,
        2: plain[:, ::-1],
        3: plain[::-1, ::-1],
        4: plain[::-1],
        5: plain.transpose(1, 0, 2),
        6: np.rot90(plain, -1),
        7: plain[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(plain),
    }[orientation]
    np.testing.assert_array_equal(decoded(data), upright)
    theirs = datasets.Image().decode_example({"bytes": data, "path": None}).convert("RGB")
    np.testing.assert_array_equal(decoded(data), np.asarray(theirs))
    np.testing.assert_array_equal(decoded(Image.open(io.BytesIO(data))), upright)


def test_cmyk_jpeg_has_the_colours_of_the_page() -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    red = decoded(encoded(image, "JPEG"))[0, 0]
    assert red[0] > 240
    assert red[1:].max() < 20


def test_one_bit_is_black_and_white() -> None:
    image = Image.fromarray(np.eye(4, dtype=bool))
    np.testing.assert_array_equal(decoded(encoded(image), 1), np.eye(4) * 255)


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    values = np.array([[0, 128, 129, 257, 32768, 65535]], dtype=np.uint16)
    expected = np.rint(values / 257).tolist()
    image = Image.fromarray(values)
    assert image.mode == "I;16"
    for data in (encoded(image), encoded(image, "TIFF"), Image.fromarray(values.astype(np.int32))):
        assert decoded(data, 1).tolist() == expected
    assert decoded(encoded(image))[0, :, 2].tolist() == expected[0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 2.0, 255.0], [0, 2, 255]),
        ([-1.0, 0.0, 3.0], [0, 64, 255]),
        ([300.0, 300.0], [0, 0]),
    ],
)
def test_floats_are_scaled_to_eight_bits(values: list[float], expected: list[int]) -> None:
    data = encoded(Image.fromarray(np.array([values], dtype=np.float32)), "TIFF")
    assert decoded(data, 1).tolist() == [expected]


def test_integers_beyond_sixteen_bits_are_stretched() -> None:
    image = Image.fromarray(np.array([[-100_000, 0, 100_000]], dtype=np.int32))
    assert decoded(image, 1).tolist() == [[0, 128, 255]]


def test_floats_that_are_not_numbers_are_an_error() -> None:
    image = Image.fromarray(np.array([[0.0, np.nan]], dtype=np.float32))
    with pytest.raises(UsageError, match="broken image, here: values that are not finite"):
        decoded(image)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n", "not an image"),
        (encoded(picture(0))[:300], "truncated"),
        (encoded(picture(0, size=64), "JPEG")[:700], "truncated"),
    ],
    ids=["empty", "eps", "half a png", "half a jpeg"],
)
def test_broken_data_is_one_line_that_names_it(data: bytes, reason: str) -> None:
    with pytest.raises(UsageError, match=f"broken image, here: .*{reason}") as caught:
        decoded(data)
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="broken image, here: no such file"):
        decoded(tmp_path / "gone.png")


def test_decompression_bomb_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(UsageError, match=r"broken image, here: .*decompression bomb"):
        decoded(encoded(picture(0)))


def test_channels_are_one_or_three() -> None:
    check_channels(1)
    with pytest.raises(UsageError, match="4 input channels"):
        check_channels(4)


def test_endings_of_images() -> None:
    assert {".png", ".jpg", ".jpeg", ".webp", ".tif"} <= picture_endings()
    assert not {".eps", ".txt", ".pdf"} & picture_endings()
