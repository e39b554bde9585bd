"""Of a field that has not its form people read our own sentences, whatever the library calls it, and nothing that was sent."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from types import SimpleNamespace
from typing import Annotated, Literal, get_args

import pytest
from fastapi import APIRouter, FastAPI, UploadFile
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, Json
from pydantic_core import core_schema
from starlette.testclient import TestClient

from comity.intake.routes import router as intake
from comity.operations.app import router as operations
from comity.search.routes import router as search
from comity.web.app import new_app
from comity.web.wording import OTHER, sentence

THEIRS = re.compile(r"match|should|input|valid|unable|permitted", re.IGNORECASE)
SENT = "Jane-Q-Public-1990"


class Colour(StrEnum):
    RED = "red"


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid")
    word: Annotated[str, Field(pattern="^[a-z]+$")] = "a"
    short: Annotated[str, Field(min_length=2, max_length=3)] = "ab"
    whole: Annotated[int, Field(gt=1, le=9)] = 2
    real: Annotated[float, Field(ge=0, lt=1)] = 0.5
    truth: bool = True
    colour: Colour = Colour.RED
    what: Literal["seal", "expunge"] = "seal"
    many: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    at: AwareDatetime | None = None
    plain: datetime | None = None
    inner: Json[dict[str, int]] | None = None
    table: dict[str, str] | None = None


@pytest.fixture(scope="module")
def web() -> TestClient:
    identity = SimpleNamespace(person=lambda _token: SimpleNamespace(user_id="u-1"))
    app: FastAPI = new_app("Test", identity)

    @app.post("/form")
    def take(form: Form) -> str:
        return form.word

    @app.post("/upload")
    def upload(photograph: UploadFile, count: int) -> int:
        return count + (photograph.size or 0)

    return TestClient(app, headers={"authorization": "Bearer t"})


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"word": SENT}, OTHER),
        ({"word": 7}, "It is not a text."),
        ({"short": "a"}, "It has fewer than 2 characters."),
        ({"short": SENT}, "It has more than 3 characters."),
        ({"whole": SENT}, "It is not a whole number."),
        ({"whole": 1.5}, "It is not a whole number."),
        ({"whole": 1}, "It is not greater than 1."),
        ({"whole": 10}, "It is greater than 9."),
        ({"real": -1}, "It is less than 0.0."),
        ({"real": 1}, "It is not less than 1.0."),
        ({"real": SENT}, "It is not a number."),
        ({"truth": SENT}, "It is neither true nor false."),
        ({"colour": SENT}, "It is none of: 'red'."),
        ({"what": SENT}, "It is none of: 'seal' or 'expunge'."),
        ({"many": []}, "It has fewer than 1 parts."),
        ({"many": [1, 2, 3]}, "It has more than 2 parts."),
        ({"many": SENT}, "It is not a list."),
        ({"at": "2026-03-01T14:05:00"}, "It is no time with its zone, such as 2026-03-01T14:05:00-06:00."),
        ({"plain": SENT}, "It is no time with its zone, such as 2026-03-01T14:05:00-06:00."),
        ({"inner": SENT}, "It is no JSON."),
        ({"table": SENT}, "It is not an object."),
        ({SENT: 1}, "Nothing of this name is asked for."),
        ([SENT], "It is not an object."),
    ],
)
def test_a_field_out_of_form_is_told_in_our_words(web: TestClient, sent: object, told: str) -> None:
    answer = web.post("/form", json=sent)
    assert answer.status_code == 422
    assert [field["msg"] for field in answer.json()["details"]["fields"]] == [told]
    assert SENT not in answer.text
    assert not THEIRS.search(answer.text.replace("invalid-input", ""))


def test_what_is_missing_or_no_file_is_told_too(web: TestClient) -> None:
    answer = web.post("/upload", data={"photograph": SENT})
    assert [field["msg"] for field in answer.json()["details"]["fields"]] == ["It is missing.", OTHER]
    broken = web.post("/form", content=b"{", headers={"content-type": "application/json"})
    assert broken.json()["details"]["fields"][0]["msg"] == "It is no JSON."
    assert not THEIRS.search((answer.text + broken.text).replace("invalid-input", ""))


@pytest.mark.parametrize("kind", get_args(core_schema.ErrorType))
def test_every_kind_of_error_has_a_sentence_of_ours(kind: str) -> None:
    told = sentence({"type": kind, "msg": "Input should be valid", "input": SENT})
    assert told.endswith(".")
    assert not THEIRS.search(told)


def patterns(schema: object) -> set[str]:
    """Return every pattern anywhere in a schema."""
    if isinstance(schema, list):
        return set().union(*map(patterns, schema))
    if not isinstance(schema, dict):
        return set()
    own = {schema["pattern"]} if isinstance(schema.get("pattern"), str) else set()
    return own.union(*map(patterns, schema.values()))


@pytest.mark.parametrize("router", [intake, operations, search], ids=["intake", "operations", "search"])
def test_every_form_that_is_asked_for_is_told_in_words(router: APIRouter) -> None:
    app = FastAPI()
    app.include_router(router)
    asked = patterns(app.openapi())
    assert asked
    for pattern in asked:
        told = sentence({"type": "string_pattern_mismatch", "ctx": {"pattern": pattern}})
        assert told.startswith("It has not the form: "), pattern
        assert not set("^$[]{}") & set(told)
