"""Errors as a person at a terminal reads them: one sentence, one advice, an exit code; or the problem object with ``--json``."""

from __future__ import annotations

import json
import os
import secrets
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import typer

from comity import errors

TYPE_PREFIX = "urn:comity:problem:"
STOPPED, USAGE = 130, 2


class Answered(errors.ComityError):
    """The exchange answered with a problem; it is told as it came."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail", "")), advice=str(problem.get("advice", "")))
        self.problem = dict(problem)


def tell(error: BaseException, *, as_json: bool) -> int:
    """Tell the person what happened, and return the exit code."""
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        problem, code = _plain("stopped", "Stopped", 499, "Stopped.", ""), STOPPED
    elif isinstance(error, errors.ComityError):
        problem, code = problem_of(error), exit_code(error)
    elif isinstance(error, typer.TyperException):
        if not as_json:
            raise error  # typer shows the command's usage with it
        code = USAGE
        problem = _plain("usage", "The command cannot be used so", 400, error.format_message(), "See --help.")
    elif isinstance(error, UnicodeEncodeError):
        code = USAGE
        problem = _plain("usage", "The command cannot be used so", 400, "A word of the command is not UTF-8.", "Type it anew.")
    elif isinstance(error, OSError):
        problem, code = _files(error), 1
    else:
        problem, code = _unexpected(error), 1
    if as_json:
        _answer(problem)
    else:
        _print(problem)
    return code


def _answer(problem: Mapping[str, Any]) -> None:
    """Print a problem object; on stderr where stdout is what cannot be written: a full disk, a pipe that was closed."""
    text = json.dumps(problem, indent=2) + "\n"
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):  # AttributeError: a process may have been given no stdout at all
        with suppress(OSError, ValueError):  # what waits in its buffer would fail once more at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if sys.stderr is not None:
            sys.stderr.write(text)


def problem_of(error: errors.ComityError) -> dict[str, Any]:
    """Return an error of ours as the problem object that the services answer with."""
    if isinstance(error, Answered):
        return error.problem
    details = {name: value for name, value in error.details.items() if value is not None}
    trace = str(details.pop("trace_id", "") or secrets.token_hex(16))
    problem = _plain(error.kind, error.title, error.status, error.message, error.advice)
    return problem | {"trace_id": trace, "details": details}


def exit_code(error: errors.ComityError) -> int:
    """Return the documented exit code of an error, by its kind or else by its status."""
    if not isinstance(error, Answered):
        return error.exit_code
    kind = str(error.problem.get("type", "")).removeprefix(TYPE_PREFIX)
    status = int(error.problem.get("status", 0))
    kinds = list(_kinds(errors.ComityError))
    by_kind = [k.exit_code for k in kinds if k.kind == kind]
    by_status = [k.exit_code for k in kinds if k.status == status]
    return next(iter([*by_kind, *by_status]), errors.ComityError.exit_code)


def _kinds(root: type[errors.ComityError]) -> Iterator[type[errors.ComityError]]:
    yield root
    for kind in root.__subclasses__():
        yield from _kinds(kind)


def _plain(slug: str, title: str, status: int, detail: str, advice: str) -> dict[str, Any]:
    return {
        "type": TYPE_PREFIX + slug,
        "title": title,
        "status": status,
        "detail": detail,
        "advice": advice,
        "trace_id": secrets.token_hex(16),
        "details": {},
    }


def _files(error: OSError) -> dict[str, Any]:
    _trace(error)
    where = f": {error.filename}" if error.filename else ""
    sentence = f"{error.strerror or type(error).__name__}{where}."
    return _plain("files", "A file cannot be used", 500, sentence, "Check the path, its permissions and the free space.")


def _trace(error: BaseException) -> None:
    """Print the traceback only where it is asked for: it may hold what was worked on."""
    if os.environ.get("COMITY_DEBUG"):
        traceback.print_exception(error)


def _unexpected(error: BaseException) -> dict[str, Any]:
    _trace(error)
    sentence = f"Something went wrong that nobody foresaw ({type(error).__name__})."
    return _plain("internal", "Something went wrong here", 500, sentence, "COMITY_DEBUG=1 shows where; report it with this id.")


def _print(problem: Mapping[str, Any]) -> None:
    from comity.cli.output import note  # noqa: PLC0415 - rich's tables are not needed for help

    note(str(problem["detail"]), style="bold red")
    for field in problem.get("details", {}).get("fields", []):
        note(f"  {'.'.join(map(str, field['loc']))}: {field['msg']}")
    if problem["advice"]:
        note(str(problem["advice"]))
    if problem["status"] >= 500 or "COMITY_DEBUG" in os.environ:  # noqa: PLR2004 - the services' own failures
        note(f"trace id {problem.get('trace_id', '')}")
