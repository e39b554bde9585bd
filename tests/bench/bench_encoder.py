"""How much the encoder adds to its two networks: ``.venv/bin/python tests/bench/bench_encoder.py``.

Photographs per second of the whole encoder (bytes to template) against the bare onnxruntime sessions over the same
photographs: the detector, its second look, and the recogniser, on tensors prepared beforehand. The two take turns,
photograph by photograph, so that a busy machine slows both alike; the ratio is that of each photograph's least disturbed
round. Exits 1 where it is below its bound.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
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


def encode(encoder: OnnxFaces, photograph: bytes) -> None:
    """Go the whole way from a file's bytes to a template."""
    encoder.open(photograph).extract()


def report(name: str, whole: float, bare: float) -> float:
    """Print one line of the table and return the ratio."""
    print(f"{name:>5}  {PHOTOGRAPHS / whole:9.1f}  {PHOTOGRAPHS / bare:6.1f}  {bare / whole:5.3f}")
    return bare / whole


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
    whole = [[0.0] * PHOTOGRAPHS for _ in range(ROUNDS)]
    bare = [[0.0] * PHOTOGRAPHS for _ in range(ROUNDS)]
    print("round  encoder/s  bare/s  ratio")
    for turn in range(ROUNDS):
        for index, photograph in enumerate(photographs):
            whole[turn][index] = seconds(partial(encode, encoder, photograph))
            bare[turn][index] = seconds(partial(run_bare, sessions, prepared[index]))
        report(str(turn + 1), sum(whole[turn]), sum(bare[turn]))
    ratio = report("best", sum(map(min, *whole)), sum(map(min, *bare)))
    print(f"at least {RATIO_MIN} wanted; one thread, {PHOTOGRAPHS} photographs of 480x600 a round")
    return 0 if ratio >= RATIO_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
