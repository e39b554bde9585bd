"""Decodes photographs from strangers: whitelisted formats, named limits, and one refusal for each way of being unusable.

Everything that can be refused is refused from the header, before a pixel is decoded. Colour profiles and all other
metadata but the orientation are ignored, and nothing of a photograph is ever logged or shown in a repr.
"""

from __future__ import annotations

import io
import logging
import re
import threading
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import BmpImagePlugin, Image, JpegImagePlugin, PngImagePlugin, UnidentifiedImageError, WebPImagePlugin

from comity.adapters.decoding_room import ROOM
from comity.errors import PhotographRefused

BYTES_MAX = 12_000_000  # a 24-megapixel JPEG at quality 90; intake's body limit is above it
PIXELS_MAX = 40_000_000  # 120 MB decoded: a few at once must fit beside the gallery in 2 GB
DRAFTED_PIXELS_MAX = 64_000_000  # a telephone's JPEG of one scan, which is decoded at half its size: never held whole
SIDE_MIN = 48  # pixels: below it the detector has no more than a cell or two to look at
SCANS_MAX = 100  # in a JPEG; cameras write 1, progressive ones 10. Each costs a pass over all pixels, for a few bytes

# Few decoders, few holes. TIFF is left out (several pages, a large library), GIF and SVG are no photographs.
_FORMATS = {
    plugin.format: plugin.format_description
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        WebPImagePlugin.WebPImageFile,
        BmpImagePlugin.BmpImageFile,
    )
}
_MULTI_PICTURE_JPEG = "MPO"  # what many telephones write: an ordinary JPEG first, then a preview or a depth map

# What people send instead, told apart only so that the advice can name it: (offset, signature, name).
_OTHER_FORMATS = (
    (0, b"GIF8", "GIF"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"%PDF", "PDF"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftyp", "HEIC"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"<svg", "SVG"),
    (0, b"<?xml", "SVG"),
)
_SIXTEEN_BIT_GREY = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})
_BEHIND_TRANSPARENCY = (255, 255, 255)  # as a browser shows it, so that examiner and encoder see the same picture

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TURNED = frozenset({5, 6, 7, 8})

_MARKER = re.compile(rb"\xff+[^\x00\xff]")  # within compressed data 0xFF is followed by 0
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length

_ANOTHER = "Send the photograph as JPEG, PNG, WebP or BMP."
_AGAIN = "Save or export the photograph again as JPEG or PNG and send that file."

# At level DEBUG Pillow logs the values of EXIF tags: names, places and times.
logging.getLogger("PIL").setLevel(logging.INFO)

# warnings.catch_warnings changes the whole process, so only one thread at a time may be inside.
_quiet = threading.Lock()


@dataclass(frozen=True, slots=True, repr=False)
class Decoded:
    """An upright RGB picture, decoded at 1/``reduction`` of its full ``size`` (width, height in pixels)."""

    image: Image.Image
    size: tuple[int, int]
    reduction: int


def decode(photograph: bytes, *, long_side_min: int | None = None) -> Decoded:
    """Decode a photograph into an upright 8-bit RGB picture.

    With ``long_side_min`` a JPEG may come back smaller (1/2, 1/4 or 1/8), its long side still at least that: several times
    faster for large ones. One over 40 megapixels comes back smaller in any case. Transparency is laid on white; 16-bit grey
    keeps its upper byte; ink colours are converted without a profile.

    Raises PhotographRefused with one of: not-an-image, format, too-large, too-small, too-many-pixels, too-complex,
    animated, truncated; Unavailable where too many large pictures are being looked at.
    """
    _check_bytes(photograph)
    with _opened(photograph) as image:
        size = image.size
        _check_header(image, photograph)
        _allow_reduction(image, long_side_min)
        reduction = max(1, round(max(size) / max(image.size)))
        with ROOM.place(image.width * image.height) as place:
            rgb = _loaded(image)
            orientation = _orientation(image)  # not before: for a PNG, asking decodes it, and hides that it is damaged
            if orientation in _UPRIGHT:
                rgb = rgb.transpose(_UPRIGHT[orientation])
            place.belongs_to(rgb)
    return Decoded(rgb, size[::-1] if orientation in _TURNED else size, reduction)


def _check_bytes(photograph: bytes) -> None:
    if not photograph:
        raise PhotographRefused("not-an-image", "The file is empty.", advice=_AGAIN)
    if len(photograph) > BYTES_MAX:
        raise PhotographRefused(
            "too-large",
            f"The file has {len(photograph) / 1e6:.1f} MB; {BYTES_MAX // 1_000_000} MB are allowed.",
            advice="Save the photograph as JPEG at a lower quality or size.",
        )


