"""The arithmetic between the two networks: reading the detector's grids, and aligning a face by its landmarks.

Points are complex numbers, x + iy, in pixels, the centre of the first pixel at 0, as OpenCV has it: both networks were
trained so. A similarity (turn, scale and shift) is then one multiplication and one addition.
The five landmarks are the eye at the picture's left, the eye at its right, the nose tip, and the mouth's left and right corner.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Points = NDArray[np.complex128]  # (n,)
Grids = Mapping[str, NDArray[np.float32]]  # YuNet's outputs of one picture: {cls,obj,bbox,kps}_{8,16,32}, each (cells, k)

STRIDES = (8, 16, 32)  # YuNet's; pictures are padded to a multiple of the last
SCORE_MIN = 0.6  # finds 102 of 102 faces from 27 px width on; OpenCV's own example uses 0.9 and loses small ones
OVERLAP_MAX = 0.3  # of two boxes that share more (intersection over union), the weaker is the same face again
FACES_MAX = 64  # a picture with more is a crowd, and none of ours; bounds the work that a mosaic of faces can cause
_PROPOSALS_MAX = 1_024  # before overlaps are removed, for the same reason

TEMPLATE_SIDE = 112
# Where SFace expects the landmarks in its 112x112 input (OpenCV, FaceRecognizerSF).
TEMPLATE_POINTS: Points = np.array(
    [38.2946 + 51.6963j, 73.5318 + 51.5014j, 56.0252 + 71.7366j, 41.5493 + 92.3655j, 70.7299 + 92.2041j]
)
CANONICAL_SIDE = 192
# The frame of the second look: the face upright, in the middle, at a size that the detector likes (about 90 px wide).
CANONICAL_POINTS: Points = (TEMPLATE_POINTS - TEMPLATE_SIDE * (0.5 + 0.5j)) * 0.9 + CANONICAL_SIDE * (0.5 + 0.5j)
_CANONICAL_CORNERS: Points = np.array([0, 1, 1j, 1 + 1j]) * CANONICAL_SIDE

_AVERAGED_MAX = 64  # no face in a picture of 40 million pixels needs more; landmarks that are nonsense would
_TURN_MIN = 1e-6  # landmarks in one point fit no turn: this keeps the arithmetic finite, and the template worthless


@dataclass(frozen=True, slots=True, repr=False)
class Found:
    """A face as the detector sees it: box (x, y, width, height), score (0-1) and its five landmarks, (5,)."""

    box: tuple[float, float, float, float]
    score: float
    landmarks: Points

    @property
    def eye_distance(self) -> float:
        """Return the distance between the eyes in pixels."""
        return float(abs(self.landmarks[1] - self.landmarks[0]))

    def scaled(self, x: float, y: float) -> Found:
        """Return the same face in a picture that is x times as wide and y times as high."""
        left, top, width, height = self.box
        points = self.landmarks.real * x + self.landmarks.imag * (y * 1j)
        return Found((left * x, top * y, width * x, height * y), self.score, points)


def read_grids(grids: Grids, width: int) -> list[Found]:
    """Read the detector's outputs for a picture padded to ``width`` pixels; the largest faces first.

    The score of a cell is sqrt(class * objectness); its centre, size and landmarks are offsets in units of the stride.
    """
    parts = list(_likely(grids, width))
    if not parts:
        return []
    scores, boxes, landmarks = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(-scores, kind="stable")[:_PROPOSALS_MAX]
    found = []
    for index in _distinct(boxes, order):
        x, y, w, h = boxes[index].tolist()
        found.append(Found((x, y, w, h), float(scores[index]), landmarks[index]))
    return sorted(found, key=lambda face: -face.box[2] * face.box[3])[:FACES_MAX]


def _likely(grids: Grids, width: int) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], Points]]:
    """Yield scores (n,), boxes (n, 4) and landmarks (n, 5) of each stride that has cells above the least score."""
    for stride in STRIDES:
        squares = (grids[f"cls_{stride}"] * grids[f"obj_{stride}"])[:, 0]
        cells = np.flatnonzero(squares >= SCORE_MIN**2)
        if not cells.size:
            continue
        rows, columns = np.divmod(cells, width // stride)
        corners = np.stack([columns, rows], axis=1).astype(np.float64)
        offsets = grids[f"bbox_{stride}"][cells].astype(np.float64)
        sizes = np.exp(offsets[:, 2:].clip(max=7)) * stride  # the clip keeps nonsense finite: e^7 strides is past any picture
        centres = (corners + offsets[:, :2]) * stride
        points = (grids[f"kps_{stride}"][cells].reshape(-1, 5, 2) + corners[:, None]) * stride
        boxes = np.hstack([centres - sizes / 2, sizes])
        yield np.sqrt(squares[cells].astype(np.float64)), boxes, points[:, :, 0] + 1j * points[:, :, 1]


def _distinct(boxes: NDArray[np.float64], order: NDArray[np.intp]) -> list[int]:
    """Return the boxes that no stronger kept box overlaps much, strongest first (greedy non-maximum suppression)."""
    kept: list[int] = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(int(best))
        order = order[_overlap(boxes[best], boxes[order]) <= OVERLAP_MAX]
    return kept


def _overlap(box: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the intersection over union of a box with each of the others, (n, 4)."""
    start = np.maximum(box[:2], others[:, :2])
    end = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    shared = (end - start).clip(min=0).prod(axis=1)
    return np.asarray(shared / (box[2] * box[3] + others[:, 2] * others[:, 3] - shared))


