"""One running exchange for a file of tests: starting it takes longer than most of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from builders import House
from builders import house as run_house
from comity.adapters.onnx_faces import OnnxFaces


@pytest.fixture(scope="session")
def encoder() -> OnnxFaces:
    return OnnxFaces()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, encoder: OnnxFaces) -> Iterator[House]:
    with run_house(tmp_path_factory.mktemp("home"), encoder) as running:
        yield running
