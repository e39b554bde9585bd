"""The tables that searches and orders are measured by, and the face models."""

from __future__ import annotations

from typing import Any

import typer
from rich.progress import Progress

from comity.adapters import face_models
from comity.cli.context import state
from comity.cli.output import emit, errors, note, passages, say, table
from comity.domain import policy as tables

app = typer.Typer()


@app.command(epilog="Example: comity policy")
def policy(ctx: typer.Context) -> None:
    """Show what may be searched for, and what each statute does."""
    data: dict[str, Any] = {
        "digest": tables.digest().hex(),
        "purposes": [
            {
                "slug": p.slug,
                "title": p.title,
                "thresholds": list(p.thresholds),
                "classes": sorted(p.classes),
                "why": p.why,
                "source": p.source,
            }
            for p in tables.PURPOSES.values()
        ],
        "thresholds": tables.THRESHOLDS,
        "offences": tables.OFFENCES,
        "statutes": [
            {
                "slug": s.slug,
                "title": s.title,
                "mode": s.mode,
                "mode_title": tables.MODES[s.mode].title if s.mode else None,
                "why": s.why,
            }
            for s in tables.STATUTES.values()
        ],
        "rights": list(tables.RIGHTS),
        "requester_classes": list(tables.REQUESTER_CLASSES),
    }
    emit(state(ctx), data, lambda: _show(data))


def _show(data: dict[str, Any]) -> None:
    passages("Purposes", [(p["slug"], _purpose(p)) for p in data["purposes"]])
    table("Thresholds", ("threshold", "meaning"), data["thresholds"].items())
    table("Offences", ("offence", "meaning"), data["offences"].items())
    passages("Statutes", [(s["slug"], _statute(s)) for s in data["statutes"]])
    say("An agency's counsel decides what applies to it.", f"Digest of these tables: {data['digest']}")


def _purpose(purpose: dict[str, Any]) -> list[str]:
    if purpose["thresholds"]:
        terms = f"Needs {' or '.join(purpose['thresholds'])}; reaches {', '.join(purpose['classes'])}."
    else:
        terms = "Refused."
    return [f"{purpose['title']}. {terms}", f"{purpose['why']} ({purpose['source']})".strip()]


def _statute(statute: dict[str, Any]) -> list[str]:
    return [statute["title"], f"{statute['mode']}: {statute['mode_title']}." if statute["mode"] else statute["why"]]


@app.command(epilog="Example: comity models")
def models(ctx: typer.Context) -> None:
    """Fold the face models into the cache, once."""
    cache = state(ctx).settings().cache
    wanted = (face_models.DETECTOR, face_models.RECOGNISER)
    with Progress(console=errors(), transient=True) as bar:
        task = bar.add_task("Face models", total=len(wanted))
        made = []
        for model in wanted:
            path = face_models.folded(model, cache=cache, progress=note)
            made.append({"model": model.name, "path": str(path), "source_sha256": model.sha256})
            bar.advance(task)
    rows = [(m["model"], m["path"]) for m in made]
    emit(state(ctx), made, lambda: table("Face models", ("model", "path"), rows))
