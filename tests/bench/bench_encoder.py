"""How much the encoder adds to its two networks: ``.venv/bin/python tests/bench/bench_encoder.py``.

Photographs per second of the whole encoder (bytes to template) against the bare onnxruntime sessions over the same
photographs: the detector, its second look, and the recogniser, on tensors prepared beforehand. The two take turns,
photograph by photograph, so that a busy machine slows both alike. Exits 1 where the ratio is below its bound.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from comity.adapters import images
from comity.adapters.onnx_faces import OnnxFaces, Sessions, Tensor, detector_tensor, recogniser_tensor

RATIO_MIN = 0.9
ROUNDS = 5
PHOTOGRAPHS = 31
PEOPLE = Path(__file__).parents[2] / "infra" / "demo" / "people"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the networks are given for one photograph."""

    whole: Tensor
    upright: Tensor
    aligned: Tensor


def prepare(encoder: OnnxFaces, photograph: bytes) -> Prepared:
    """Return the very tensors that the encoder makes on its way."""
    picture = encoder.open(photograph)
    whole = detector_tensor(images.decode(photograph).image)
    return Prepared(whole, detector_tensor(picture.upright()), recogniser_tensor(picture.aligned()))


def run_bare(sessions: Sessions, prepared: Prepared) -> None:
    """Run the networks and nothing else."""
    sessions.detector.run(None, {"input": prepared.whole})
    sessions.detector.run(None, {"input": prepared.upright})
    sessions.recogniser.run(None, {"data": prepared.aligned})


def seconds(work: Callable[[], object]) -> float:
    """Return how long the work takes."""
    began = perf_counter()
    work()
    return perf_counter() - began


def main() -> int:
    """Measure and print; return the exit status."""
    encoder = OnnxFaces()
    sessions = encoder.sessions()
    photographs = [(PEOPLE / f"p{person:02d}" / "1.jpg").read_bytes() for person in range(1, PHOTOGRAPHS + 1)]
    prepared = [prepare(encoder, photograph) for photograph in photographs]
    ratios = []
    print("round  encoder/s  bare/s  ratio")
    for turn in range(1, ROUNDS + 1):
        whole = bare = 0.0
        for photograph, tensors in zip(photographs, prepared, strict=True):
            whole += seconds(lambda photograph=photograph: encoder.open(photograph).extract())  # type: ignore[misc]
            bare += seconds(lambda tensors=tensors: run_bare(sessions, tensors))  # type: ignore[misc]
        ratios.append(bare / whole)
        print(f"{turn:5}  {PHOTOGRAPHS / whole:9.1f}  {PHOTOGRAPHS / bare:6.1f}  {ratios[-1]:5.3f}")
    print(f"median ratio {median(ratios):.3f}, at least {RATIO_MIN} wanted; one thread, {PHOTOGRAPHS} photographs a round")
    return 0 if median(ratios) >= RATIO_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
