"""``comity demo``: the main job, on people who do not exist, in one command."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from comity.cli.context import State, state
from comity.cli.output import emit

if TYPE_CHECKING:
    from comity.cli.story import Teller
    from comity.cli.story_world import World

PORT = 8765
app = typer.Typer()


@app.command(epilog="Example: comity demo --once --kafka local")
def demo(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="End after the story instead of serving on.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to serve on; 0 picks a free port.")] = PORT,
) -> None:
    """Show what comity does, in about a minute, on people who do not exist.

    Everything happens on a fresh home that is removed at the end. --kafka local does it on a real Apache Kafka.
    With --json the story goes to stderr, and stdout holds one object: each step, what was checked, and whether it held.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    said = state(ctx)
    console = Console(width=None if Console().is_terminal else 120, stderr=said.json)  # stdout is the answer's alone
    with tempfile.TemporaryDirectory(prefix="comity-demo-", ignore_cleanup_errors=True) as folder:
        failed = _tell(said, console, Path(folder) / "home", 0 if once else port, once=once)
    if failed:
        raise typer.Exit(1)


def _tell(said: State, console: Console, home: Path, port: int, *, once: bool) -> list[str]:
    kafka = said.kafka
    with console.status("reading the libraries"):
        from comity.adapters.onnx_faces import OnnxFaces  # noqa: PLC0415 - seconds of imports, said so
        from comity.bootstrap import Exchange  # noqa: PLC0415
        from comity.cli import story, story_erasure, story_world  # noqa: PLC0415
        from comity.settings import Settings  # noqa: PLC0415
    story_world.check_faces()
    settings = Settings(home=home, kafka=kafka, anchor=home.parent / "anchor")  # removed with the home
    with console.status("folding the face models into the cache, once") as status:
        encoder = OnnxFaces(cache=settings.cache, progress=status.update)
        encoder.sessions()
    teller = story.Teller(console)
    running = story_erasure.Running(lambda: Exchange(settings, face_encoder=encoder), story_world.World(), port)
    where = {None: "an embedded log (SQLite)", "local": "a real Apache Kafka, started here"}.get(kafka, f"Kafka at {kafka}")
    with console.status(f"starting the exchange on {where}"):
        running.start()
    console.print(f"[bold]comity[/] on {where}; {encoder.model}; one process, one home")
    try:
        story.enrol(teller, running.world)
        answer = story.search(teller, running.world)
        story.stranger(teller, running.world)
        story.reveal(teller, running.world, answer)
        old_copy = story_erasure.copy_gallery(running)
        sealing = story.seal(teller, running.world, answer)
        story_erasure.expunge(teller, running.world, sealing)
        story_erasure.ways_back(teller, running, sealing, old_copy)
        story_erasure.unreachable(teller, running.world, sealing)
        _end(console, teller.failed)
        pages = {} if once else _pages(running.world)
        emit(said, answer_of(teller, where, pages), lambda: None if once else _show(console, pages))
        if not once:
            threading.Event().wait()
    finally:
        running.stop()
    return teller.failed


def _end(console: Console, failed: list[str]) -> None:
    if failed:
        console.print(f"[bold red]{len(failed)} checks failed:[/] " + "; ".join(failed))
    else:
        console.print("[bold green]every check held[/]")


def answer_of(teller: Teller, log: str, pages: dict[str, str]) -> dict[str, Any]:
    """Return the story as JSON: each step, what was checked in it and whether it held; and pages to open while it serves."""
    return {"log": log, "steps": teller.steps, "held": not teller.failed, "pages": pages}


def _pages(world: World) -> dict[str, str]:
    """Return a one-time link for each person of the desk, and where the API is described."""
    desk = {who: person for who, person in world.people.items() if person.roles & {"clerk", "investigator", "examiner"}}
    links = {who: f"{world.server.url}/sign-in/{world.exchange.identity.link(p.user_id)}" for who, p in desk.items()}
    return links | {"OpenAPI": f"{world.server.url}/docs"}


def _show(console: Console, pages: dict[str, str]) -> None:
    console.rule("[bold]Pages to open", align="left")
    for who, url in pages.items():
        console.print(f"  {who:22} {url}", soft_wrap=True)
    console.print("Links work once, for ten minutes. Ctrl-C ends the demo and removes its home.")
