"""The encoder on 31 people who do not exist: ranks and loose bounds, since rendered faces say nothing about real ones."""

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from comity.acts.one_face import deserves_warning, exactly_one_face
from comity.adapters import onnx_faces
from comity.adapters.onnx_faces import OnnxFaces
from comity.errors import PhotographRefused
from comity.ports import Extracted, FaceEncoder, Picture
from faces.accuracy import rank_1

PEOPLE = Path(__file__).parents[2] / "infra" / "demo" / "people"
FIRST = (PEOPLE / "p01" / "1.jpg").read_bytes()


@dataclass(frozen=True)
class Photographed:
    file: str
    person: str
    kind: str
    faces: int
    extracted: Extracted


@pytest.fixture(scope="module")
def photographed(encoder: OnnxFaces) -> list[Photographed]:
    with (PEOPLE / "manifest.csv").open(encoding="utf-8", newline="") as manifest:
        rows = list(csv.DictReader(manifest))
    pictures = [encoder.open((PEOPLE / row["file"]).read_bytes()) for row in rows]
    return [
        Photographed(row["file"], row["person"], row["kind"], len(picture.faces), picture.extract())
        for row, picture in zip(rows, pictures, strict=True)
    ]


def resaved(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=95, **options)
    return buffer.getvalue()


def first() -> Image.Image:
    return Image.open(io.BytesIO(FIRST))


def similarity(one: Extracted, other: Extracted) -> float:
    return float(one.vector @ other.vector)


def test_exactly_one_face_is_found_in_every_photograph(photographed: list[Photographed]) -> None:
    assert [shot.file for shot in photographed if shot.faces != 1] == []
    assert len(photographed) == 144


@pytest.mark.parametrize(("kind", "probes"), [("photo", 93), ("probe", 20)])
def test_everybody_is_found_at_rank_1(photographed: list[Photographed], kind: str, probes: int) -> None:
    gallery = {shot.person: shot.extracted.vector for shot in photographed if shot.file.endswith("/1.jpg")}
    others = [(s.person, s.extracted.vector) for s in photographed if s.kind == kind and not s.file.endswith("/1.jpg")]
    assert rank_1(gallery, others) == (probes, probes)


def test_booking_photographs_are_good_enough_to_enrol(photographed: list[Photographed]) -> None:
    assert not [shot.file for shot in photographed if shot.kind == "photo" and deserves_warning(shot.extracted)]


def test_a_template_is_normalised_frozen_and_of_the_named_model(photographed: list[Photographed], encoder: FaceEncoder) -> None:
    extracted = photographed[0].extracted
    assert extracted.vector.shape == (128,)
    assert extracted.vector.dtype == np.float32
    assert abs(np.linalg.norm(extracted.vector) - 1) < 1e-6
    assert not extracted.vector.flags.writeable
    assert extracted.model == encoder.model == "sface-2021dec-fp32/1"


def test_the_same_bytes_give_the_same_template(encoder: OnnxFaces) -> None:
    assert (encoder.open(FIRST).extract().vector == encoder.open(FIRST).extract().vector).all()


def test_many_threads_get_what_one_gets(encoder: OnnxFaces) -> None:
    files = [PEOPLE / f"p{person:02d}" / "1.jpg" for person in range(1, 7)] * 2
    alone = [encoder.open(file.read_bytes()).extract().vector for file in files]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda file: OnnxFaces.open(encoder, file.read_bytes()).extract().vector, files))
    assert all((a == b).all() for a, b in zip(alone, together, strict=True))


def test_a_photograph_on_its_side_gives_nearly_the_same_template(encoder: OnnxFaces) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoder.open(resaved(first().transpose(Image.Transpose.ROTATE_90), exif=exif.tobytes()))
    upright = encoder.open(FIRST)
    assert turned.size == upright.size == (480, 600)
    assert np.allclose(turned.faces[0].box, upright.faces[0].box, atol=4)
    assert similarity(turned.extract(), upright.extract()) > 0.97


@pytest.mark.parametrize("times", [2, 6])
def test_a_large_photograph_gives_nearly_the_same_template(encoder: OnnxFaces, times: int) -> None:
    upright = encoder.open(FIRST)
    large = encoder.open(resaved(first().resize((480 * times, 600 * times), Image.Resampling.BICUBIC)))
    assert large.size == (480 * times, 600 * times)
    assert np.allclose(np.array(large.faces[0].box) / times, upright.faces[0].box, atol=4)
    assert similarity(large.extract(), upright.extract()) > 0.95


def test_a_small_face_in_a_large_photograph_is_seen_in_full_detail(encoder: OnnxFaces) -> None:
    wide = Image.new("RGB", (3000, 2000), (120, 120, 130))
    wide.paste(first().crop((90, 80, 390, 480)).resize((225, 300), Image.Resampling.BICUBIC), (1500, 900))
    picture = encoder.open(resaved(wide))
    assert len(picture.faces) == 1
    assert similarity(picture.extract(), encoder.open(FIRST).extract()) > 0.9


def test_a_group_is_refused_and_its_faces_come_largest_first(encoder: OnnxFaces) -> None:
    group = Image.new("RGB", (900, 600), (130, 130, 130))
    with Image.open(PEOPLE / "p02" / "1.jpg") as second:
        group.paste(second.resize((240, 300)), (600, 200))
    group.paste(first(), (20, 0))
    picture = encoder.open(resaved(group))
    areas = [face.box[2] * face.box[3] for face in picture.faces]
    assert len(areas) == 2
    assert areas == sorted(areas, reverse=True)
    assert refusal(picture) == "several-faces"
    assert similarity(picture.extract(0), encoder.open(FIRST).extract()) > 0.9


def test_a_picture_without_a_face_is_refused(encoder: OnnxFaces) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    assert refusal(encoder.open(resaved(Image.fromarray(noise)))) == "no-face"


def test_a_face_of_few_pixels_is_refused(encoder: OnnxFaces) -> None:
    assert refusal(encoder.open(resaved(first().resize((96, 120))))) == "face-too-small"


def test_a_face_that_does_not_exist_cannot_be_extracted(encoder: OnnxFaces) -> None:
    with pytest.raises(IndexError):
        encoder.open(FIRST).extract(1)


def test_thresholds_on_the_norm_are_those_on_the_quality() -> None:
    assert onnx_faces.quality_of(onnx_faces.NORM_REJECT) == pytest.approx(26.7, abs=0.05)
    assert onnx_faces.quality_of(onnx_faces.NORM_WARN) == pytest.approx(44.0, abs=0.05)
    assert (onnx_faces.quality_of(3.0), onnx_faces.quality_of(30.0)) == (0.0, 100.0)


def test_nothing_of_a_face_is_shown(encoder: OnnxFaces) -> None:
    picture = encoder.open(FIRST)
    assert "vector" not in repr(picture.extract())
    assert "array" not in repr(picture)


def refusal(picture: Picture) -> str:
    with pytest.raises(PhotographRefused) as caught:
        exactly_one_face(picture)
    return caught.value.reason
