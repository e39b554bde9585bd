"""One encoder for all tests on faces: loading it takes longer than ten photographs."""

import pytest

from comity.adapters.onnx_faces import OnnxFaces


@pytest.fixture(scope="session")
def encoder() -> OnnxFaces:
    return OnnxFaces()
