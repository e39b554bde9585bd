"""The story that ``comity demo`` tells: every line of it is done for real, and checked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from comity.acts.search import SearchAnswer, SearchRequest
from comity.cli import story_world as w
from comity.cli.story_world import COURT, PINE, TRANSIT, World
from comity.domain.entries import IndexKind, RecordClass
from comity.domain.ids import Ori, RecordId, SearchId
from comity.domain.posting import Search
from comity.errors import ComityError, NotPermitted
from comity.wire.booking import record_class

REASON = "Warrant application 26-118, after the examiner's review"


@dataclass
class Teller:
    """Prints, and remembers what was checked in which chapter."""

    console: Console
    steps: list[dict[str, Any]] = field(default_factory=list)

    @property
    def failed(self) -> list[str]:
        """Return what did not hold."""
        checks = [check for step in self.steps for check in step["checks"]]
        return [check["what"] for check in checks if not check["held"]]

    def chapter(self, number: int, title: str) -> None:
        """Begin a chapter."""
        self.steps.append({"step": number, "title": title, "checks": []})
        self.console.rule(f"[bold]{number}. {title}", align="left")

    def check(self, truth: bool, sentence: str) -> None:
        """Print what was checked; a false one ends the demo with an error at its end."""
        mark, style = (Text("✓", "green"), "") if truth else (Text("✗", "bold red"), "bold red")
        line = Table.grid(padding=(0, 1, 0, 0))  # a column of its own for the sign: what is long hangs under its sentence
        line.add_row(" ", mark, Text(sentence, style))
        self.console.print(line)
        self.steps[-1]["checks"].append({"what": sentence, "held": bool(truth)})

    def say(self, sentence: str) -> None:
        """Print a sentence."""
        self.console.print(Padding(Text(sentence), (0, 0, 0, 2), expand=False))

    def table(self, title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        """Print a table."""
        self.console.print(Text(title, "italic"))  # not the table's own, which is folded to the table's width
        table = Table(*columns, header_style="bold")
        for row in rows:
            table.add_row(*row)
        self.console.print(table)


@dataclass
class Sealing:
    """What the sealing chapter leaves for the next ones."""

    record: RecordId
    search: SearchId
    answer: SearchAnswer
    request: SearchRequest


def enrol(teller: Teller, world: World) -> None:
    """1. Register, enrol through intake, and show what is refused, and why."""
    teller.chapter(1, "Five agencies and a court; thirty-one people who do not exist")
    w.register(world)
    teller.table(
        "registered, each with its own key",
        ("ORI", "agency", "class", "key"),
        [(o, n, k, world.exchange.keyring.signer(o).kid[:12] + "…") for o, (n, k) in w.AGENCIES.items()],
    )
    began, wanted = time.monotonic(), list(w.bookings())
    publishers = {ori: world.publisher(ori) for ori in w.AGENCIES}
    columns = (TextColumn("  enrolling"), BarColumn(), MofNCompleteColumn(), TextColumn("records"), TimeElapsedColumn())
    with Progress(*columns, console=teller.console, transient=not teller.console.is_terminal) as progress:
        for booking in progress.track(wanted):
            publisher = publishers[booking.owner]
            issued = publisher.prepare(booking)
            publisher.publish(booking)
            world.bookings[issued.record_id] = booking
    settled = world.exchange.settle(180)
    photographs, seconds = sum(len(b.photographs) for b in wanted), time.monotonic() - began
    teller.check(
        settled and len(world.exchange.gallery) == photographs,
        f"{len(wanted)} records, {photographs} photographs: face found → template → ledger and gallery, "
        f"{photographs / seconds:.0f} photographs a second from first byte to findable",
    )
    _refusals(teller, world)
    for publisher in publishers.values():
        publisher.close()


def _refusals(teller: Teller, world: World) -> None:
    exchange, rows = world.exchange, []
    with world.publisher(PINE) as publisher:
        for what, photograph in (("a photograph of a wall", w.wall()), ("a photograph of two people", w.two_faces())):
            odd = replace(w.booking(PINE, 2, (), suffix=what[-4:]), photographs=(photograph,))
            record = publisher.prepare(odd).record_id
            publisher.publish(odd)
            exchange.settle(30)
            (rejection,) = exchange.rejections.of(PINE, record)
            rows.append((what, "encoder", rejection.reason, rejection.advice))
        rows.append(("an applicant's photograph", "intake", *_refused(lambda: record_class("applicant"))))
    with world.publisher(w.STATE) as publisher:
        foreign = w.booking(w.LAKESIDE, 5, ("1.jpg",), suffix="X")
        rows.append(("another agency's record", "intake", *_refused(lambda: publisher.publish(foreign))))
    teller.table("refused, each with its reason", ("what", "by", "reason", "what its sender reads"), rows)
    teller.check(len(rows) == 4 and all(row[2] for row in rows), "nothing of these is in the gallery")  # noqa: PLR2004


def _refused(act: Callable[[], object]) -> tuple[str, str]:
    try:
        act()
    except ComityError as error:
        return error.kind, f"{error.message} {error.advice}"
    return "", "it was taken"


def request(world: World, *, who: str = "investigator@pine", purpose: str = "criminal-investigation") -> SearchRequest:
    """Return the investigator's search: structured and complete (R23)."""
    person = world.people[who]
    agency = PINE if who.endswith("pine") else TRANSIT
    return SearchRequest(
        agency, person.user_id, w.probe(), purpose, "reasonable-suspicion", "burglary", "Sgt. Okafor 4471", "PC-26-0456"
    )


