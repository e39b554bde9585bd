"""Orders: a clerk sees what one would cover, confirms, and holds the receipt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from comity.cli import files
from comity.cli.connect import INTAKE, Api, connect, only
from comity.cli.context import State, state
from comity.cli.output import emit, moment, note, say, table
from comity.cli.receipts import path_of
from comity.domain.policy import MODES
from comity.domain.roles import CLERK
from comity.errors import InvalidInput

app = typer.Typer()
DOCUMENT_BYTES_MAX = 10 * 1024 * 1024
SEAL, PROVISIONAL, EXPUNGE = "seal", "provisional", "expunge"
KIN = "kin: shares a number or a photograph"

Court = Annotated[str, typer.Option(help="The court's id (or the owning agency's ORI) that orders it.", metavar="ID")]
StatuteName = Annotated[str, typer.Option(help="The statute; `comity policy` lists them. The mode follows from it.")]
Booking = Annotated[str | None, typer.Option(help="Find by booking number; --agency too.", metavar="NUMBER")]
Agency = Annotated[str | None, typer.Option(help="The agency that the booking number belongs to.", metavar="ORI")]
CourtCase = Annotated[str | None, typer.Option(help="Find by court case number.", metavar="NUMBER")]
Atn = Annotated[str | None, typer.Option(help="Find by arrest tracking number.", metavar="NUMBER")]
Until = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="A provisional seal's last day; it lapses by itself after it.", metavar="DAY"),
]
Yes = Annotated[bool, typer.Option("--yes", help="Enter it without asking.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what it would cover, and enter no order.")]


@dataclass(frozen=True, slots=True)
class Numbers:
    """The number that a clerk finds records by."""

    booking: str | None
    agency: str | None
    court_case: str | None
    atn: str | None

    def body(self) -> dict[str, str]:
        """Return the number as the preview takes it. Raises InvalidInput unless there is exactly one."""
        if not only((self.booking, self.court_case, self.atn)) or (self.booking is None) is not (self.agency is None):
            raise InvalidInput(
                "An order finds its records by one number.",
                advice="Give --booking with --agency, or --court-case, or --atn.",
            )
        named = {"booking_number": self.booking, "agency": self.agency, "court_case": self.court_case, "atn": self.atn}
        return {name: number for name, number in named.items() if number is not None}

    def typed(self) -> str:
        """Return the number itself."""
        return self.booking or self.court_case or self.atn or ""


@dataclass(frozen=True, slots=True)
class Done:
    """An order's receipt; and of one that was entered before, how it stands now: it may have ended since."""

    receipt: dict[str, Any]
    now: str | None


@app.command(epilog="Example: comity find --court milwaukee-circuit-court --court-case 2026CF000417")
def find(
    ctx: typer.Context,
    court: Court,
    booking: Booking = None,
    agency: Agency = None,
    court_case: CourtCase = None,
    atn: Atn = None,
) -> None:
    """Show which records a number finds, and where each stands; that you looked is entered, and no order."""
    numbers = Numbers(booking, agency, court_case, atn)
    numbers.body()
    with connect(state(ctx), CLERK, party=court) as api:
        found = api.post(f"{INTAKE}/orders/find", numbers.body())
    emit(state(ctx), found, lambda: _show_records("Records of this number", found["covers"]))


@app.command(epilog="Example: comity seal --court milwaukee-circuit-court --statute wi-165.84 --court-case 2026CF000417")
def seal(  # noqa: PLR0913 - typer declares options by arguments
    ctx: typer.Context,
    *,
    court: Court,
    statute: StatuteName,
    booking: Booking = None,
    agency: Agency = None,
    court_case: CourtCase = None,
    atn: Atn = None,
    document: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, readable=True, help="The court's document; kept encrypted.")
    ] = None,
    provisional: Annotated[bool, typer.Option("--provisional", help="While a petition is pending; --until too.")] = False,
    until: Until = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Enter a sealing order, after showing what it covers; with --provisional one that lapses by itself."""
    numbers = Numbers(booking, agency, court_case, atn)
    numbers.body()
    what, paper = PROVISIONAL if provisional else SEAL, _read(document)
    with connect(state(ctx), CLERK, party=court) as api:
        preview = _preview(api, what, statute, numbers, until.date() if until else None)
        if not dry_run and not yes:
            _ask(preview["shown"])
        done = None if dry_run else _press(api, court, preview["token"], paper)
    _tell(state(ctx), preview["shown"], done, asked=not dry_run and not yes)


@app.command(
    epilog="Example: comity expunge --court milwaukee-circuit-court --statute wi-165.84 --booking B-2026-0417 --agency WI0130000"
)
def expunge(  # noqa: PLR0913 - typer declares options by arguments
    ctx: typer.Context,
    *,
    court: Court,
    statute: StatuteName,
    booking: Booking = None,
    agency: Agency = None,
    court_case: CourtCase = None,
    atn: Atn = None,
    document: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, readable=True, help="The court's document; kept encrypted.")
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Enter an expungement: hidden for ever, and destroyed."""
    numbers = Numbers(booking, agency, court_case, atn)
    numbers.body()
    paper = _read(document)
    with connect(state(ctx), CLERK, party=court) as api:
        preview = _preview(api, EXPUNGE, statute, numbers)
        if not dry_run and not yes:
            _ask(preview["shown"], again=numbers.typed())
        done = None if dry_run else _press(api, court, preview["token"], paper)
    _tell(state(ctx), preview["shown"], done, asked=not dry_run and not yes)


