"""What a person typed and attached, read once, with a limit on each field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import UploadFile

from comity.domain.ids import Ori, ori
from comity.errors import InvalidInput

FIELDS_MAX = 300  # fifty candidates with a finding and notes each, and some
FILES_MAX = 1
CHARS_MAX = 200
TEXT_CHARS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of one submitted form."""

    texts: Mapping[str, Sequence[str]]
    files: Mapping[str, bytes] = field(repr=False)

    def text(self, name: str, *, chars_max: int = CHARS_MAX) -> str:
        """Return a field's text without surrounding blanks, empty where it was not sent. Raises InvalidInput when too long."""
        value = next(iter(self.texts.get(name, ())), "").strip()
        if len(value) > chars_max:
            raise InvalidInput(f"A field is longer than {chars_max} characters.", advice="Shorten it.", field=name)
        return value

    def many(self, name: str) -> tuple[str, ...]:
        """Return every value of a field that may be ticked more than once."""
        return tuple(self.texts.get(name, ()))

    def number(self, name: str, default: int | None = None) -> int | None:
        """Return a whole number, or the default where the field is empty. Raises InvalidInput."""
        value = self.text(name)
        if not value:
            return default
        if not value.isascii() or not value.isdigit() or len(value) > len("999"):
            raise InvalidInput("A whole number is needed.", advice="Write it in digits.", field=name)
        return int(value)

    def day(self, name: str) -> date | None:
        """Return a day, or None where the field is empty. Raises InvalidInput."""
        value = self.text(name)
        try:
            return date.fromisoformat(value) if value else None
        except ValueError:
            raise InvalidInput("This is no day.", advice="Write it as 2027-03-01.", field=name) from None

    def agency(self, name: str) -> Ori | None:
        """Return an agency's ORI, or None where the field is empty. Raises InvalidInput."""
        value = self.text(name).upper()
        try:
            return ori(value) if value else None
        except ValueError as error:
            raise InvalidInput(str(error), advice="Write the nine characters, such as WI0130000.", field=name) from None

    def file(self, name: str) -> bytes:
        """Return an attached file, empty where none was."""
        return self.files.get(name, b"")


async def read(request: Request) -> Form:
    """Read a submitted form; files stay in memory (the application's parser never spools to disk)."""
    texts: dict[str, list[str]] = {}
    files: dict[str, bytes] = {}
    async with request.form(max_files=FILES_MAX, max_fields=FIELDS_MAX) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                files[name] = await value.read()
            else:
                texts.setdefault(name, []).append(value)
    return Form(texts, files)


Sent = Annotated[Form, Depends(read)]
