"""The enrolment pipeline against the encoder alone, over the same photographs: a ratio of one run.

    python tests/bench/bench_enrol.py [--kafka local]

From the first byte to findable: ids and keys issued, photographs sealed, signed, checked, appended, opened again, encoded,
sealed, appended, admitted, put into Milvus and the resident scan. The encoder alone decodes, finds, aligns and encodes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from comity.adapters.onnx_faces import OnnxFaces
from comity.bootstrap import Exchange
from comity.cli import story_world as world
from comity.settings import Settings
from comity.wire.booking import Booking, sealed

ROUNDS = 3


def bookings(round_: int) -> Iterator[Booking]:
    """Yield one booking a person, three photographs each."""
    for person in range(1, world.PEOPLE + 1):
        yield world.booking(world.PINE, person, world.PHOTOGRAPHS, suffix=f"R{round_}")


def pipeline(exchange: Exchange, wanted: list[Booking]) -> float:
    """Return the seconds from the first byte until all can be found."""
    signer, began = exchange.keyring.signer(world.PINE), time.perf_counter()
    for booking in wanted:
        issued = exchange.enrol.prepare(booking.owner, booking.numbers(), booking.digests())
        event = sealed(booking, issued.record_id, issued.data_key, issued.indexes)
        exchange.enrol.submit(exchange.journal.entry(event, key=issued.record_id, signer=signer, source="bench"))
    if not exchange.settle(600):
        raise SystemExit("the pipeline did not settle")
    return time.perf_counter() - began


def alone(encoder: OnnxFaces, wanted: list[Booking]) -> float:
    """Return the seconds that the encoder alone takes."""
    began = time.perf_counter()
    for booking in wanted:
        for photograph in booking.photographs:
            encoder.open(photograph).extract(0)
    return time.perf_counter() - began


def main() -> None:
    """Measure in interleaved rounds and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kafka")
    kafka = parser.parse_args().kafka
    encoder = OnnxFaces()
    encoder.sessions()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home", kafka=kafka)
        with Exchange(settings, face_encoder=encoder) as exchange:
            exchange.register.agency(world.PINE, "Bench", "county", exchange.keyring.issue(world.PINE).public_bytes)
            ours = bare = photographs = records = 0.0
            for round_ in range(ROUNDS):
                wanted = list(bookings(round_))
                bare += alone(encoder, wanted)
                ours += pipeline(exchange, wanted)
                records, photographs = records + len(wanted), photographs + sum(len(b.photographs) for b in wanted)
    print(f"log: {kafka or 'sqlite'}; {records:.0f} records, {photographs:.0f} photographs in {ROUNDS} rounds, one process")
    print(f"pipeline / encoder alone   {ours / bare:5.2f} x the time")
    rate = f"{photographs / ours:.1f} photographs/s ({records / ours:.1f} records/s)"
    print(f"                           {rate}, alone {photographs / bare:.1f}")


if __name__ == "__main__":
    main()
