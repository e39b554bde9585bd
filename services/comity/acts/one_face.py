"""Whether a photograph may be enrolled: exactly one face, large and clear enough, or a reason that a person can act on."""

from __future__ import annotations

from comity.errors import PhotographRefused
from comity.ports import Extracted, Picture

EYE_DISTANCE_MIN = 24.0  # pixels: the template's own is 35, so a face below this is mostly made up by enlarging
QUALITY_REJECT = 26.7  # SFace's raw norm 9: below it 7 of 10 degraded photographs were not found again (FMR 1e-4)
QUALITY_WARN = 44.0  # raw norm 10.3: 95 of 100 ordinary press photographs are above


def exactly_one_face(picture: Picture) -> int:
    """Return the index of the only face of a photograph that may be enrolled.

    A second face counts however small or far behind it is: nobody may be enrolled by standing in someone's background,
    and a poster's face beside a turned head would be taken for the person.

    Raises PhotographRefused with one of: no-face, several-faces, face-too-small, poor-quality.
    """
    faces = picture.faces
    if not faces:
        raise PhotographRefused(
            "no-face",
            "No face was found in the photograph.",
            advice="Send a photograph with the whole face turned to the camera, evenly lit and not covered.",
        )
    if len(faces) > 1:
        raise PhotographRefused(
            "several-faces",
            f"{len(faces)} faces were found in the photograph; exactly one is needed.",
            advice="Crop the photograph to the one person; mind faces on posters, screens and clothes in the background.",
            faces=len(faces),
        )
    _check_size(faces[0].eye_distance)
    _check_quality(picture.extract(0))
    return 0


def deserves_warning(extracted: Extracted) -> bool:
    """Say whether an enrolled photograph is poor enough to tell the agency, though not to refuse it."""
    return extracted.quality < QUALITY_WARN


def _check_size(eye_distance: float) -> None:
    if eye_distance < EYE_DISTANCE_MIN:
        raise PhotographRefused(
            "face-too-small",
            f"The eyes are {eye_distance:.0f} pixels apart; at least {EYE_DISTANCE_MIN:.0f} are needed.",
            advice="Send the original photograph instead of a reduced copy, or one taken from nearer.",
            eye_distance=round(eye_distance, 1),
        )


def _check_quality(extracted: Extracted) -> None:
    if extracted.quality < QUALITY_REJECT:
        raise PhotographRefused(
            "poor-quality",
            f"The face is too unclear to be found again: quality {extracted.quality:.0f} of 100, not {QUALITY_REJECT:.0f}.",
            advice="Send a sharper, better lit photograph with the face turned to the camera and nothing covering it.",
            quality=round(extracted.quality, 1),
        )
