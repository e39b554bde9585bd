"""What strangers send instead of photographs, one test each; every picture is made here."""

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from comity.adapters import images
from comity.errors import PhotographRefused

SIZE = (96, 64)


def gradient(size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """Return RGB pixels in which every corner has its own colour, so that turning and mirroring show."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([x, y, 255 - x], axis=2).astype(np.uint8)


def file(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def picture(size: tuple[int, int] = SIZE) -> Image.Image:
    return Image.fromarray(gradient(size))


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that claims a size and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def refusal(photograph: bytes) -> str:
    """Return the reason of the refusal, having checked that it tells a person what to do."""
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        with pytest.raises(PhotographRefused) as caught:
            images.decode(photograph)
    assert not leaked
    assert caught.value.message.endswith(".")
    assert caught.value.advice
    assert caught.value.__cause__ is None
    return caught.value.reason


def difference(decoded: images.Decoded, expected: NDArray[np.uint8]) -> float:
    """Return the mean difference in levels of a decoded picture from the expected pixels."""
    got = np.asarray(decoded.image).astype(int)
    assert got.shape == expected.shape
    return float(np.abs(got - expected).mean())


# --- what is taken


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_each_format_is_read(kind: str) -> None:
    decoded = images.decode(file(picture(), kind))
    assert decoded.size == SIZE
    assert decoded.reduction == 1
    assert difference(decoded, gradient()) < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_upright_as_its_camera_noted(orientation: int) -> None:
    turned: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
        1: lambda p: p,
        2: np.fliplr,
        3: lambda p: np.rot90(p, 2),
        4: np.flipud,
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: np.rot90(p, -1),
        7: lambda p: np.rot90(p, 2).transpose(1, 0, 2),
        8: np.rot90,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = images.decode(file(picture(), "PNG", exif=exif.tobytes()))
    assert decoded.size == (SIZE if orientation < 5 else SIZE[::-1])
    assert difference(decoded, turned[orientation](gradient())) == 0


def test_a_damaged_exif_block_costs_nothing() -> None:
    decoded = images.decode(file(picture(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + bytes(range(64))))
    assert decoded.size == SIZE


def test_sixteen_bit_grey_keeps_its_upper_byte() -> None:
    levels = np.linspace(0, 65535, SIZE[0] * SIZE[1]).reshape(SIZE[::-1]).astype(np.uint16)
    decoded = images.decode(file(Image.fromarray(levels), "PNG"))
    assert difference(decoded, np.repeat((levels >> 8).astype(np.uint8)[:, :, None], 3, axis=2)) == 0


def test_ink_colours_become_light() -> None:
    decoded = images.decode(file(picture().convert("CMYK"), "JPEG", quality=95))
    assert difference(decoded, gradient()) < 6


def test_grey_becomes_three_equal_planes() -> None:
    pixels = np.asarray(images.decode(file(picture().convert("L"), "JPEG")).image)
    assert (pixels[:, :, 0] == pixels[:, :, 2]).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_hidden_by_transparency_stays_hidden(mode: str) -> None:
    hidden = picture().convert(mode)
    hidden.putalpha(0)
    assert (np.asarray(images.decode(file(hidden, "PNG")).image) == 255).all()


def test_a_palette_with_transparency_is_laid_on_white() -> None:
    palette = picture().quantize(16)
    decoded = images.decode(file(palette, "PNG", transparency=bytes([0, *range(1, 16)])))
    assert decoded.image.mode == "RGB"
    assert np.asarray(decoded.image).min() > 200, "alpha is at most 15 of 255 everywhere"


def test_a_telephones_multi_picture_jpeg_gives_its_first_picture() -> None:
    both = file(picture(), "MPO", save_all=True, append_images=[Image.new("RGB", SIZE)], quality=95)
    assert difference(images.decode(both), gradient()) < 4


def test_a_large_jpeg_may_come_back_smaller_but_keeps_its_size() -> None:
    large = file(picture((1600, 1200)), "JPEG")
    decoded = images.decode(large, long_side_min=640)
    assert (decoded.size, decoded.image.size, decoded.reduction) == ((1600, 1200), (800, 600), 2)
    assert images.decode(large).image.size == (1600, 1200)


def test_a_turned_large_jpeg_reports_its_upright_size() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    decoded = images.decode(file(picture((1600, 1200)), "JPEG", exif=exif.tobytes()), long_side_min=640)
    assert (decoded.size, decoded.image.size) == ((1200, 1600), (600, 800))


def test_a_motion_photograph_is_its_first_picture() -> None:
    """FC-26: a film lies behind the picture, and its bytes are no scans."""
    photograph = file(picture(), "JPEG", quality=95)
    film = np.random.default_rng(7).bytes(8_000_000)
    assert film.count(b"\xff\xda") > images.SCANS_MAX
    assert difference(images.decode(photograph + b"MotionPhoto_Data" + film), gradient()) < 4


def test_a_thumbnails_scans_are_not_the_pictures() -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\0\0" + b"\xff\xda\0\x02" * (images.SCANS_MAX + 1)
    assert images.decode(file(picture(), "JPEG", exif=exif)).size == SIZE


def test_a_telephones_fifty_megapixels_are_decoded_at_half_their_size() -> None:
    """FC-27."""
    photograph = file(Image.new("RGB", (8_160, 6_120), (90, 120, 150)), "JPEG", quality=30)
    decoded = images.decode(photograph)
    assert (decoded.size, decoded.image.size, decoded.reduction) == ((8_160, 6_120), (4_080, 3_060), 2)


# --- what is refused


def test_zero_bytes_are_refused() -> None:
    assert refusal(b"") == "not-an-image"


def test_a_text_file_is_refused() -> None:
    assert refusal(b"Name: Doe, John\nBooking: 2024-001\n" * 20) == "not-an-image"


def test_random_bytes_are_refused() -> None:
    assert refusal(np.random.default_rng(7).bytes(5_000)) == "not-an-image"


@pytest.mark.parametrize(
    ("name", "photograph"),
    [
        ("SVG", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'),
        ("SVG", b'\xef\xbb\xbf \n<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "aaaa">]><svg>&a;</svg>'),
        ("HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)),
        ("AVIF", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(200)),
        ("PDF", b"%PDF-1.7\n" + bytes(200)),
        ("TIFF", file(picture(), "TIFF")),
        ("JPEG 2000", b"\xff\x4f\xff\x51" + bytes(200)),
        ("GIF", file(picture(), "GIF")),
        ("GIF", file(picture(), "GIF", save_all=True, append_images=[Image.new("RGB", SIZE)])),
    ],
)
def test_other_formats_are_refused_by_name(name: str, photograph: bytes) -> None:
    assert refusal(photograph) == "format"
    with pytest.raises(PhotographRefused, match=f"looks like a {name} file"):
        images.decode(photograph)


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_animations_are_refused(kind: str) -> None:
    frames = [Image.new("RGB", SIZE, colour) for colour in ("red", "green")]
    assert refusal(file(picture(), kind, save_all=True, append_images=frames)) == "animated"


@pytest.mark.parametrize("size", [(1, 1), (4_000, 1), (images.SIDE_MIN - 1, 480)])
def test_a_picture_without_room_for_a_face_is_refused(size: tuple[int, int]) -> None:
    assert refusal(file(Image.new("RGB", size), "PNG")) == "too-small"


@pytest.mark.parametrize("size", [(8_000, 5_001), (10_000, 10_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_from_its_header(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(_: Image.Image) -> None:
        pytest.fail("the pixels were decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", explode)
    assert refusal(png_header(*size)) == "too-many-pixels"


def test_a_large_jpeg_of_several_scans_is_refused_from_its_header() -> None:
    """The decoder holds all of its coefficients, at whatever size it is decoded."""
    large = Image.new("L", (8_160, 6_120))
    assert refusal(file(large, "JPEG", progressive=True)) == "too-many-pixels"


def test_a_webp_that_claims_a_huge_canvas_is_refused() -> None:
    small = file(picture(), "WEBP", lossless=True, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0")
    assert small[12:16] == b"VP8X"
    claimed = small[:24] + (16_382).to_bytes(3, "little") * 2 + small[30:]
    assert refusal(claimed) in {"too-many-pixels", "truncated"}


def test_oversized_bytes_are_refused_unread() -> None:
    assert refusal(file(picture(), "JPEG") + bytes(images.BYTES_MAX)) == "too-large"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_cut_short_is_refused(kind: str, share: float) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (*SIZE[::-1], 3), dtype=np.uint8)
    whole = file(Image.fromarray(noise), kind)
    assert refusal(whole[: int(len(whole) * share)]) == "truncated"


def test_a_png_whose_data_is_damaged_is_refused() -> None:
    whole = bytearray(file(picture(), "PNG"))
    start = whole.index(b"IDAT") + 8
    whole[start : start + 40] = bytes(40)
    assert refusal(bytes(whole)) == "truncated"


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    progressive = file(picture(), "JPEG", progressive=True)
    scan = progressive[progressive.rindex(b"\xff\xda") : -2]
    assert refusal(progressive[:-2] + scan * images.SCANS_MAX + b"\xff\xd9") == "too-complex"


def test_an_oversized_text_chunk_is_refused() -> None:
    packed = zlib.compress(bytes(50_000_000))
    whole = file(picture(), "PNG")
    bomb = whole[:33] + chunk(b"zTXt", b"k\0\0" + packed) + whole[33:]
    assert len(bomb) < images.BYTES_MAX
    assert refusal(bomb) == "truncated"


# --- what must not leak


def test_nothing_of_a_photograph_is_shown_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at the home of Jane Doe"
    with caplog.at_level(logging.DEBUG):
        decoded = images.decode(file(picture(), "JPEG", exif=exif.tobytes()))
    assert not caplog.records
    assert "Jane" not in repr(decoded)
    assert "Image" not in repr(decoded)