def search(teller: Teller, world: World) -> SearchAnswer:
    """2. Grants, a search, a refused purpose."""
    teller.chapter(2, "Grants between some of them; an investigator searches")
    expires = datetime.now(UTC) + timedelta(days=90)
    for owner, grantee in w.GRANTS:
        with world.publisher(owner) as publisher:
            publisher.grant(
                grantee,
                classes=[RecordClass.BOOKING],
                purposes=["criminal-investigation", "serious-crime"],
                rights=["search", "view", "reveal"],
                expires_at=expires,
                in_return="the same",
            )
    granted = [(w.AGENCIES[o][0], w.AGENCIES[g][0], "90 days") for o, g in w.GRANTS]
    teller.table("who may search whose bookings", ("owner", "grantee", "for"), granted)
    answer = world.exchange.search(request(world))
    candidates(teller, world, answer, "Pine County's candidates for a CCTV still")
    names = {_name(world, answer, rank) for rank in (0, 1)}
    teller.check(len(names) == 1 and len(answer.candidates) > 1, "the first two are two bookings of one person, at two agencies")
    kind, why = _refused(lambda: world.exchange.search(request(world, purpose="immigration-enforcement")))
    teller.check(kind == NotPermitted.kind, f"the purpose 'immigration-enforcement' is refused: {why}")
    return answer


def candidates(teller: Teller, world: World, answer: SearchAnswer, title: str) -> None:
    """Print a candidate list as an investigator sees it, and whose picture it is in brackets, which no investigator sees."""
    rows = [
        (str(c.rank), f"{c.score:.4f}", w.AGENCIES[Ori(c.owner)][0], c.candidate[:12] + "…", f"({_name(world, answer, n)})")
        for n, c in enumerate(answer.candidates)
    ]
    teller.table(title, ("rank", "score", "agency", "candidate", "(the demo knows)"), rows or [("-", "", "no candidate", "", "")])


def records_of(world: World, answer: SearchAnswer) -> list[RecordId]:
    """Return the records behind an answer's candidates, which the exchange alone can tell."""
    kept = world.exchange.searches.open(answer.search_id, _requester(world, answer))
    by_commitment = {p.commitment.hex(): p.candidate.record_id for p in kept.proposed}
    return [by_commitment[c.candidate] for c in answer.candidates]


def _requester(world: World, answer: SearchAnswer) -> str:
    world.exchange.watch.wait(answer.place + 1, 10)
    return world.exchange.ledger.rows(Search, search_id=answer.search_id)[-1].requester


def _name(world: World, answer: SearchAnswer, rank: int) -> str:
    if rank >= len(answer.candidates):
        return ""
    return (world.bookings[records_of(world, answer)[rank]].name or "").removesuffix(" (does not exist)")


def stranger(teller: Teller, world: World) -> None:
    """3. An agency without a grant gets nothing, and cannot tell why."""
    teller.chapter(3, "An agency without a grant")
    nothing = world.exchange.search(request(world, who="investigator@transit"))
    others = [c for c in nothing.candidates if c.owner != TRANSIT]
    own = f"{len(nothing.candidates)} of its own, no more" if nothing.candidates else "no candidate"
    teller.check(not others, f"North Transit, same picture, same purpose: {own}")
    absent = replace(request(world, who="investigator@transit"), probe=w.probe("p10-1.jpg"))
    other = world.exchange.search(absent)
    shape = [(a.model, a.score_floor, [c for c in a.candidates if c.owner != TRANSIT]) for a in (nothing, other)]
    teller.check(shape[0] == shape[1], "not granted and not there give the same answer")


