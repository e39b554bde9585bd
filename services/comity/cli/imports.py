"""Publishing many bookings from a CSV file: checked row by row, paced by the exchange, resumed by its report.

For each row, in this order: it is judged; sent; its receipt is reported; what became of it is asked and reported. What is
undecided is bounded, so that the encoder's pace is the import's (rule 12). A crash after sending and before the report sends
that row again: the exchange keeps the first of the two.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from comity.adapters.home import Home
from comity.cli import publishing
from comity.cli.connect import Api, connect
from comity.cli.context import State, state
from comity.cli.output import emit, errors, note, say, table
from comity.cli.report import DONE, REJECTED, SENT, SUPPRESSED, TAKEN, Report
from comity.cli.rows import COLUMNS, NEEDED, Refused, Row, Rows
from comity.cli.sign_in import no_home
from comity.client import Publisher
from comity.domain.roles import AGENCY_WRITER
from comity.errors import ComityError, Conflict, InvalidInput, NotFound, NotPermitted

app = typer.Typer()
UNDECIDED_MAX = 200  # sent and not yet admitted or rejected
STANDSTILL_SECONDS = 120.0  # without any news the rest is left for the next run
REFUSED_SHOWN_MAX = 1_000
ROWS_SHOWN_MAX = 30


@dataclass
class Tally:
    """What became of the rows."""

    rows: int = 0
    sent: int = 0
    skipped: int = 0
    admitted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    rejections: list[dict[str, Any]] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    refused: list[dict[str, Any]] = field(default_factory=list)
    waiting: int = 0

    def refuse(self, line: int, code: str, sentence: str) -> None:
        """Count a row that was not taken."""
        self.refusals[code] += 1
        if len(self.refused) < REFUSED_SHOWN_MAX:
            self.refused.append({"line": line, "reason": code, "advice": sentence})

    def decide(self, line: int, found: dict[str, Any]) -> None:
        """Count what became of a row that was sent."""
        if found["state"] == TAKEN:
            self.admitted += 1
            return
        reason = found.get("reason") or found["state"]
        self.rejected[reason] += 1
        if len(self.rejections) < REFUSED_SHOWN_MAX:
            self.rejections.append({"line": line, "reason": reason, "advice": found.get("advice")})

    @property
    def ok(self) -> bool:
        """Say whether nothing was refused or rejected."""
        return not self.refusals and not self.rejected


@app.command("import", epilog="Exit code 2 where rows were refused or rejected. Example: comity import bookings.csv --check")
def import_(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, readable=True, help="The CSV file, in UTF-8.", metavar="FILE")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Look at every row, and change nothing.")] = False,
    report: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Where to note what became of each row. [FILE.report.jsonl]")
    ] = None,
    columns: Annotated[bool, typer.Option("--columns", help="Print the columns that a file has.")] = False,
) -> None:
    """Publish many bookings from a CSV file; run it again and it goes on."""
    said = state(ctx)
    if columns:
        listed = [{"column": n, "required": n in NEEDED, "meaning": text} for n, text in COLUMNS.items()]
        shown = [(c["column"], "yes" if c["required"] else "", c["meaning"]) for c in listed]
        emit(said, listed, lambda: table("Columns", ("column", "required", "meaning"), shown))
        return
    if file is None:
        raise InvalidInput("No file was named.", advice="comity import FILE.csv")
    if not file.is_file():
        raise InvalidInput("That is no plain file.", advice="comity import FILE.csv")
    bookings, tally = Rows(file), Tally()
    path = report or file.with_name(f"{file.name}.report.jsonl")
    try:
        _check(said, bookings, tally) if check else _send(said, bookings, tally, path)
    except KeyboardInterrupt:
        if not said.json:
            _show(tally, path)
        note("Stopped. Run the same command again: it goes on from here.")
        raise
    answer = _answer(tally, file, None if check else path)
    emit(said, answer, lambda: _show(tally, None if check else path))
    if not tally.ok:
        raise typer.Exit(InvalidInput.exit_code)


def _check(said: State, bookings: Rows, tally: Tally) -> None:
    with _progress(said, bookings.count(), "Checking") as step:
        for row in bookings:
            _count(row, tally)
            step()


def _count(row: Row | Refused, tally: Tally) -> None:
    tally.rows += 1
    if isinstance(row, Refused):
        tally.refuse(row.line, row.code, row.sentence)


def _send(said: State, bookings: Rows, tally: Tally, path: Path) -> None:
    home = said.settings().home
    if not Home(home).is_made():
        raise no_home(home)
    with ExitStack() as stack:
        step = stack.enter_context(_progress(said, bookings.count(), "Importing"))
        report = stack.enter_context(Report(path, home))
        sender = Sender(said, home, report, tally, stack)
        for row in bookings:
            _count(row, tally)
            if isinstance(row, Refused):
                report.refuse(row.line, row.code, row.sentence)
            else:
                sender.take(row)
            step()
        sender.drain(0)
        tally.waiting = len(sender.undecided)


@dataclass
class Sender:
    """Sends rows, each for its own agency, and follows what becomes of them."""

    said: State
    home: Path
    report: Report
    tally: Tally
    stack: ExitStack
    undecided: deque[tuple[Row, str, Mapping[str, Any]]] = field(default_factory=deque)
    _agencies: dict[str, tuple[Api, Publisher] | ComityError] = field(default_factory=dict)

    def take(self, row: Row) -> None:
        """Send a row, unless an earlier run did; one that was rejected is sent again once its photographs are others."""
        before = self.report.states.get(row.digest, {})
        if before.get("state") in (SENT, *DONE) and not _is_mended(row, before):
            self.tally.skipped += 1
            if before["state"] == SENT:
                self.undecided.append((row, str(before["record_id"]), before["receipt"]))
            else:
                self.tally.decide(row.line, before)
            return
        booking = row.booking
        if self.report.stands(booking.owner, booking.booking_number, booking.version) is not None:
            self._refuse(row, "changed", "This row changed since it was sent: give the booking a higher version.")
            return
        self._publish(row)
        self.drain(UNDECIDED_MAX)

    def drain(self, most: int) -> None:
        """Ask what became of the oldest rows until at most so many are undecided, or nothing moves any more."""
        moved_at = time.monotonic()
        while len(self.undecided) > most and time.monotonic() - moved_at < STANDSTILL_SECONDS:
            row, record, receipt = self.undecided[0]
            api, _ = self._agency(row.booking.owner)
            found = publishing.standing(api, record, row.booking.version, receipt)
            if found["state"] == publishing.WAITING:
                time.sleep(publishing.POLL_SECONDS)
                continue
            self.undecided.popleft()
            self._decided(row, found)
            moved_at = time.monotonic()

    def _publish(self, row: Row) -> None:
        try:
            _, to = self._agency(row.booking.owner)
            photographs = _photographs(row)
            receipt = publishing.publish(to, replace(row.booking, photographs=photographs))
        except Conflict as error:  # an order covers it, or its key was destroyed by one
            self._decided(row, {"state": SUPPRESSED, "reason": error.kind, "advice": error.advice})
            return
        except (NotFound, NotPermitted) as error:  # this agency's rows cannot be sent from here; those of others can
            self._refuse(row, "agency", f"{error.message} {error.advice}")
            return
        except (InvalidInput, OSError) as error:
            sentence = error.message if isinstance(error, InvalidInput) else "A photograph cannot be read."
            self._refuse(row, "invalid", sentence)
            return
        self.tally.sent += 1
        place = {"topic": receipt.topic, "partition": receipt.partition, "position": receipt.position, "sha256": receipt.sha256}
        self.report.add(
            row.digest, **_names(row), state=SENT, record_id=receipt.record_id, receipt=place, photographs=_digest(photographs)
        )
        self.undecided.append((row, str(receipt.record_id), place))

    def _refuse(self, row: Row, code: str, sentence: str) -> None:
        self.tally.refuse(row.line, code, sentence)
        self.report.refuse(row.line, code, sentence)

    def _decided(self, row: Row, found: dict[str, Any]) -> None:
        self.tally.decide(row.line, found)
        self.report.add(row.digest, **_names(row), state=found["state"], reason=found["reason"], advice=found["advice"])

    def _agency(self, owner: str) -> tuple[Api, Publisher]:
        """Return an agency's way into the exchange. Raises NotFound or NotPermitted where it has none from here."""
        if owner not in self._agencies:
            self._agencies[owner] = self._opened(owner)
        found = self._agencies[owner]
        if isinstance(found, ComityError):
            raise found
        return found

    def _opened(self, owner: str) -> tuple[Api, Publisher] | ComityError:
        try:
            key = publishing.signer(self.home, owner)
            api = self.stack.enter_context(connect(self.said, AGENCY_WRITER, party=owner))
        except (NotFound, NotPermitted) as error:
            return error
        return api, self.stack.enter_context(publishing.publisher(api, key, owner))


