"""What the search service takes and answers, with limits and examples: the OpenAPI document is made from these."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import UploadFile
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from comity.acts.review import TEXT_MAX
from comity.domain.candidate import SHOWN_DEFAULT, SHOWN_MAX
from comity.domain.entries import RecordClass
from comity.domain.policy import OFFENCES, PURPOSES, THRESHOLDS
from comity.wire.sealing import NUMBER_CHARS_MAX

FACE_MAX = 999  # a crowd; the encoder has a limit of its own
CLASSES_MAX = len(RecordClass)
WATERMARK_CHARS_MAX = 100  # ours have 48

Word = Annotated[str, StringConstraints(min_length=1, max_length=64)]
CandidateName = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def words(*known: str) -> Any:  # noqa: ANN401 - pydantic's fields have no type
    """Document the words of a table; the policy refuses others, with a sentence and its source."""
    return Field(json_schema_extra={"enum": list(known)})


class Sent(BaseModel):
    """What is sent: unknown members are refused, so that a mistyped one is noticed."""

    model_config = ConfigDict(extra="forbid")


class SearchIn(Sent):
    """A search, structured and complete: what for, on what ground, on whose authority, in which case (R23)."""

    probe: UploadFile = Field(description="A picture of the person sought. It is never enrolled.")
    purpose: Annotated[Word, words(*PURPOSES)] = Field(examples=["serious-crime"])
    threshold: Annotated[Word, words(*THRESHOLDS)] = Field(examples=["probable-cause"])
    offence: Annotated[Word, words(*OFFENCES)] = Field(examples=["burglary"])
    authority: str = Field(min_length=1, max_length=128, description="The supervisor's or the warrant's number, no name.")
    case_number: str = Field(min_length=1, max_length=NUMBER_CHARS_MAX, description="The agency case number.")
    classes: list[RecordClass] = Field(default=[RecordClass.BOOKING], min_length=1, max_length=CLASSES_MAX)
    shown_max: int = Field(default=SHOWN_DEFAULT, ge=1, le=SHOWN_MAX, description="How many candidates at most.")
    face: int | None = Field(default=None, ge=0, le=FACE_MAX, description="Which face of the probe, where several are there.")
    photographs: bool = Field(default=False, description="Whether to bring photographs where the grants say view.")
    at_least: str = Field(
        default="",
        max_length=WATERMARK_CHARS_MAX,
        description="`as_of` of an earlier answer: be at least as fresh as that, or fail.",
    )


class CandidateOut(BaseModel):
    """One candidate: an investigative lead at most, never an identification."""

    candidate: CandidateName = Field(description="An opaque name, good within this search alone.")
    rank: int = Field(ge=1)
    score: float = Field(ge=-1, le=1, description="Cosine similarity; no probability.")
    owner: str = Field(description="The agency whose record it is.")
    photograph: str | None = Field(
        repr=False,
        description="A data: address of a JPEG, where photographs were asked for and the owner's grant lets them be viewed: "
        "redrawn upright at full size, with nothing else of the file.",
    )
    placeholder: bool = Field(description="Whether the photograph could not be read: then a picture that says so stands for it.")


class SearchOut(BaseModel):
    """A candidate list, what it was made from, and as of when it was judged. No candidate is an answer too."""

    search_id: str
    as_of: str = Field(description="An opaque watermark: the place in the journal at which this was judged.")
    judged_at: datetime
    candidates: list[CandidateOut]
    model: str
    score_floor: float = Field(description="Nothing below it is shown.")
    probe_quality: float | None = Field(description="0 to 100; null where a kept search was opened again.")
    face: int = Field(ge=0, description="Which face of the probe was searched with.")
    caveat: str


class SearchMadeOut(BaseModel):
    """A search that was made, or opened again; its candidates are shown by opening it."""

    search_id: str
    user: str = Field(description="The pseudonym of whoever made it.")
    purpose: str
    made_at: datetime
    as_of: str = Field(description="An opaque watermark: the place in the journal at which it was judged.")
    reopens: str | None = Field(description="The search that this one opened again; null for a search of its own.")


class ReopenIn(Sent):
    """How a kept search is to be shown again."""

    photographs: bool = Field(default=False, description="Whether to bring photographs where the grants say view.")


class ReviewIn(Sent):
    """What an examiner found."""

    finding: Literal["possible", "excluded", "inconclusive"]
    notes: str = Field(default="", max_length=TEXT_MAX, description="Kept encrypted under the search's own key.")


class ReviewOut(BaseModel):
    """A review's number, and the watermark of its place."""

    review_id: str
    as_of: str
    finding: str


class RevealIn(Sent):
    """Why an identity is needed."""

    reason: str = Field(min_length=1, max_length=TEXT_MAX, description="Kept encrypted; an auditor reads it.")


class RevealOut(BaseModel):
    """One record's identity, as the owner's particulars give it."""

    reveal_id: str
    as_of: str
    owner: str
    particulars: dict[str, Any] = Field(repr=False)


class FaceOut(BaseModel):
    """A face in a probe: name its number as `face` when several are there."""

    face: int = Field(ge=0)
    box: tuple[float, float, float, float] = Field(description="x, y, width, height in pixels of the upright picture.")
    score: float = Field(description="The detector's, 0 to 1.")
    eye_distance: float = Field(description="In pixels.")


class FacesOut(BaseModel):
    """The faces in a picture, largest first."""

    width: int
    height: int
    faces: list[FaceOut]
    model: str