def _opened(photograph: bytes) -> Image.Image:
    """Read the header; return the picture, not decoded yet."""
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Image.open(io.BytesIO(photograph), formats=tuple(_FORMATS))
        except UnidentifiedImageError:
            raise _unidentified(photograph) from None
        except Image.DecompressionBombError:
            raise _too_many_pixels() from None
        except Exception:  # noqa: BLE001 - on hostile bytes Pillow raises a dozen kinds, and each means the same
            raise _truncated() from None


def _orientation(image: Image.Image) -> int:
    """Read the EXIF orientation, 1 where there is none; a damaged block says nothing, and many cameras write one."""
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return int(image.getexif().get(_ORIENTATION_TAG, 1))
        except Exception:  # noqa: BLE001 - as above
            return 1


def _check_header(image: Image.Image, photograph: bytes) -> None:
    """Refuse what the header gives away, before anything is decoded."""
    width, height = image.size
    scans = _scans(photograph) if isinstance(image, JpegImagePlugin.JpegImageFile) else 0
    if width * height > (DRAFTED_PIXELS_MAX if scans == 1 else PIXELS_MAX):
        raise _too_many_pixels()  # of several scans libjpeg holds every coefficient, however small the draft
    if min(width, height) < SIDE_MIN:
        raise PhotographRefused(
            "too-small",
            f"The picture has {width} x {height} pixels; each side needs at least {SIDE_MIN}.",
            advice="Send the original photograph, not its thumbnail.",
        )
    if getattr(image, "is_animated", False) and image.format != _MULTI_PICTURE_JPEG:
        raise PhotographRefused(
            "animated",
            "The file holds several pictures that play one after the other.",
            advice="Save the one picture that is meant as JPEG or PNG.",
        )
    if scans > SCANS_MAX:
        raise PhotographRefused("too-complex", "The JPEG is built from an unreasonable number of scans.", advice=_AGAIN)


def _scans(photograph: bytes) -> int:
    """Count a JPEG's scans as its decoder meets them: thumbnails before them, and a film behind the picture, are none."""
    scans, at = 0, 0
    while (marker := _MARKER.search(photograph, at)) is not None:
        kind, at = marker.group()[-1], marker.end()
        if kind == _END_OF_IMAGE or scans > SCANS_MAX:
            break
        if kind not in _ALONE:
            at += int.from_bytes(photograph[at : at + 2], "big")
        scans += kind == _START_OF_SCAN
    return scans


def _allow_reduction(image: Image.Image, long_side_min: int | None) -> None:
    """Let the JPEG decoder skip detail that nobody asked for, or that would not fit; other formats ignore it."""
    width, height = image.size
    if long_side_min is not None and long_side_min < max(width, height):
        wanted = long_side_min / max(width, height)
        image.draft(None, (round(width * wanted), round(height * wanted)))
    elif width * height > PIXELS_MAX:
        image.draft(None, (width // 2, height // 2))


def _loaded(image: Image.Image) -> Image.Image:
    """Decode the pixels into RGB."""
    if image.mode not in _MODES | _SIXTEEN_BIT_GREY:
        raise PhotographRefused("format", f"Pictures of the kind {image.mode} are not read.", advice=_AGAIN)
    try:
        image.load()
        if image.mode in _SIXTEEN_BIT_GREY:
            return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
        if image.has_transparency_data:
            return _flattened(image)
        return image if image.mode == "RGB" else image.convert("RGB")
    except Exception:  # noqa: BLE001 - as above
        raise _truncated() from None


def _flattened(image: Image.Image) -> Image.Image:
    """Lay a picture with transparent parts on white: what is hidden from an examiner must be hidden from the encoder."""
    layer = image.convert("RGBA")
    ground = Image.new("RGB", layer.size, _BEHIND_TRANSPARENCY)
    ground.paste(layer, mask=layer.getchannel("A"))
    return ground


def _unidentified(photograph: bytes) -> PhotographRefused:
    """Tell a picture of a format that is not read from what is no picture at all."""
    start = photograph[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    for offset, signature, name in _OTHER_FORMATS:
        if start[offset:].startswith(signature):
            return PhotographRefused("format", f"This looks like a {name} file, which is not read.", advice=_ANOTHER)
    return PhotographRefused("not-an-image", "The file is not a picture that can be read.", advice=_ANOTHER)


def _truncated() -> PhotographRefused:
    return PhotographRefused("truncated", "The picture's data is cut short or damaged.", advice=_AGAIN)


def _too_many_pixels() -> PhotographRefused:
    return PhotographRefused(
        "too-many-pixels",
        f"The picture has more than {PIXELS_MAX // 1_000_000} million pixels.",
        advice="Send the photograph at a smaller size: 2,000 pixels on the long side are plenty.",
    )
