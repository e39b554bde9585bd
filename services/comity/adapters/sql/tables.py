"""The ledger's tables: one per row type of ``domain/posting``, with the same fields, plus how far each view is."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, LargeBinary, Table, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from comity.adapters.sql.columns import Moment, Word, Words
from comity.domain import posting as p
from comity.domain.entries import RecordClass, Role
from comity.domain.ids import END

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Fact(SQLModel):
    """The columns of every row: its own number, the positions between which it holds, who signed it, and when it was appended."""

    place: int | None = Field(default=None, primary_key=True)
    entered: int = Field(sa_type=BigInteger, index=True)
    ended: int = Field(default=END, sa_type=BigInteger)
    kid: str
    entered_at: datetime = Field(sa_type=Moment)


def _unique(kind: type[p.Row], *indexes: Index) -> tuple[Any, ...]:
    return (UniqueConstraint(*p.IDENTITY[kind]), *indexes)


class Agency(Fact, table=True):
    """Agencies that take part."""

    __table_args__ = _unique(p.Agency)
    ori: str = Field(max_length=9)
    name: str
    requester_class: str


class Court(Fact, table=True):
    """Courts that may enter orders."""

    __table_args__ = _unique(p.Court)
    court_id: str
    name: str


class Exchange(Fact, table=True):
    """The exchange itself."""

    __table_args__ = _unique(p.Exchange)
    exchange_id: str


class SigningKey(Fact, table=True):
    """Public keys, and whom they speak for."""

    __tablename__: ClassVar[str] = "signing_key"
    __table_args__ = _unique(p.Key)
    key_id: str
    party: str
    role: Role = Field(sa_type=Word(Role))
    public_key: bytes = Field(sa_type=LargeBinary)


class Revocation(Fact, table=True):
    """Keys that were revoked, and from where on what they loosened is void."""

    __table_args__ = _unique(p.Revocation)
    key_id: str
    void_from: int | None = Field(default=None, sa_type=BigInteger)


class IndexKey(Fact, table=True):
    """Index keys, by a value by which each is known again."""

    __tablename__: ClassVar[str] = "index_key"
    __table_args__ = _unique(p.IndexKey)
    name: str
    version: int
    check: bytes = Field(sa_type=LargeBinary)


class Record(Fact, table=True):
    """Versions of records."""

    __table_args__ = _unique(p.Record)
    record_id: str = Field(max_length=32)
    owner: str = Field(max_length=9)
    record_class: RecordClass = Field(sa_type=Word(RecordClass))
    version: int
    enrolment_sha256: bytes = Field(sa_type=LargeBinary)


class BlindIndex(Fact, table=True):
    """Blind indexes of records."""

    __tablename__: ClassVar[str] = "blind_index"
    __table_args__ = _unique(p.Index, Index(None, "target"))
    record_id: str = Field(max_length=32)
    target: str
    kin: bool


# Of few rows: of the provisional seals alone.
LAPSING = Index(None, "lapses_at", sqlite_where=text("lapses_at IS NOT NULL"), postgresql_where=text("lapses_at IS NOT NULL"))


class Suppression(Fact, table=True):
    """Targets of covering orders."""

    __table_args__ = _unique(p.Suppression, Index(None, "target"), Index(None, "entered_by", "entered"), LAPSING)
    order_id: str
    kind: str
    target: str
    owner_only: str | None = None
    mode: str
    statute: str
    entered_by: str
    lapses_at: datetime | None = Field(default=None, sa_type=Moment)
    clerk: str | None = None


class Lift(Fact, table=True):
    """Orders that unseals and lifts end, each a row of its own."""

    __table_args__ = _unique(p.Lift)
    lift_id: str
    lifted_by: str
    party: str
    order_id: str
    provisional_only: bool
    authority: str
    clerk: str | None = None


class ShareGrant(Fact, table=True):
    """What owners let grantees do."""

    __tablename__: ClassVar[str] = "share_grant"
    __table_args__ = _unique(p.Grant, Index(None, "grantee"), Index(None, "expires_at"))
    grant_id: str
    owner: str
    grantee: str
    classes: str = Field(sa_type=Words)
    purposes: str = Field(sa_type=Words)
    rights: str = Field(sa_type=Words)
    expires_at: datetime = Field(sa_type=Moment)
    in_return: str


class Tick(Fact, table=True):
    """The exchange's clock."""

    __table_args__ = _unique(p.Tick)
    at: datetime | None = Field(default=None, sa_type=Moment, index=True)
    tick: bool
    led_from: datetime | None = Field(default=None, sa_type=Moment)
    led_to: datetime | None = Field(default=None, sa_type=Moment)
    latest: datetime | None = Field(default=None, sa_type=Moment)
    settled: datetime | None = Field(default=None, sa_type=Moment)
    reached: datetime | None = Field(default=None, sa_type=Moment)
    alarm: int | None = Field(default=None, sa_type=BigInteger)


class Ruling(Fact, table=True):
    """An administrator's words on ticks."""

    __table_args__ = _unique(p.Ruling)
    voids: bool
    first: int = Field(sa_type=BigInteger)
    last: int = Field(sa_type=BigInteger)
    reason: str


