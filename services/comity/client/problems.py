"""Problems that the exchange answered with, as the errors they were made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import httpx2

from comity import errors

TYPE_PREFIX = "urn:comity:problem:"
MEDIA_TYPE = "application/problem+json"
TRIED_AGAIN = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)


def error_of(answer: httpx2.Response) -> errors.ComityError:
    """Return the error that an answer tells of; for one that no exchange wrote (a proxy's page), what its status says."""
    try:
        body = answer.json() if answer.headers.get("content-type", "").startswith(MEDIA_TYPE) else {}
    except ValueError:
        body = {}
    if not isinstance(body, Mapping) or "detail" not in body:
        return _by_status(answer.status_code)(f"The exchange answered {answer.status_code}.", advice="Ask its operator.")
    return _rebuilt(body, answer.status_code)


class Said(dict[str, Any]):
    """The JSON object that an exchange answered with. A member that is missing raises Unavailable: no exchange leaves it out."""

    def __missing__(self, name: str) -> Any:  # noqa: ANN401
        raise _no_exchange(f"it left out {name}")


def object_of(answer: httpx2.Response) -> Said:
    """Return a success's JSON object. Raises Unavailable for what no exchange wrote, such as the page of a proxy before it."""
    try:
        body = answer.json()
    except ValueError:
        raise _no_exchange("it sent no JSON") from None
    if not isinstance(body, Mapping):
        raise _no_exchange("it sent no JSON object")
    return Said(body)


def _no_exchange(why: str) -> errors.Unavailable:
    return errors.Unavailable(
        f"What answered is no exchange: {why}.",
        advice="Check the address, and what stands before it: a proxy, or a page to sign in to the network.",
    )


def _rebuilt(body: Mapping[str, Any], status: int) -> errors.ComityError:
    slug = str(body.get("type", "")).removeprefix(TYPE_PREFIX)
    details = {str(k): v for k, v in dict(body.get("details") or {}).items() if isinstance(v, str | int | float | bool)}
    details["trace_id"] = str(body.get("trace_id", ""))
    message, advice = str(body["detail"]), str(body.get("advice", ""))
    kind = next((k for k in _kinds(errors.ComityError) if k.kind == slug), None) or _by_status(status)
    if issubclass(kind, errors.PhotographRefused):
        return kind(str(details.pop("reason", "unknown")), message, advice=advice, **details)
    return kind(message, advice=advice, **details)


def _kinds(root: type[errors.ComityError]) -> Iterator[type[errors.ComityError]]:
    yield root
    for kind in root.__subclasses__():
        yield from _kinds(kind)


def _by_status(status: int) -> type[errors.ComityError]:
    if status in TRIED_AGAIN:
        return errors.Unavailable
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        return errors.InvalidInput
    plain = (errors.InvalidInput, errors.NotSignedIn, errors.NotPermitted, errors.NotFound, errors.Conflict, errors.TooLarge)
    return next((kind for kind in (*plain, errors.TooMany) if kind.status == status), errors.ComityError)
