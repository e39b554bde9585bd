"""The reference encoder: YuNet finds faces, SFace makes templates, both on one CPU thread of onnxruntime.

A photograph is looked at twice. The detector's first landmarks move by about two pixels when the picture shifts a little, so
the face is brought upright into a frame of fixed size, and looked at again there: on LFW that gains more probes at rank 1
than chance explains. comity claims no operational accuracy; agencies bring their own encoder through the same port.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from PIL import Image

from comity.adapters import face_geometry as geometry
from comity.adapters import face_models, images
from comity.adapters.face_geometry import Found, Patch, Points, Similarity
from comity.ports import Extracted, Face

Tensor = NDArray[np.float32]  # (1, 3, height, width), 0-255

# Templates of different names never meet. Raise the number whenever alignment, decoding or folding changes what comes out.
MODEL = f"{face_models.RECOGNISER.name}-fp32/1"

DETECTION_SIDE = 640  # long side, pixels: larger costs time by its square and finds no face that could be used
DRAFT_SIDE = 1280  # large JPEGs are decoded down to no less than this, which leaves the detector its 640
DRAFT_EYE_DISTANCE = 70.0  # pixels: twice the template's; a face that a draft leaves with less is decoded again in full

# The raw norm of SFace's output foretells how a photograph will do (Spearman 0.73 with the genuine score; FNMR at
# 1e-4: 71 % at norm 8-9, 25 % at 10-11, none of 87 above 13). The scale is SFace's own: another model needs its own.
NORM_REJECT = 9.0
NORM_WARN = 10.3
_NORM_AT_0 = 7.0
_NORM_AT_100 = 14.5


def quality_of(norm: float) -> float:
    """Return the quality, 0-100, of a raw norm; NORM_REJECT gives 26.7 and NORM_WARN 44."""
    return min(100.0, max(0.0, 100.0 * (norm - _NORM_AT_0) / (_NORM_AT_100 - _NORM_AT_0)))


@dataclass(frozen=True, slots=True)
class Sessions:
    """The two networks, ready to run. onnxruntime's ``run`` may be called from several threads."""

    detector: ort.InferenceSession
    recogniser: ort.InferenceSession

    def detect(self, image: Image.Image) -> list[Found]:
        """Find the faces of an RGB picture whose long side is reasonable; largest first, coordinates in that picture."""
        tensor = detector_tensor(image)
        names = [output.name for output in self.detector.get_outputs()]
        grids = self.detector.run(names, {"input": tensor})
        return geometry.read_grids({name: np.asarray(grid)[0] for name, grid in zip(names, grids, strict=True)}, tensor.shape[3])

    def recognise(self, crop: Image.Image) -> NDArray[np.float32]:
        """Return the raw output, (128,), for an aligned 112x112 RGB picture."""
        (output,) = self.recogniser.run(None, {"data": recogniser_tensor(crop)})
        return np.asarray(output, dtype=np.float32).reshape(-1)


def detector_tensor(image: Image.Image) -> Tensor:
    """Return what YuNet takes: BGR planes, padded with zeros at the right and the bottom to a multiple of 32."""
    unit = geometry.STRIDES[-1]
    return _planes(image, ceil(image.height / unit) * unit, ceil(image.width / unit) * unit, "BGR")


def recogniser_tensor(crop: Image.Image) -> Tensor:
    """Return what SFace takes: the RGB planes of an aligned 112x112 picture."""
    return _planes(crop, geometry.TEMPLATE_SIDE, geometry.TEMPLATE_SIDE, "RGB")


def _planes(image: Image.Image, height: int, width: int, order: str) -> Tensor:
    """Return the colour planes of an RGB picture, zero-padded at the right and the bottom."""
    planes = np.empty((1, 3, height, width), dtype=np.float32)
    planes[..., image.height :, :] = 0
    planes[..., image.width :] = 0
    for plane, colour in zip(planes[0], order, strict=True):
        levels = np.frombuffer(image.tobytes("raw", colour), dtype=np.uint8)
        plane[: image.height, : image.width] = levels.reshape(image.height, image.width)
    return planes


