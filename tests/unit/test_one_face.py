"""Which photographs may be enrolled."""

from dataclasses import dataclass

import numpy as np
import pytest

from comity.acts import one_face
from comity.errors import PhotographRefused
from comity.ports import Extracted, Face


@dataclass(frozen=True)
class Pictured:
    """A picture whose faces and quality are what the test says."""

    faces: tuple[Face, ...]
    quality: float = 80.0
    size: tuple[int, int] = (480, 600)

    def extract(self, face: int = 0) -> Extracted:
        assert 0 <= face < len(self.faces)
        return Extracted(np.ones(128, np.float32), self.quality, 12.0, "fake/1")


LARGE = Face((100.0, 100.0, 200.0, 260.0), 0.93, 90.0)
POSTER = Face((10.0, 10.0, 30.0, 40.0), 0.7, 13.0)


def refusal(picture: Pictured) -> PhotographRefused:
    with pytest.raises(PhotographRefused) as caught:
        one_face.exactly_one_face(picture)
    assert caught.value.advice, "a refusal without advice helps nobody"
    return caught.value


def test_one_clear_face_is_taken() -> None:
    assert one_face.exactly_one_face(Pictured((LARGE,))) == 0


def test_no_face_is_refused() -> None:
    assert refusal(Pictured(())).reason == "no-face"


def test_a_small_face_in_the_background_counts_as_a_second_one() -> None:
    refused = refusal(Pictured((LARGE, POSTER)))
    assert refused.reason == "several-faces"
    assert refused.details["faces"] == 2


def test_a_face_of_few_pixels_is_refused() -> None:
    assert refusal(Pictured((POSTER,))).reason == "face-too-small"


def test_an_unclear_face_is_refused_with_its_quality() -> None:
    refused = refusal(Pictured((LARGE,), quality=26.0))
    assert refused.reason == "poor-quality"
    assert refused.details["quality"] == 26.0


@pytest.mark.parametrize(("quality", "warned"), [(43.9, True), (44.0, False)])
def test_a_face_that_is_only_just_good_enough_is_flagged(quality: float, warned: bool) -> None:  # noqa: FBT001
    picture = Pictured((LARGE,), quality)
    assert one_face.deserves_warning(picture.extract(one_face.exactly_one_face(picture))) is warned
