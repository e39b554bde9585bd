"""Searching, reviewing, revealing: three acts of three people."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from comity.cli import files, names
from comity.cli.connect import SEARCH, Api, connect, segment
from comity.cli.context import state
from comity.cli.output import emit, fields, moment, note, say, table
from comity.cli.problems import Answered
from comity.domain.candidate import SHOWN_DEFAULT, SHOWN_MAX
from comity.domain.entries import RecordClass
from comity.domain.roles import EXAMINER, INVESTIGATOR
from comity.errors import InvalidInput

app = typer.Typer()
FACE_MAX = 999
BOOKINGS = [RecordClass.BOOKING]
PROBE_BYTES_MAX = 15 * 1024 * 1024  # a request holds 16 MiB, the form is in it too


class Finding(StrEnum):
    """What an examiner can find."""

    POSSIBLE = "possible"
    EXCLUDED = "excluded"
    INCONCLUSIVE = "inconclusive"


SearchId = Annotated[str, typer.Argument(help="The search's number.", metavar="SEARCH")]
CandidateName = Annotated[str, typer.Argument(help="The candidate's rank, its name or the name's start.", metavar="CANDIDATE")]


@app.command(
    epilog="Example: comity search still.jpg --as 'Iris Okafor' --case 26-00417 --purpose serious-crime "
    "--threshold probable-cause --offence burglary --authority SGT-88"
)
def search(  # noqa: PLR0913 - typer declares options by arguments
    ctx: typer.Context,
    *,
    probe: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, readable=True, help="A picture; it is never enrolled.", metavar="PROBE"),
    ],
    case: Annotated[str, typer.Option(help="The agency case number.")],
    purpose: Annotated[str, typer.Option(help="What for; `comity policy` lists what is allowed.")],
    threshold: Annotated[str, typer.Option(help="The legal ground.")],
    offence: Annotated[str, typer.Option(help="The offence; `none` where a person is missing, deceased or incapacitated.")],
    authority: Annotated[str, typer.Option(help="The supervisor's or the warrant's number.")],
    classes: Annotated[
        list[RecordClass], typer.Option("--class", help="Among which records; may be given several times.", metavar="CLASS")
    ] = BOOKINGS,
    face: Annotated[int | None, typer.Option(min=0, max=FACE_MAX, help="Which face, where several are in the probe.")] = None,
    shown: Annotated[int, typer.Option("--max", min=1, max=SHOWN_MAX, help="How many candidates at most.")] = SHOWN_DEFAULT,
) -> None:
    """Find candidates for a probe photograph."""
    form: dict[str, Any] = {
        "case_number": case,
        "purpose": purpose,
        "threshold": threshold,
        "offence": offence,
        "authority": authority,
        "shown_max": shown,
        "classes": [str(name) for name in classes],
    } | ({} if face is None else {"face": face})
    picture = _read(probe)
    with connect(state(ctx), INVESTIGATOR) as api:
        try:
            answer = api.post(f"{SEARCH}/searches", data=form, files={"probe": ("probe", picture)})
        except Answered as error:
            if error.problem.get("details", {}).get("reason") == "several-faces" and not state(ctx).json:
                _show_faces(api, picture)
                raise InvalidInput("There are several faces in the probe.", advice="Pick one with --face.") from None
            raise
    names.remember(state(ctx).settings().home, answer["search_id"], [c["candidate"] for c in answer["candidates"]])
    emit(state(ctx), answer, lambda: _show(answer))


def _read(probe: Path) -> bytes:
    picture = files.read(probe, PROBE_BYTES_MAX)
    if not picture or len(picture) > PROBE_BYTES_MAX:
        raise InvalidInput("The probe is empty or too large.", advice="Send a picture of up to 15 MiB.")
    return picture


def _show_faces(api: Api, picture: bytes) -> None:
    found = api.post(f"{SEARCH}/probes/faces", files={"probe": ("probe", picture)})
    rows = [
        (f["face"], *(round(f["box"][i]) for i in range(4)), f"{f['score']:.2f}", round(f["eye_distance"]))
        for f in found["faces"]
    ]
    columns = ("--face", "left", "top", "width", "height", "score", "eye distance")
    table(f"Faces in a picture of {found['width']} by {found['height']} pixels", columns, rows, to_errors=True)


def _show(answer: dict[str, Any]) -> None:
    rows = [(c["rank"], f"{c['score']:.4f}", c["owner"], c["candidate"][: names.SHORT_CHARS]) for c in answer["candidates"]]
    none = f"no candidate scores {answer['score_floor']:.2f} or more."
    table(f"Candidates of search {answer['search_id']}", ("rank", "score", "owner", "candidate"), rows, empty=none)
    say(f"Judged at {moment(answer['judged_at'])} by {answer['model']}; nothing under {answer['score_floor']:.2f} is shown.")
    say(answer["caveat"])


@app.command(epilog="Example: comity review 0a1b2c3d4e5f60718293a4b5 1 --as 'Edwin Hale' --finding possible --notes 'ears, scar'")
def review(
    ctx: typer.Context,
    search_id: SearchId,
    candidate: CandidateName,
    finding: Annotated[
        Finding, typer.Option(help="What the comparison came to: possible, excluded or inconclusive.", metavar="FINDING")
    ],
    notes: Annotated[str, typer.Option(help="Kept encrypted under the search's own key.", metavar="TEXT")] = "",
) -> None:
    """Record what an examiner found on comparing the probe with a candidate."""
    path = _path(ctx, search_id, candidate)
    with connect(state(ctx), EXAMINER) as api:
        done = api.post(f"{path}/reviews", {"finding": finding, "notes": notes})
    emit(state(ctx), done, lambda: say(f"Review {done['review_id']} is recorded: {done['finding']}."))


@app.command(epilog="Example: comity reveal 0a1b2c3d4e5f60718293a4b5 1 --as 'Iris Okafor' --reason 'Warrant application 26-118'")
def reveal(
    ctx: typer.Context,
    search_id: SearchId,
    candidate: CandidateName,
    reason: Annotated[str, typer.Option(help="Why; kept encrypted, an auditor reads it.", metavar="TEXT")],
) -> None:
    """Reveal one candidate's identity, for a reason."""
    path = _path(ctx, search_id, candidate)
    with connect(state(ctx), INVESTIGATOR, EXAMINER) as api:
        shown = api.post(f"{path}/reveals", {"reason": reason})
    emit(state(ctx), shown, lambda: _show_identity(shown))


def _show_identity(shown: dict[str, Any]) -> None:
    said = shown["particulars"]
    rows = [(name.replace("_", " "), value) for name, value in said.items() if name != "charges" and value is not None]
    rows += [("charge", _charge(charge)) for charge in said.get("charges", [])]
    fields(f"Reveal {shown['reveal_id']}: a record of {shown['owner']}", rows)
    note("This reveal is entered in the journal. It is an investigative lead, and no probable cause.")


def _charge(charge: dict[str, Any]) -> str:
    return f"{charge['offence']} ({charge['severity']}; {charge['disposition'] or 'no disposition known'})"


def _path(ctx: typer.Context, search_id: str, candidate: str) -> str:
    name = names.whole(state(ctx).settings().home, search_id, candidate)
    return f"{SEARCH}/searches/{segment(search_id)}/candidates/{name}"
