"""The encoder on a few real faces; all of them are measured by ``make faces``."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from comity.adapters.onnx_faces import OnnxFaces
from faces.accuracy import encode, faces_folder, lfw_folds, lfw_photograph, measure_orl

pytestmark = pytest.mark.faces

PAIRS_OF_EACH_KIND = 40


@pytest.fixture(scope="module")
def folder() -> Path:
    """Return the folder of photographs: not named skips, named and absent fails."""
    found = faces_folder()
    if found is None:
        pytest.skip("COMITY_TEST_FACES is not set: real faces cannot be shipped with the project")
    return found


def test_pairs_of_one_person_and_of_two_are_told_apart(encoder: OnnxFaces, folder: Path) -> None:
    with zipfile.ZipFile(folder / "lfw-folds-1-5.zip") as archive:
        fold = lfw_folds(archive)[0]
        pairs = [pair for same in (True, False) for pair in [p for p in fold if p.same is same][:PAIRS_OF_EACH_KIND]]
        names = sorted({name for pair in pairs for name in (pair.first, pair.second)})
        found = encode(encoder, ((name, lfw_photograph(archive.read(name))) for name in names))
    assert found.missed == []
    scores = np.array([found.vectors[pair.first] @ found.vectors[pair.second] for pair in pairs])
    errors = int(np.sum((scores >= 0.36) != np.array([pair.same for pair in pairs])))
    assert errors <= 2, "0.6 % are expected at this threshold"


def test_everybody_among_ten_is_found_at_rank_1(encoder: OnnxFaces, folder: Path) -> None:
    rank, found = measure_orl(encoder, folder, people=10)
    assert found.missed == []
    assert rank == 1.0


def test_a_folder_that_is_named_and_absent_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COMITY_TEST_FACES", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="COMITY_TEST_FACES"):
        faces_folder()


def test_a_folder_that_is_not_named_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMITY_TEST_FACES", raising=False)
    assert faces_folder() is None
