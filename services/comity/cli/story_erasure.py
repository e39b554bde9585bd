"""The story's second half: erasure, every way back, and what cannot be reached."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from comity.acts.search import SearchAnswer
from comity.acts.searches import REVEALED
from comity.bootstrap import Exchange
from comity.cli import story_world as w
from comity.cli.story import Sealing, Teller, records_of
from comity.cli.story_world import COURT, World
from comity.client.publisher import Publisher
from comity.domain.entries import ErasureCertified, IndexKind
from comity.domain.ids import RecordId
from comity.domain.log import JOURNAL
from comity.domain.posting import Certificate
from comity.serving import Server
from comity.wire.booking import Booking
from comity.wire.envelope import from_entry

SUPPRESSED = "suppressed"  # as an agency reads it
COPY = "gallery-copy"  # beside the home, so that the erasure's scan does not count it among the exchange's own files
SETTLE_SECONDS = 120.0
ROWS_SHOWN = 8


@dataclass
class Running:
    """The exchange and its server, which the story stops and starts again."""

    open: Callable[[], Exchange]
    world: World
    port: int

    def restart(self, meanwhile: Callable[[Path], None]) -> None:
        """Stop everything, let something happen to the files, and start again on the same home."""
        self.stop()
        meanwhile(self.world.exchange.home.root)
        self.start()

    def start(self) -> None:
        """Start the exchange and its server."""
        exchange = self.open()
        try:
            exchange.start()
            self.world.exchange = exchange
            self.world.server = Server(exchange, port=self.port).__enter__()
        except BaseException:
            exchange.stop()
            raise

    def stop(self) -> None:
        """Stop both."""
        self.world.server.__exit__(None, None, None)
        self.world.exchange.stop()


def copy_gallery(running: Running) -> Path:
    """Keep an old copy of the gallery aside, as a backup would be."""
    aside = running.world.exchange.home.root.parent / f"{running.world.exchange.home.root.name}-{COPY}"
    shutil.rmtree(aside, ignore_errors=True)
    running.restart(lambda home: _ignore(shutil.copytree(home / "gallery.db", aside)))
    return aside


def expunge(teller: Teller, world: World, sealing: Sealing) -> None:
    """6. Expunge: the key shredded, the template gone, every file scanned before and after."""
    teller.chapter(6, "The record is expunged: scanned before, scanned after")
    exchange, booking = world.exchange, world.bookings[sealing.record]
    fingerprints = exchange.purge.fingerprints([sealing.record])
    before = exchange.purge.scan(fingerprints)
    numbers = {IndexKind.COURT_CASE: booking.court_case or ""}
    clerk = world.clerk
    preview = exchange.seal.preview("expunge", "wi-165.84", numbers, None, **clerk)
    pressed = time.monotonic()
    receipt = exchange.seal.press(preview.token, exchange.keyring.signer(COURT), **clerk)
    while not exchange.ledger.rows(Certificate, order_id=receipt.order_id) and time.monotonic() - pressed < SETTLE_SECONDS:
        time.sleep(0.05)
    seconds = time.monotonic() - pressed
    after = exchange.purge.scan(fingerprints)
    found = {kind: (len(before.found.get(kind, ())), len(after.found.get(kind, ()))) for kind in fingerprints}
    teller.table(
        f"files that hold its bytes, of {before.files} ({before.bytes / 1e6:.0f} MB) before and {after.files} after",
        ("what", "before", "after"),
        [(kind, str(b), str(a)) for kind, (b, a) in found.items()],
    )
    teller.check(all(b > 0 for b, _ in found.values()), "before: template, ciphertexts and wrapped key were all found")
    teller.check(after.clean, f"after: none of them, in any file; press → certified {seconds:.1f} s")
    certificate = _certificate(world, receipt.order_id)
    if certificate is not None:
        erased = f"{certificate.keys_shredded} key shredded, {certificate.templates_erased} templates erased"
        teller.say(f"ErasureCertified: {erased}; not scanned: {'; '.join(certificate.not_scanned)}")


def _certificate(world: World, order_id: str) -> ErasureCertified | None:
    rows = world.exchange.ledger.rows(Certificate, order_id=order_id)
    if not rows:
        return None
    with world.exchange.log.open({JOURNAL: rows[0].entered}) as reader:
        batch = reader.poll(timeout_seconds=5, entries_max=1)[JOURNAL]
    event = from_entry(batch.entries[0].entry).event
    return event if isinstance(event, ErasureCertified) else None


def ways_back(teller: Teller, running: Running, sealing: Sealing, old_copy: Path) -> None:
    """7. Every way back: re-sent, under another number, an old gallery, a replay from zero."""
    teller.chapter(7, "Every way back")
    world, booking = running.world, running.world.bookings[sealing.record]
    with world.publisher(booking.owner) as publisher:
        told = _told(world, publisher, booking)
        teller.check(told == SUPPRESSED, f"the enrolment re-sent: {told}")
        renamed = replace(booking, booking_number=f"{booking.booking_number}-NEW", court_case=None, atn=None)
        told = _told(world, publisher, renamed)
        teller.check(told == SUPPRESSED, f"the same photographs under another booking number: {told}")
    _same(teller, world, sealing, "the answer is the same")
    running.restart(lambda home: _put_back(home, old_copy))
    teller.say("an old copy of the gallery, made before, was put back; the exchange started on it")
    _same(teller, world, sealing, "the answer is the same")
    held = {template.record_id for batch in world.exchange.store.all() for template in batch}
    teller.check(sealing.record not in held, "and the erasure was done again on the old copy")
    running.restart(_forget_views)
    settled = world.exchange.settle(SETTLE_SECONDS)
    teller.check(settled, f"the log replayed from zero into fresh views: {world.exchange.watch.position} entries of the journal")
    _same(teller, world, sealing, "the answer is the same")
    findings = world.exchange.fsck()
    teller.check(not findings, "fsck: every view says what the journal says" + "".join(f"; {f.what}" for f in findings))


def _told(world: World, publisher: Publisher, booking: Booking) -> str:
    """Return what its agency reads of an enrolment once it was decided."""
    receipt = publisher.publish(booking)
    world.exchange.settle(SETTLE_SECONDS)
    return str(publisher.standing(RecordId(receipt.record_id or ""), receipt)["state"])


def _same(teller: Teller, world: World, sealing: Sealing, sentence: str) -> None:
    answer = world.exchange.search(sealing.request)
    teller.check(_essence(world, answer) == _essence(world, sealing.answer), f"{sentence} (search at position {answer.place})")


def _essence(world: World, answer: SearchAnswer) -> list[tuple[str, float, str]]:
    return [(record, c.score, c.owner) for record, c in zip(records_of(world, answer), answer.candidates, strict=True)]


def _put_back(home: Path, old_copy: Path) -> None:
    shutil.rmtree(home / "gallery.db")
    shutil.copytree(old_copy, home / "gallery.db")


def _forget_views(home: Path) -> None:
    for view in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (home / view).unlink(missing_ok=True)
    shutil.rmtree(home / "gallery.db")


def _ignore(_: object) -> None:
    return


def unreachable(teller: Teller, world: World, sealing: Sealing) -> None:
    """8. What comity could not reach: who was shown the record before."""
    teller.chapter(8, "What no order can take back")
    names = {str(person.user_id): name for name, person in world.people.items()}
    shown = world.exchange.exposures(sealing.record)
    rows = [(str(x.place), x.what, names.get(x.user, x.user), w.AGENCIES[x.requester][0], x.purpose, str(x.rank)) for x in shown]
    few = len(rows) <= ROWS_SHOWN
    teller.table(
        f"disclosed before the seal, {len(rows)} times" + ("" if few else "; the first and the last of them"),
        ("position", "what", "to", "of", "purpose", "rank"),
        rows if few else [*rows[: ROWS_SHOWN // 2], *rows[-ROWS_SHOWN // 2 :]],
    )
    teller.say("What was printed, photographed or copied then is out of reach: comity can name whom to ask, and no more.")
    revealed = any(x.what == REVEALED for x in shown)
    teller.check(revealed and len(rows) > 1, "the journal names every disclosure of the record, and the reveal")