def _preview(api: Api, what: str, statute: str, numbers: Numbers, until: date | None = None) -> dict[str, Any]:
    day = {"until": until.isoformat()} if until else {}
    answer = api.post(f"{INTAKE}/orders/preview", {"what": what, "statute": statute, **numbers.body(), **day})
    return {"token": answer.pop("token"), "shown": answer}


def _press(api: Api, court: str, token: str, document: bytes | None) -> Done:
    paper = {"files": {"document": ("document", document)}} if document else {}
    receipt = dict(api.post(f"{INTAKE}/orders", data={"token": token}, **paper))
    before = api.get(path_of(court, receipt["event_id"])) if receipt["repeated"] else None
    return Done(receipt, before["now"] if before else None)


def _read(document: Path | None) -> bytes | None:
    if document is None:
        return None
    paper = files.read(document, DOCUMENT_BYTES_MAX)
    if len(paper) > DOCUMENT_BYTES_MAX:
        raise InvalidInput("The order's document is over 10 MB.", advice="Send a smaller scan.")
    return paper


def _ask(shown: dict[str, Any], again: str | None = None) -> None:
    """Show what an order covers and ask. Raises InvalidInput where the answer is no: then nothing was entered."""
    _show(shown, to_errors=True)
    if again is None:
        agreed = typer.confirm("Enter this order?", err=True)
    else:
        note("This destroys: keys, photographs and templates are gone for ever.", style="bold red")
        agreed = typer.prompt("Type the number again to enter it", err=True).strip() == again
    if not agreed:
        raise InvalidInput("Not confirmed: no order was entered.", advice="Run it again when you are sure.")


def _tell(said: State, shown: dict[str, Any], done: Done | None, *, asked: bool) -> None:
    def show() -> None:
        if not asked:  # else it stands above the question already
            _show(shown)
        if done is None:
            say("A dry run: no order was entered. That you looked is in the journal.")
            return
        receipt = done.receipt
        if done.now is not None:
            say(f"Order {receipt['event_id']} was in the journal before, at position {receipt['position']}. Now: {done.now}.")
            return
        say(f"Order {receipt['event_id']} is in the journal, at position {receipt['position']}.")
        say(f"Entered at {moment(receipt['appended_at'])}; {_follows(shown)}")

    answer = {"preview": shown, "receipt": done.receipt if done else None}
    emit(said, answer | ({"now": done.now} if done and done.now else {}), show)


def _follows(shown: dict[str, Any]) -> str:
    """Return what the order does, in the words that are so for what it covers."""
    if not shown["covers"]:
        return "it covers no record that is here now."  # what it will cover, the notes above say
    if shown["lapses_at"]:
        return f"from this position on the records are hidden; it lapses on {moment(shown['lapses_at'])}, or is lifted before."
    kept = shown["what"] == SEAL and MODES[shown["mode"]].owner_searches
    return f"from this position on the records are hidden{', but from the agency that holds them' if kept else ''}."


def _show(shown: dict[str, Any], *, to_errors: bool = False) -> None:
    lapses = f", lapses on {moment(shown['lapses_at'])}," if shown["lapses_at"] else ""
    what = "provisional seal" if shown["lapses_at"] else shown["what"]
    title = f"{what} under {shown['statute']} ({shown['mode']}){lapses} covers"
    _show_records(title, shown["covers"], to_errors=to_errors)
    for sentence in shown["notes"]:
        (note if to_errors else say)(sentence)


def _show_records(title: str, covers: list[dict[str, Any]], *, to_errors: bool = False) -> None:
    known = sorted(covers, key=lambda c: str(c["owner"]))
    rows = [(c["owner"], c["record_id"], c["record_class"], c["state"], "" if c["named"] else KIN) for c in known]
    columns = ("owner", "record", "class", "state now", "how")
    table(title, columns, rows, empty="no record that is here now.", to_errors=to_errors)
