"""What operations take and answer: the OpenAPI document is made from these."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ROLES_MAX = 8


class JournalStatusOut(BaseModel):
    """How far the journal goes, and how much of it the ledger has applied."""

    end: int | None = Field(description="Null while the log does not answer.")
    applied: int
    failure: str | None = Field(description="Why the ledger stands still; null where it follows.")


class FollowerOut(BaseModel):
    """One of those that follow the log."""

    lag: int | None = Field(description="How many positions it has still to read; null while the log does not answer.")
    failure: str | None
    at: dict[str, int] = Field(description="By topic, the position that it reads next.")


class AlarmOut(BaseModel):
    """Something that an operator must look at."""

    model_config = ConfigDict(extra="allow")
    kind: str
    what: str
    advice: str
    count: int
    since: datetime


class ErasureOut(BaseModel):
    """A part of an order whose erasure wants looking at."""

    party: str
    order: str
    part: int
    records: int
    state: str
    tries: int
    failure: str = Field(description="Why it could not be certified; empty where nothing failed.")


class ErasuresOut(BaseModel):
    """How many parts of orders stand where on their way to the last certificate, and those that want looking at."""

    waiting: dict[str, int]
    wanting: list[ErasureOut]


class StatusOut(BaseModel):
    """Every position and lag, what stands still and why, and the exchange's clock."""

    model_config = ConfigDict(extra="allow")
    version: str
    home: str
    disk_free_bytes: int
    log: str
    journal: JournalStatusOut
    clock_age_seconds: float | None
    templates: int
    agencies: int
    alarms: list[AlarmOut] = []
    erasures: ErasuresOut
    followers: dict[str, FollowerOut]


class EntryOut(BaseModel):
    """One entry of the journal, as anybody may see it: what is encrypted stays so."""

    position: int
    at: datetime = Field(description="By the log's own clock.")
    type: str | None = Field(description="Null where it cannot be read.")
    id: str | None = None
    key: str | None = Field(default=None, description="The first characters of the signing key's id.")
    unreadable: str | None = Field(default=None, description="Why it cannot be read.")


class ExposureOut(BaseModel):
    """Somebody who was shown a record: what no order can take back."""

    position: int
    what: str
    search_id: str
    requester: str
    user: str
    purpose: str


class FindingOut(BaseModel):
    """A difference between a view and the journal, and how it is mended."""

    what: str
    advice: str


class RebuiltOut(BaseModel):
    """The view that was made anew."""

    rebuilt: Literal["ledger", "gallery", "photographs"]


class SweptOut(BaseModel):
    """What a sweep looked through."""

    jobs: int = Field(description="For how many parts of orders.")
    files: int
    bytes: int
    found: int = Field(description="For how many of them bytes were still found.")


class NewPerson(BaseModel):
    """Somebody who may sign in."""

    name: str = Field(min_length=1, max_length=100)
    party: str = Field(min_length=1, max_length=64, description="An agency's ORI, a court's id, or `exchange`.")
    roles: list[str] = Field(min_length=1, max_length=ROLES_MAX)


class PersonOut(BaseModel):
    """Somebody who may sign in; the log knows the pseudonym alone."""

    user_id: str
    name: str
    party: str
    roles: list[str]


class NewRoles(BaseModel):
    """The roles that somebody is to have from now on."""

    roles: list[str] = Field(min_length=1, max_length=ROLES_MAX)


class EndedOut(BaseModel):
    """How many sessions and links ended."""

    ended: int


class LinkOut(BaseModel):
    """The path of a link that signs in once, within ten minutes, at the exchange's own address."""

    path: str = Field(repr=False)