class OnnxPicture:
    """A decoded photograph and the faces in it, largest first. Not shown in any repr."""

    def __init__(self, photograph: bytes, sessions: Sessions) -> None:
        """Decode the photograph and find its faces. Raises PhotographRefused."""
        self._sessions = sessions
        self._photograph = photograph
        self._draft = images.decode(photograph, long_side_min=DRAFT_SIDE)
        self._full: images.Decoded | None = None  # beside the draft, so that no template depends on what was asked before
        self._found = tuple(self._detected())
        self._extracted: dict[int, Extracted] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height in pixels, upright."""
        return self._draft.size

    @property
    def faces(self) -> tuple[Face, ...]:
        """Return the faces found, largest first; boxes may reach past the picture's border."""
        return tuple(Face(found.box, found.score, found.eye_distance) for found in self._found)

    def extract(self, face: int = 0) -> Extracted:
        """Extract the template of one of the faces; asked again, the same one is returned without work.

        Raises IndexError where there is no such face.
        """
        if face not in self._extracted:
            self._extracted[face] = _extracted(self._sessions.recognise(self.aligned(face)))
        return self._extracted[face]

    def upright(self, face: int = 0) -> Image.Image:
        """Return the 192x192 RGB picture of a face that the detector looks at again."""
        return _upright(self._patch(face))

    def aligned(self, face: int = 0) -> Image.Image:
        """Return the 112x112 RGB picture of a face that SFace is shown, by the landmarks of the second look."""
        patch = self._patch(face)
        forth = geometry.similarity(self._refined(patch), geometry.TEMPLATE_POINTS)
        return geometry.warp(patch.image, forth, geometry.TEMPLATE_SIDE)

    def _detected(self) -> list[Found]:
        """Find the faces on a reduced copy and return them in pixels of the full picture."""
        image, (width, height) = self._draft.image, self._draft.size
        shrink = min(1.0, DETECTION_SIDE / max(image.size))
        if shrink < 1:
            small = (max(1, round(image.width * shrink)), max(1, round(image.height * shrink)))
            image = image.resize(small, Image.Resampling.BILINEAR, reducing_gap=2.0)
        found = self._sessions.detect(image)
        return [face.scaled(width / image.width, height / image.height) for face in found]

    def _patch(self, face: int) -> Patch:
        """Return the face's surroundings, from the picture in full where a draft leaves this face too few pixels."""
        decoded, found = self._draft, self._found[face]
        if decoded.reduction > 1 and found.eye_distance / decoded.reduction < DRAFT_EYE_DISTANCE:
            decoded = self._full = self._full or images.decode(self._photograph)
        return geometry.patch(decoded.image, found.landmarks / decoded.reduction)

    def _refined(self, patch: Patch) -> Points:
        """Look at the face again, upright and in a frame of fixed size; return its landmarks in the patch."""
        again = self._sessions.detect(_upright(patch))
        if not again:
            return patch.landmarks
        nearest = min(again, key=lambda seen: float(np.abs(seen.landmarks - geometry.CANONICAL_POINTS).sum()))
        return _to_canonical(patch).inverse(nearest.landmarks)


def _to_canonical(patch: Patch) -> Similarity:
    return geometry.similarity(patch.landmarks, geometry.CANONICAL_POINTS)


def _upright(patch: Patch) -> Image.Image:
    return geometry.warp_roughly(patch.image, _to_canonical(patch), geometry.CANONICAL_SIDE)


def _extracted(raw: NDArray[np.float32]) -> Extracted:
    norm = float(np.linalg.norm(raw))
    vector = (raw / max(norm, 1e-12)).astype(np.float32)
    vector.flags.writeable = False
    return Extracted(vector, quality_of(norm), norm, MODEL)


class OnnxFaces:
    """Finds faces and extracts templates. Thread-safe; the networks are loaded by the first photograph, once."""

    def __init__(self, *, cache: Path | None = None, progress: face_models.Progress | None = None) -> None:
        self._cache = cache
        self._progress = progress
        self._loading = threading.Lock()
        self._sessions: Sessions | None = None

    @property
    def model(self) -> str:
        """Return the model's name and version: templates of different models never meet."""
        return MODEL

    def open(self, photograph: bytes) -> OnnxPicture:
        """Decode a photograph from a stranger and find its faces.

        Raises PhotographRefused (its reasons are listed at ``images.decode``) and FaceModelsUnusable.
        """
        return OnnxPicture(photograph, self.sessions())

    def sessions(self) -> Sessions:
        """Return the networks, folded and loaded now if they are not yet: call it at start for a ready encoder."""
        with self._loading:
            if self._sessions is None:
                self._sessions = Sessions(self._loaded(face_models.DETECTOR), self._loaded(face_models.RECOGNISER))
            return self._sessions

    def _loaded(self, model: face_models.SourceModel) -> ort.InferenceSession:
        path = face_models.folded(model, cache=self._cache, progress=self._progress)
        return ort.InferenceSession(path, sess_options=_options(), providers=["CPUExecutionProvider"])


def _options() -> ort.SessionOptions:
    """Return options for a shared machine: parallel by photographs, never inside one, and idle threads asleep."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_pattern = False  # patterns are kept for each picture size, and sizes come from strangers
    options.log_severity_level = 3  # errors only: warnings would name shapes of what strangers sent
    return options
