"""The arithmetic between the two networks: reading the detector's grids, and aligning a face by its landmarks.

Points are (x, y) in pixels, the centre of the first pixel at (0, 0), as OpenCV has it: both networks were trained so.
The five landmarks are the eye at the picture's left, the eye at its right, the nose tip, and the mouth's left and right corner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Points = NDArray[np.float64]  # (n, 2)
Affine = NDArray[np.float64]  # (2, 3): a point p goes to A[:, :2] @ p + A[:, 2]
Grids = Mapping[str, NDArray[np.float32]]  # YuNet's outputs of one picture: {cls,obj,bbox,kps}_{8,16,32}, each (cells, k)

STRIDES = (8, 16, 32)  # YuNet's; pictures are padded to a multiple of the last
SCORE_MIN = 0.6  # finds 102 of 102 faces from 27 px width on; OpenCV's own example uses 0.9 and loses small ones
OVERLAP_MAX = 0.3  # of two boxes that share more (intersection over union), the weaker is the same face again
FACES_MAX = 64  # a picture with more is a crowd, and none of ours; bounds the work that a mosaic of faces can cause
_PROPOSALS_MAX = 1_024  # before overlaps are removed, for the same reason

TEMPLATE_SIDE = 112
# Where SFace expects the landmarks in its 112x112 input (OpenCV, FaceRecognizerSF).
TEMPLATE_POINTS: Points = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
CANONICAL_SIDE = 192
# The frame of the second look: the face upright, in the middle, at a size that the detector likes (about 90 px wide).
CANONICAL_POINTS: Points = (TEMPLATE_POINTS - TEMPLATE_SIDE / 2) * 0.9 + CANONICAL_SIDE / 2


@dataclass(frozen=True, slots=True, repr=False)
class Found:
    """A face as the detector sees it: box (x, y, width, height), score (0-1) and its five landmarks, (5, 2)."""

    box: tuple[float, float, float, float]
    score: float
    landmarks: Points

    @property
    def eye_distance(self) -> float:
        """Return the distance between the eyes in pixels."""
        return hypot(*(self.landmarks[1] - self.landmarks[0]))

    def scaled(self, x: float, y: float) -> Found:
        """Return the same face in a picture that is x times as wide and y times as high."""
        left, top, width, height = self.box
        return Found((left * x, top * y, width * x, height * y), self.score, self.landmarks * (x, y))


def read_grids(grids: Grids, width: int) -> list[Found]:
    """Read the detector's outputs for a picture padded to ``width`` pixels; the largest faces first.

    The score of a cell is sqrt(class * objectness); its centre, size and landmarks are offsets in units of the stride.
    """
    scores, boxes, landmarks = (np.concatenate(parts) for parts in zip(*_strides(grids, width), strict=True))
    order = np.argsort(-scores, kind="stable")[:_PROPOSALS_MAX]
    found = [
        Found((float(x), float(y), float(w), float(h)), float(scores[index]), landmarks[index])
        for index in _distinct(boxes, order)
        for x, y, w, h in [boxes[index]]
    ]
    return sorted(found, key=lambda face: -face.box[2] * face.box[3])[:FACES_MAX]


def _strides(grids: Grids, width: int) -> list[tuple[NDArray[np.float64], Points, Points]]:
    """Return scores (n,), boxes (n, 4) and landmarks (n, 5, 2) of each stride's cells above the least score."""
    found = []
    for stride in STRIDES:
        scores = np.sqrt(grids[f"cls_{stride}"][:, 0] * grids[f"obj_{stride}"][:, 0])
        cells = np.flatnonzero(scores >= SCORE_MIN)
        rows, columns = np.divmod(cells, width // stride)
        corners = np.stack([columns, rows], axis=1).astype(np.float64)
        offsets = grids[f"bbox_{stride}"][cells].astype(np.float64)
        sizes = np.exp(offsets[:, 2:].clip(max=7)) * stride  # the clip keeps nonsense finite: e^7 strides is past any picture
        centres = (corners + offsets[:, :2]) * stride
        points = (grids[f"kps_{stride}"][cells].reshape(-1, 5, 2) + corners[:, None]) * stride
        found.append((scores[cells].astype(np.float64), np.hstack([centres - sizes / 2, sizes]), points))
    return found


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


def similarity(source: Points, target: Points) -> Affine:
    """Return the rotation, scale and shift that bring ``source`` nearest to ``target`` in least squares.

    Umeyama 1991 in two dimensions, where it has a closed form: with points as complex numbers it is one division.
    """
    centre, goal = source.mean(axis=0), target.mean(axis=0)
    a, b = (source - centre) @ (1, 1j), (target - goal) @ (1, 1j)
    turn = np.vdot(a, b) / max(np.vdot(a, a).real, 1e-9)  # five landmarks in one point: no turn, but no crash either
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack([linear, goal - linear @ centre])


def inverted(affine: Affine) -> Affine:
    """Return the way back."""
    linear = np.linalg.inv(affine[:, :2])
    return np.column_stack([linear, -linear @ affine[:, 2]])


def moved(points: Points, affine: Affine) -> Points:
    """Return the points, (n, 2), where the affine takes them."""
    return points @ affine[:, :2].T + affine[:, 2]


def warp(image: Image.Image, back: Affine, side: int) -> Image.Image:
    """Return the square of ``side`` pixels whose pixels lie in the image where ``back`` takes them; black outside.

    Bilinear. An image more than twice too fine is averaged down first, or thin lines would flicker in and out.
    """
    fineness = int(hypot(back[0, 0], back[1, 0]))
    linear, shift = back[:, :2], back[:, 2]
    if fineness > 1:
        image, origin = _averaged(image, back, side, fineness)
        linear, shift = linear / fineness, (shift - origin - (fineness - 1) / 2) / fineness
    # Pillow puts the centre of the first pixel at (0.5, 0.5), on both sides.
    shift = shift + 0.5 - linear @ (0.5, 0.5)
    (a, b), (d, e) = linear.tolist()
    c, f = shift.tolist()
    return image.transform((side, side), Image.Transform.AFFINE, (a, b, c, d, e, f), resample=Image.Resampling.BILINEAR)


def _averaged(image: Image.Image, back: Affine, side: int, factor: int) -> tuple[Image.Image, NDArray[np.float64]]:
    """Return the part of the image that a warp needs, ``factor`` times smaller, and its origin in the image."""
    corners = moved(np.array([(0, 0), (side, 0), (0, side), (side, side)], dtype=np.float64), back)
    margin = 2 * factor
    left, top = (max(0, int(low) - margin) for low in corners.min(axis=0))
    right, bottom = (min(size, int(high) + margin) for size, high in zip(image.size, corners.max(axis=0), strict=True))
    if right - left < factor or bottom - top < factor:  # the square lies outside the image: all black
        return Image.new("RGB", (1, 1)), np.zeros(2)
    return image.reduce(factor, (left, top, right, bottom)), np.array([left, top], dtype=np.float64)