class Search(Fact, table=True):
    """Attempts to answer searches."""

    __table_args__ = _unique(p.Search)
    search_id: str
    attempt: int
    requester: str
    user: str
    purpose: str
    shown_max: int
    reopens: str | None = None


class Withheld(Fact, table=True):
    """Searches that were given up."""

    __table_args__ = _unique(p.Withheld)
    search_id: str


class Review(Fact, table=True):
    """Examiners' looks at candidates."""

    __table_args__ = _unique(p.Review)
    review_id: str
    attempt: int
    search_id: str = Field(index=True)
    user: str
    commitment: bytes = Field(sa_type=LargeBinary)


class Reveal(Fact, table=True):
    """Identities that were asked for."""

    __table_args__ = _unique(p.Reveal)
    reveal_id: str
    attempt: int
    search_id: str = Field(index=True)
    user: str
    commitment: bytes = Field(sa_type=LargeBinary)


class Preview(Fact, table=True):
    """What clerks were shown before they pressed."""

    __table_args__ = _unique(p.Preview)
    preview_id: str
    attempt: int
    party: str
    user: str


class Certificate(Fact, table=True):
    """Certified erasures."""

    __table_args__ = _unique(p.Certificate, Index(None, "party", "order_id"))
    certificate_id: str
    party: str
    order_id: str
    part: int
    scope: str
    found: int
    said: bytes = Field(sa_type=LargeBinary)


class Seen(SQLModel, table=True):
    """What counts once and was taken, by verified signer and event id, for ever (rule 10)."""

    __table_args__ = (Index(None, "value_sha256", "signer", "position"),)
    signer: str = Field(primary_key=True)
    event_id: str = Field(primary_key=True)
    value_sha256: bytes = Field(sa_type=LargeBinary)
    position: int = Field(sa_type=BigInteger)
    kid: str
    refused: bool


class Refused(SQLModel, table=True):
    """Entries that had no effect, and why; ``again``: what their signer had said before stood in the journal already."""

    __table_args__ = (
        Index(None, "signer", "again", "position"),
        Index(None, "again", "position"),
        Index(None, "value_sha256", "signer", "position"),
    )
    position: int = Field(primary_key=True, sa_type=BigInteger)
    signer: str
    event_id: str | None = None
    reason: str
    message: str
    value_sha256: bytes = Field(sa_type=LargeBinary)
    again: bool


class Applied(SQLModel, table=True):
    """How far the ledger is, of which journal: written with the view, in one transaction (rule 11)."""

    name: str = Field(primary_key=True)
    next: int = Field(sa_type=BigInteger)
    epoch: int
    topic_id: str
    leaves: int = Field(sa_type=BigInteger)
    frontier: bytes = Field(sa_type=LargeBinary)
    newest: bytes = Field(sa_type=LargeBinary)
    led_from: datetime | None = Field(default=None, sa_type=Moment)
    led_to: datetime | None = Field(default=None, sa_type=Moment)


class Follower(SQLModel, table=True):
    """How far each duty and projection is in each stream it follows."""

    name: str = Field(primary_key=True)
    stream: str = Field(primary_key=True)
    next: int = Field(sa_type=BigInteger)


class Rejected(SQLModel, table=True):
    """Enrolments that the encoder could not use; ``place`` counts them as they came."""

    __table_args__ = (UniqueConstraint("record_id", "version", "owner"), {"sqlite_autoincrement": True})
    place: int | None = Field(default=None, primary_key=True)
    record_id: str = Field(max_length=32)
    version: int
    owner: str = Field(max_length=9, index=True)
    photo: int | None = None
    reason: str
    advice: str


class PutAside(SQLModel, table=True):
    """Entries outside the journal that were put aside, by whoever signed them."""

    __tablename__: ClassVar[str] = "put_aside"
    __table_args__ = (UniqueConstraint("topic", "partition", "position"),)
    place: int | None = Field(default=None, primary_key=True)
    topic: str
    partition: int
    position: int = Field(sa_type=BigInteger)
    signer: str = Field(index=True)
    event_id: str | None = None
    reason: str
    message: str
    value_sha256: bytes = Field(sa_type=LargeBinary)


METADATA = SQLModel.metadata


def _table(model: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(model.__tablename__)]


TABLES: dict[type[p.Row], Table] = {
    p.Agency: _table(Agency),
    p.Court: _table(Court),
    p.Exchange: _table(Exchange),
    p.Key: _table(SigningKey),
    p.Revocation: _table(Revocation),
    p.IndexKey: _table(IndexKey),
    p.Record: _table(Record),
    p.Index: _table(BlindIndex),
    p.Suppression: _table(Suppression),
    p.Lift: _table(Lift),
    p.Grant: _table(ShareGrant),
    p.Tick: _table(Tick),
    p.Ruling: _table(Ruling),
    p.Search: _table(Search),
    p.Withheld: _table(Withheld),
    p.Review: _table(Review),
    p.Reveal: _table(Reveal),
    p.Preview: _table(Preview),
    p.Certificate: _table(Certificate),
}
SEEN, REFUSED, APPLIED, FOLLOWER = _table(Seen), _table(Refused), _table(Applied), _table(Follower)
REJECTED, PUT_ASIDE = _table(Rejected), _table(PutAside)
