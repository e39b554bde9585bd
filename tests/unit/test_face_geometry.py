"""The arithmetic between the networks, against slower and plainer versions of itself."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from comity.adapters import face_geometry as geometry
from comity.adapters.face_geometry import Points, Similarity

RANDOM = np.random.default_rng(20261122)


def smooth(width: int, height: int) -> Image.Image:
    """Return an RGB picture without sharp edges, so that ways of sampling can be compared."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    planes = [127 + 120 * np.sin(x / 17 + k) * np.cos(y / 13 - k) for k in range(3)]
    return Image.fromarray(np.stack(planes, axis=2).astype(np.uint8))


def sampled(image: Image.Image, back: Similarity, side: int) -> NDArray[np.float64]:
    """Return the warped square, each pixel by the textbook's bilinear formula."""
    pixels = np.asarray(image).astype(float)
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    at = back(x + 1j * y)
    left, top = np.floor(at.real).astype(int), np.floor(at.imag).astype(int)
    right, low = (at.real - left)[..., None], (at.imag - top)[..., None]
    upper = pixels[top, left] * (1 - right) + pixels[top, left + 1] * right
    lower = pixels[top + 1, left] * (1 - right) + pixels[top + 1, left + 1] * right
    return np.asarray(upper * (1 - low) + lower * low)


def grids(faces: dict[tuple[int, int, int], float], width: int, height: int) -> dict[str, NDArray[np.float32]]:
    """Return detector outputs with these scores at (stride, column, row); every box is 4 strides wide and high."""
    made = {}
    for stride in geometry.STRIDES:
        cells = (width // stride) * (height // stride)
        for name, columns in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            made[f"{name}_{stride}"] = np.zeros((cells, columns), np.float32)
        made[f"bbox_{stride}"][:, 2:] = np.log(4)
        made[f"kps_{stride}"][:] = np.tile([-1, -1, 1, -1, 0, 0, -1, 1, 1, 1], (cells, 1))
    for (stride, column, row), score in faces.items():
        cell = row * (width // stride) + column
        made[f"cls_{stride}"][cell] = made[f"obj_{stride}"][cell] = score
    return made


def test_a_cell_becomes_a_face_in_pixels() -> None:
    (face,) = geometry.read_grids(grids({(16, 5, 3): 0.9}, 320, 192), 320)
    assert face.box == pytest.approx((48, 16, 64, 64))
    assert face.score == pytest.approx(0.9)
    assert face.landmarks[0] == 64 + 32j
    assert face.eye_distance == 32


def test_faces_come_largest_first_and_the_unlikely_are_left_out() -> None:
    seen = grids({(8, 2, 2): 0.95, (32, 6, 3): 0.7, (16, 15, 2): 0.59}, 320, 192)
    assert [round(face.box[2]) for face in geometry.read_grids(seen, 320)] == [128, 32]


def test_of_boxes_that_overlap_the_likelier_is_kept() -> None:
    (face,) = geometry.read_grids(grids({(16, 5, 3): 0.7, (16, 6, 3): 0.9}, 320, 192), 320)
    assert face.score == pytest.approx(0.9)


def test_nothing_likely_is_no_face() -> None:
    assert geometry.read_grids(grids({}, 320, 192), 320) == []


def test_a_mosaic_of_faces_is_cut_off() -> None:
    everywhere = {(8, column, row): 0.9 for column in range(2, 78, 5) for row in range(2, 78, 5)}
    assert len(geometry.read_grids(grids(everywhere, 640, 640), 640)) == geometry.FACES_MAX


def test_a_similarity_is_found_again_from_the_points_it_moved() -> None:
    true = Similarity(0.8 + 0.3j, 12 - 7j)
    points = RANDOM.normal(size=5) * 50 + 1j * RANDOM.normal(size=5) * 50
    found = geometry.similarity(points, true(points))
    assert found.turn == pytest.approx(true.turn)
    assert found.shift == pytest.approx(true.shift)
    assert np.allclose(found.inverse(found(points)), points)


def test_a_similarity_is_the_best_in_least_squares() -> None:
    points: Points = geometry.TEMPLATE_POINTS + RANDOM.normal(size=5) * 3 + 1j * RANDOM.normal(size=5) * 3
    best = geometry.similarity(points, geometry.TEMPLATE_POINTS)

    def error(tried: Similarity) -> float:
        return float(np.sum(np.abs(tried(points) - geometry.TEMPLATE_POINTS) ** 2))

    for nudge in (1e-3, -1e-3, 1e-3j, -1e-3j):
        assert error(best) < error(Similarity(best.turn + nudge, best.shift))
        assert error(best) < error(Similarity(best.turn, best.shift + 100 * nudge))


@pytest.mark.parametrize("turn", [1, 1.7, 0.6 + 0.4j, 1.2 - 0.5j])
def test_a_warp_samples_as_the_textbook_says(turn: complex) -> None:
    image = smooth(400, 400)
    back = Similarity(turn, 120.3 + 130.6j)
    warped = np.asarray(geometry.warp(image, back.inverse, 80)).astype(float)
    assert np.abs(warped - sampled(image, back, 80)).max() <= 1.01  # Pillow cuts off what the reference keeps


@pytest.mark.parametrize("turn", [1, 1.7, 0.6 + 0.4j, 1.2 - 0.5j])
def test_a_rough_warp_lies_where_the_fine_one_does(turn: complex) -> None:
    forth = Similarity(turn, 120.3 + 130.6j).inverse
    image = smooth(400, 400)
    rough, fine = (np.asarray(way(image, forth, 80)).astype(float) for way in (geometry.warp_roughly, geometry.warp))
    shifted = np.asarray(geometry.warp(image, Similarity(forth.turn, forth.shift + 1), 80)).astype(float)
    assert np.abs(rough - fine).mean() < 0.5 * np.abs(rough - shifted).mean()


@pytest.mark.parametrize("fineness", [1.5, 2.5, 4.2, 9.7])
def test_a_patch_shows_the_same_face(fineness: float) -> None:
    image = smooth(1400, 1400).resize((2800, 2800), Image.Resampling.BICUBIC)
    points = Similarity(fineness * (0.98 + 0.2j), 800 + 700j)(geometry.TEMPLATE_POINTS)
    patch = geometry.patch(image, points)
    aligned = geometry.warp(patch.image, geometry.similarity(patch.landmarks, geometry.TEMPLATE_POINTS), 112)
    expected = sampled(image, geometry.similarity(points, geometry.TEMPLATE_POINTS).inverse, 112)
    assert max(patch.image.size) <= 2800 if fineness < 2 else max(patch.image.size) < 700
    assert np.abs(np.asarray(aligned) - expected).mean() < 0.3 + fineness**2 / 8


@pytest.mark.parametrize(
    "landmarks",
    [
        np.zeros(5, complex),
        np.full(5, 1e5 + 1e5j),
        np.conj(geometry.TEMPLATE_POINTS),
        geometry.TEMPLATE_POINTS * 1e4,
        geometry.TEMPLATE_POINTS * 1e-4,
        geometry.TEMPLATE_POINTS - 500,
    ],
)
@pytest.mark.parametrize("size", [(48, 48), (5000, 6), (300, 2)])
def test_landmarks_that_are_nonsense_do_no_harm(landmarks: Points, size: tuple[int, int]) -> None:
    patch = geometry.patch(smooth(*size), landmarks)
    aligned = geometry.warp(patch.image, geometry.similarity(patch.landmarks, geometry.TEMPLATE_POINTS), 112)
    assert aligned.size == (112, 112)