def reveal(teller: Teller, world: World, answer: SearchAnswer) -> None:
    """4. An examiner reviews; identity is revealed, with a reason."""
    teller.chapter(4, "A second person looks; then one identity is revealed")
    examine, first = world.exchange.examine, answer.candidates[0].candidate
    investigator, examiner = world.people["investigator@pine"].user_id, world.people["examiner@pine"].user_id
    kind, why = _refused(lambda: examine.reveal(answer.search_id, first, PINE, investigator, REASON))
    teller.check(kind == NotPermitted.kind, f"before a review: {why}")
    review = examine.review(answer.search_id, first, PINE, examiner, "possible", "ear, scar over the left brow")
    revealed = examine.reveal(answer.search_id, first, PINE, investigator, REASON)
    shown = revealed.particulars
    teller.say(f"review at position {review.place}: {review.finding}; reveal at {revealed.place}: {shown['name']}, "
               f"booking {shown['booking_number']}, {w.AGENCIES[Ori(revealed.owner)][0]}")  # fmt: skip
    teller.check(review.place < revealed.place, "each took its own place in the journal, and bears a reason")


@dataclass
class Ceaseless:
    """Searches without pause, in a thread of its own."""

    world: World
    answers: list[tuple[float, SearchAnswer]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End after the search in hand."""
        self.stop.set()
        self._thread.join()

    def _run(self) -> None:
        asked = request(self.world)
        while not self.stop.is_set():
            answer = self.world.exchange.search(asked)
            self.answers.append((time.monotonic(), answer))

    def wait(self, count: int) -> None:
        """Wait for so many answers more."""
        goal, deadline = len(self.answers) + count, time.monotonic() + 30
        while len(self.answers) < goal and time.monotonic() < deadline:
            time.sleep(0.002)


def seal(teller: Teller, world: World, answer: SearchAnswer) -> Sealing:
    """5. A clerk seals the top candidate's record while searches run on."""
    teller.chapter(5, "A clerk seals the first candidate's record, while searches run on")
    exchange, record = world.exchange, records_of(world, answer)[0]
    booking = world.bookings[record]
    numbers = {IndexKind.COURT_CASE: booking.court_case or ""}
    clerk = world.clerk
    preview = exchange.seal.preview("seal", "ny-cpl-160.50", numbers, None, **clerk)
    per = ", ".join(f"{w.AGENCIES[Ori(o)][0]}: {n}" for o, n in preview.per_agency.items())
    teller.say(f"court case {booking.court_case}, New York CPL 160.50 → {preview.mode}; it covers {per}")
    with Ceaseless(world) as searching:
        searching.wait(3)
        pressed = time.monotonic()
        receipt = exchange.seal.press(preview.token, exchange.keyring.signer(COURT), **clerk)
        receipted = time.monotonic()
        searching.wait(4)
    before = [(t, a) for t, a in searching.answers if a.place < receipt.position][-1]
    after = next((t, a) for t, a in searching.answers if a.place > receipt.position)
    _race(teller, world, (before, after), receipt.position, (pressed, receipted))
    late = [a for _, a in searching.answers if a.place > receipt.position and record in records_of(world, a)]
    teller.check(not late, f"of {len(searching.answers)} searches without pause none after position {receipt.position} holds it")
    clean = after[1]
    wanted = [c.score for c in answer.candidates[1:]]
    teller.check(
        [c.score for c in clean.candidates[: len(wanted)]] == wanted, "the next candidate stands in its place, same score"
    )
    other = {world.bookings[r].name for r in records_of(world, clean)}
    teller.check(booking.name in other, "the same person's other booking is still found: the unit of sealing is the record")
    _beside_milvus(teller, world, clean, record)
    return Sealing(record, answer.search_id, clean, request(world))


def _race(
    teller: Teller, world: World, around: tuple[tuple[float, SearchAnswer], ...], order: int, times: tuple[float, float]
) -> None:
    (_, before), (answered, after) = around
    pressed, receipted = times
    rows = [
        ("search", str(before.place), "", _name(world, before, 0) + f", {before.candidates[0].score:.4f}"),
        ("seal", str(order), f"press → receipt {1e3 * (receipted - pressed):.1f} ms", ""),
        ("search", str(after.place), f"press → answer {1e3 * (answered - pressed):.1f} ms",
         _name(world, after, 0) + f", {after.candidates[0].score:.4f}"),
    ]  # fmt: skip
    teller.table("one journal, one order", ("act", "position", "time", "first candidate"), rows)


def _beside_milvus(teller: Teller, world: World, clean: SearchAnswer, sealed: RecordId) -> None:
    vector = world.exchange.encoder.open(w.probe()).extract(0).vector
    raw = world.exchange.store.nearest(vector, 4)
    ours = dict(enumerate(records_of(world, clean)))
    rows = []
    for n, (record, score) in enumerate(raw):
        mark = " ← sealed" if record == sealed else ""
        theirs = f"{record[:8]}… {score:.4f}{mark}"
        mine = f"{ours[n][:8]}… {clean.candidates[n].score:.4f}" if n in ours else "-"
        rows.append((str(n + 1), theirs, mine))
    teller.table("the gallery proposes, the ledger disposes", ("rank", "raw Milvus collection", "comity's answer"), rows)
    teller.check(sealed in {r for r, _ in raw}, "Milvus still proposes the sealed template: safety does not rest on it")
