"""What leaves of a photograph: its pixels as the encoder saw them, and nothing else of the file (FC-25, FC-26, FC-29)."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from comity.adapters import images
from comity.adapters.drawing import PillowDrawing
from comity.errors import PhotographRefused
from comity.ports import Drawn

TOLD = b"DOE JANE"
SIZE = (120, 96)


def picture(size: tuple[int, int] = SIZE) -> Image.Image:
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, 255 - x], axis=2).astype(np.uint8))


def file(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def told() -> dict[str, object]:
    """Return what cameras and records systems write into a JPEG."""
    exif = Image.Exif()
    exif[0x010E] = "DOE JANE, DOB 1990-01-02"
    exif[0x8825] = {1: "N", 2: (43.0, 2.0, 20.0)}
    return {"exif": exif, "comment": b"DOE JANE SID 1", "xmp": b"<x:xmpmeta>DOE JANE</x:xmpmeta>", "icc_profile": TOLD * 20}


def in_png() -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Description", "DOE JANE")
    text.add_itxt("XML:com.adobe.xmp", "DOE JANE", zip=False)
    return file(picture(), "PNG", pnginfo=text, exif=told()["exif"])


def pixels(drawn: Drawn) -> NDArray[np.int64]:
    with Image.open(io.BytesIO(drawn.jpeg)) as image:
        return np.asarray(image.convert("RGB")).astype(np.int64)


def away(drawn: Drawn, photograph: bytes) -> float:
    """Return how far, in levels of 255, a drawing is from what the encoder sees."""
    return float(np.abs(pixels(drawn) - np.asarray(images.decode(photograph).image)).mean())


MAKERS: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: file(picture(), "JPEG", **told()),
    "PNG": in_png,
    "WebP": lambda: file(picture(), "WEBP", exif=told()["exif"], xmp=told()["xmp"], icc_profile=told()["icc_profile"]),
    "a film behind it": lambda: file(picture(), "JPEG") + b"ftypmp42" + TOLD,
}


@pytest.mark.parametrize("side_max", [None, 960, 64])
@pytest.mark.parametrize("kind", MAKERS)
def test_no_word_of_the_file_comes_along(kind: str, side_max: int | None) -> None:
    photograph = MAKERS[kind]()
    assert TOLD in photograph or kind == "PNG"
    drawn = PillowDrawing().draw(photograph, side_max=side_max)
    assert TOLD not in drawn.jpeg
    with Image.open(io.BytesIO(drawn.jpeg)) as image:
        assert not image.getexif()
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert (image.format, image.size) == ("JPEG", (drawn.width, drawn.height))


def deep(levels: NDArray[np.uint16]) -> bytes:
    return file(Image.fromarray(levels), "PNG")


def hidden() -> bytes:
    layers = picture().convert("RGBA")
    layers.putalpha(0)
    return file(layers, "PNG")


def turned(orientation: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return file(picture(), "JPEG", exif=exif, quality=95)


def broken_exif(tag: int, kind: int, count: int, value: bytes) -> bytes:
    """Return a JPEG whose one EXIF tag claims a type, a count and a place of its own."""
    entry = struct.pack("<HHI4s", tag, kind, count, value)
    return file(picture(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + bytes(4))


LEVELS = np.linspace(0, 65535, SIZE[0] * SIZE[1]).reshape(SIZE[::-1]).astype(np.uint16)
ODD: dict[str, Callable[[], bytes]] = {
    "16-bit grey": lambda: deep(LEVELS),
    "ink": lambda: file(picture().convert("CMYK"), "JPEG", quality=95),
    "hidden layers": hidden,
    "grey and alpha": lambda: file(picture().convert("LA"), "PNG"),
    "palette": lambda: file(picture().quantize(16), "PNG", transparency=bytes([0, *range(1, 16)])),
    "one bit": lambda: file(picture().convert("1"), "PNG"),
    "upright by EXIF": lambda: turned(6),
    "an orientation of no kind": lambda: turned(99),
    "an EXIF tag of a wrong type": lambda: broken_exif(0x9286, 2, 1, b"\xff\xff\xff\xff"),
    "an EXIF orientation of text": lambda: broken_exif(0x0112, 2, 4, b"six\0"),
    "an EXIF tag past the end": lambda: broken_exif(0x8769, 4, 1, b"\xff\xff\xff\x7f"),
    "two pictures": lambda: file(picture(), "MPO", save_all=True, append_images=[Image.new("RGB", SIZE)]),
}


@pytest.mark.parametrize("kind", ODD)
def test_what_is_drawn_is_what_the_encoder_sees(kind: str) -> None:
    photograph = ODD[kind]()
    assert away(PillowDrawing().draw(photograph), photograph) < 4


def test_a_page_gets_no_more_pixels_than_it_asked_for() -> None:
    photograph = file(picture((1200, 900)), "JPEG")
    assert (PillowDrawing().draw(photograph, side_max=400).width, PillowDrawing().draw(photograph).width) == (400, 1200)
    assert PillowDrawing().draw(file(picture(), "PNG"), side_max=4_000).width == SIZE[0]


def test_a_face_is_cut_out_with_its_surroundings_and_never_beyond_the_border() -> None:
    photograph = file(picture((400, 300)), "PNG")
    face = PillowDrawing().draw(photograph, box=(200, 100, 40, 60))
    assert (face.width, face.height) == (80, 120)
    assert np.abs(pixels(face) - np.asarray(picture((400, 300)))[70:190, 180:260]).mean() < 4
    corner = PillowDrawing().draw(photograph, box=(-30, -10, 60, 40), side_max=32)
    assert max(corner.width, corner.height) <= 32
    outside = PillowDrawing().draw(photograph, box=(900, 900, 60, 40))
    assert (outside.width, outside.height) == (1, 1)


@pytest.mark.parametrize("photograph", [b"", b"no picture at all", file(picture(), "JPEG")[:200], file(picture(), "GIF")])
def test_what_cannot_be_drawn_is_refused_and_never_an_error_of_ours(photograph: bytes) -> None:
    with pytest.raises(PhotographRefused):
        PillowDrawing().draw(photograph)


def test_whatever_a_decoder_raises_is_one_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(*_: object, **__: object) -> None:
        raise struct.error("an odd tag")

    monkeypatch.setattr(images, "decode", odd)
    with pytest.raises(PhotographRefused) as refused:
        PillowDrawing().draw(file(picture(), "JPEG"))
    assert refused.value.__cause__ is None


def test_a_placeholder_says_that_it_is_one() -> None:
    drawn = PillowDrawing().placeholder()
    assert drawn.placeholder
    assert pixels(drawn).shape == (drawn.height, drawn.width, 3)