def _photographs(row: Row) -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in row.photographs)


def _digest(photographs: tuple[bytes, ...]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(photograph).digest() for photograph in photographs)).hexdigest()


def _is_mended(row: Row, before: Mapping[str, Any]) -> bool:
    """Say whether the photographs of a row that was rejected are other bytes now, as its advice asked for."""
    if before["state"] != REJECTED or "photographs" not in before:
        return False
    try:
        return bool(_digest(_photographs(row)) != before["photographs"])
    except OSError:  # told where it is sent
        return False


def _names(row: Row) -> dict[str, object]:
    booking = row.booking
    return {"line": row.line, "agency": booking.owner, "booking": booking.booking_number, "version": booking.version}


@contextmanager
def _progress(said: State, total: int, what: str) -> Iterator[Any]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} a second"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors(), transient=True, disable=said.json) as bar:
        task, began = bar.add_task(what, total=total, rate="…"), time.monotonic()
        done = 0

        def step() -> None:
            nonlocal done
            done += 1
            bar.update(task, advance=1, rate=f"{done / max(time.monotonic() - began, 0.001):.1f}")

        yield step


def _answer(tally: Tally, file: Path, report: Path | None) -> dict[str, Any]:
    return {
        "file": str(file),
        "report": None if report is None else str(report),
        "rows": tally.rows,
        "sent": tally.sent,
        "skipped": tally.skipped,
        "admitted": tally.admitted,
        "rejected": dict(tally.rejected),
        "rejections": tally.rejections,
        "refusals": dict(tally.refusals),
        "refused": tally.refused,
        "waiting": tally.waiting,
    }


def _show(tally: Tally, report: Path | None) -> None:
    counts: list[tuple[str, object]] = [("rows", tally.rows)]
    if report is not None:
        counts += [("sent", tally.sent), ("done before", tally.skipped), ("admitted", tally.admitted)]
        counts += [(f"rejected: {reason}", n) for reason, n in sorted(tally.rejected.items())]
        counts += [("not decided yet", tally.waiting)] if tally.waiting else []
    counts += [(f"refused: {code}", n) for code, n in sorted(tally.refusals.items())]
    table("Import" if report else "Check", ("what", "rows"), counts)
    for title, rows, count in (
        ("Refused rows", tally.refused, tally.refusals.total()),
        ("Rejected rows", tally.rejections, tally.rejected.total()),
    ):
        if rows:
            table(title, ("line", "reason", "what to do"), [(r["line"], r["reason"], r["advice"]) for r in rows[:ROWS_SHOWN_MAX]])
        if count > ROWS_SHOWN_MAX:
            say(f"… and {count - ROWS_SHOWN_MAX} more.")
    if report is not None:
        say(f"What became of each row: {report}")
