"""Key pairs that a command makes before their public halves are admitted: gone again where they were refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from comity.cli.problems import Answered


@contextmanager
def kept_if_taken(forget: Callable[[], None] | None) -> Iterator[None]:
    """Remove what was made here where it was refused, so that nothing is left and the same command can be run again.

    Where nobody answered, or with a failure of the exchange's own, it may have been taken: then the key stays.
    """
    try:
        yield
    except Answered as error:
        if forget is not None and int(error.problem["status"]) < HTTPStatus.INTERNAL_SERVER_ERROR:
            forget()
        raise