@dataclass(frozen=True, slots=True)
class Similarity:
    """The map z -> turn * z + shift: a turn, a scale and a shift."""

    turn: complex
    shift: complex

    def __call__(self, points: Points) -> Points:
        """Return the points where the map takes them."""
        return points * self.turn + self.shift

    @property
    def inverse(self) -> Similarity:
        """Return the way back."""
        return Similarity(1 / self.turn, -self.shift / self.turn)


def similarity(source: Points, target: Points) -> Similarity:
    """Return the map that brings ``source`` nearest to ``target`` in least squares (Umeyama 1991, without mirroring)."""
    centre, goal = complex(source.mean()), complex(target.mean())
    spread = source - centre
    size = float(np.vdot(spread, spread).real)
    turn = complex(np.vdot(spread, target - goal)) / max(size, _TURN_MIN)
    if abs(turn) < _TURN_MIN:
        turn = complex(_TURN_MIN)
    return Similarity(turn, goal - turn * centre)


@dataclass(frozen=True, slots=True, repr=False)
class Patch:
    """The surroundings of one face, at most twice as fine as the recogniser needs, and its landmarks there, (5,)."""

    image: Image.Image
    landmarks: Points


def patch(image: Image.Image, landmarks: Points) -> Patch:
    """Return the surroundings of a face, averaged down by a whole number where the image is much too fine.

    Bilinear sampling alone would skip pixels there, and thin lines would flicker in and out.
    """
    fineness = 1 / abs(similarity(landmarks, TEMPLATE_POINTS).turn)
    factor = int(min(fineness, _AVERAGED_MAX, *image.size))
    if factor < 2:  # noqa: PLR2004 - nothing to average
        return Patch(image, landmarks)
    corners = similarity(landmarks, CANONICAL_POINTS).inverse(_CANONICAL_CORNERS)
    left, right = _span(corners.real, image.width, factor)
    top, bottom = _span(corners.imag, image.height, factor)
    # A pixel of the patch lies in the middle of the ``factor`` pixels of which it is the mean.
    origin = complex(left, top) + (factor - 1) / 2 * (1 + 1j)
    return Patch(image.reduce(factor, (left, top, right, bottom)), (landmarks - origin) / factor)


def _span(edges: NDArray[np.float64], size: int, least: int) -> tuple[int, int]:
    """Return the first and the last pixel of what lies between the outermost edges, inside the image, not under ``least``."""
    start = max(0, min(int(edges.min()) - least, size - least))
    return start, min(size, max(int(edges.max()) + least, start + least))


def warp(image: Image.Image, forth: Similarity, side: int) -> Image.Image:
    """Return the square of ``side`` pixels that ``forth`` makes of the image, bilinear; black outside."""
    return _transformed(image, forth, side, Image.Resampling.BILINEAR)


def warp_roughly(image: Image.Image, forth: Similarity, side: int) -> Image.Image:
    """Return the same square, each pixel the mean of four nearest ones: half the time, and enough to find landmarks in."""
    twice = Similarity(2 * forth.turn, 2 * forth.shift + (0.5 + 0.5j))
    return _transformed(image, twice, 2 * side, Image.Resampling.NEAREST).reduce(2)


def _transformed(image: Image.Image, forth: Similarity, side: int, resample: Image.Resampling) -> Image.Image:
    back = forth.inverse
    # Pillow puts the centre of the first pixel at (0.5, 0.5), on both sides.
    shift = back.shift + (0.5 + 0.5j) * (1 - back.turn)
    rows = (back.turn.real, -back.turn.imag, shift.real, back.turn.imag, back.turn.real, shift.imag)
    return image.transform((side, side), Image.Transform.AFFINE, rows, resample=resample)
