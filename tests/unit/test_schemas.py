"""The schemas, their lock, the package's bundle and the golden events."""

from __future__ import annotations

import copy
import dataclasses
import importlib.util
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib import resources
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import fastavro
import pytest

from comity.domain import entries
from comity.domain.entries import SearchWithheld
from comity.domain.ids import SearchId
from comity.wire import codec

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas"
GOLDEN = sorted((SCHEMAS / "golden").glob("*.json"))


def load_bundler() -> ModuleType:
    spec = importlib.util.spec_from_file_location("schemas_bundle", SCHEMAS / "bundle.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bundler: Any = load_bundler()  # Any: a script has no types to import
FILES: dict[str, Any] = bundler.read_schemas()
LOCK: dict[str, Any] = bundler.read_lock()


def records(schema: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Yield a schema's records, the nested ones too."""
    if isinstance(schema, list):
        for one in schema:
            yield from records(one)
    elif isinstance(schema, dict) and schema["type"] == "record":
        yield schema
        for field in schema["fields"]:
            yield from records(field["type"])
    elif isinstance(schema, dict):
        yield from records(schema.get("items", "none"))


def without_defaults(schema: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(schema, dict):
        return {key: without_defaults(value) for key, value in schema.items() if key != "default"}
    return [without_defaults(one) for one in schema] if isinstance(schema, list) else schema


def test_every_event_has_exactly_one_schema() -> None:
    assert set(FILES) == {kind.__name__ for kind in codec.EVENT_TYPES}
    assert [schema["name"] for schema in FILES.values()] == list(FILES)


@pytest.mark.parametrize("kind", codec.EVENT_TYPES, ids=lambda kind: kind.__name__)
def test_a_schema_has_the_fields_of_its_event(kind: type) -> None:
    drawn = bundler.bare(bundler.draft(kind))
    assert without_defaults(bundler.bare(FILES[kind.__name__])) == drawn


@pytest.mark.parametrize("name", FILES)
def test_every_type_and_field_has_its_doc(name: str) -> None:
    for record in records(FILES[name]):
        assert record["doc"] == bundler.doc_of(getattr(entries, record["name"]))
        for field in record["fields"]:
            assert field["doc"].endswith(".")
            assert len(field["doc"].split()) >= 3, f"{record['name']}.{field['name']}"


def test_one_nested_type_is_described_in_the_same_words_everywhere() -> None:
    described: dict[str, Any] = {}
    for schema in FILES.values():
        for record in records(schema):
            assert described.setdefault(record["name"], record) == record


def test_the_lock_and_the_bundle_agree_with_the_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert bundler.main(["--check"]) == 0, capsys.readouterr().out
    held = [version["id"] for versions in LOCK.values() for version in versions]
    assert len(held) == len(set(held))


def changed(change: Callable[[dict[str, Any]], None], name: str = "SearchWithheld") -> dict[str, Any]:
    """Return all schemas, one of them changed."""
    schemas = copy.deepcopy(FILES)
    change(schemas[name])
    return schemas


def drop_field(schema: dict[str, Any]) -> None:
    schema["fields"].pop()


def change_type(schema: dict[str, Any]) -> None:
    schema["fields"][1]["type"] = "int"


def rename_field(schema: dict[str, Any]) -> None:
    schema["fields"][1]["name"] = "tries"


def rename_type(schema: dict[str, Any]) -> None:
    schema["name"] = "SearchGivenUp"


def add_without_default(schema: dict[str, Any]) -> None:
    schema["fields"].append({"name": "more", "type": "string"})


def add_with_default(schema: dict[str, Any]) -> None:
    schema["fields"].append({"name": "more", "type": "string", "default": ""})


def test_what_changes_nothing_grows_nothing() -> None:
    assert bundler.grown(LOCK, FILES) == LOCK


@pytest.mark.parametrize("change", [drop_field, change_type, rename_field, rename_type, add_without_default])
def test_what_is_not_additive_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    with pytest.raises(bundler.NotAdditive, match="SearchWithheld"):
        bundler.grown(LOCK, changed(change))


def test_a_type_never_goes() -> None:
    with pytest.raises(bundler.NotAdditive, match="ClockTicked: the type is gone"):
        bundler.grown(LOCK, {name: schema for name, schema in FILES.items() if name != "ClockTicked"})


def nested(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    def inner(schema: dict[str, Any]) -> None:
        change(schema["fields"][0]["type"]["items"])

    return inner


@pytest.mark.parametrize("change", [drop_field, add_without_default, rename_field])
def test_a_nested_type_only_grows_either(change: Callable[[dict[str, Any]], None]) -> None:
    with pytest.raises(bundler.NotAdditive, match=r"RecordsAdmitted\.records\[\]"):
        bundler.grown(LOCK, changed(nested(change), "RecordsAdmitted"))
    assert len(bundler.grown(LOCK, changed(nested(add_with_default), "RecordsAdmitted"))["RecordsAdmitted"]) == 2


@pytest.mark.parametrize(
    ("name", "place", "kind"),
    [("ClockTicked", 0, "long"), ("SearchPerformed", -1, ["null", "string", "long"]), ("RecordsUnsealed", 1, "string")],
)
def test_no_type_of_a_field_changes(name: str, place: int, kind: object) -> None:
    def change(schema: dict[str, Any]) -> None:
        schema["fields"][place]["type"] = kind

    with pytest.raises(bundler.NotAdditive, match="the type changed"):
        bundler.grown(LOCK, changed(change, name))


def test_a_default_never_changes() -> None:
    def change(schema: dict[str, Any]) -> None:
        del schema["fields"][-1]["default"]

    with pytest.raises(bundler.NotAdditive, match="the default changed"):
        bundler.grown(LOCK, changed(change, "SearchPerformed"))


def test_a_field_with_a_default_gets_a_new_id_and_reads_what_was_written_before() -> None:
    grown = bundler.grown(LOCK, changed(add_with_default))
    older, newer = grown["SearchWithheld"]
    assert newer["id"] == 1 + max(version["id"] for versions in LOCK.values() for version in versions)
    stream = BytesIO()
    fastavro.schemaless_writer(stream, older["schema"], {"search_id": "s", "attempts": 1, "reason": "late"})
    stream.seek(0)
    read = fastavro.schemaless_reader(stream, older["schema"], newer["schema"])
    assert read == {"search_id": "s", "attempts": 1, "reason": "late", "more": ""}


@pytest.mark.parametrize("kind", ["bytes", {"type": "long", "logicalType": "timestamp-millis"}])
def test_a_default_that_fastavro_would_not_convert_is_refused(kind: object) -> None:
    def change(schema: dict[str, Any]) -> None:
        schema["fields"].append({"name": "more", "type": kind, "default": 0})

    with pytest.raises(bundler.NotAdditive, match="cannot be read"):
        bundler.grown(LOCK, changed(change))


def test_the_codec_reads_older_ids_and_writes_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    number, event = codec.schema_id(SearchWithheld), SearchWithheld(SearchId("s"), 1, "unknown")
    written = codec.encode(event)
    bundle = bundler.bundled(LOCK)
    older, newer = copy.deepcopy(bundle[str(number)]), copy.deepcopy(bundle[str(number)])
    older[1]["fields"].pop()
    newer[1]["fields"][-1]["default"] = "unknown"
    grown = json.dumps(bundle | {str(number): older, "1000": newer}).encode()
    monkeypatch.setattr(resources, "files", lambda _: _Files(grown))
    codec._registry.cache_clear()
    try:
        assert codec.decode(codec.FRAME.pack(0, number) + b"\x02s\x02") == event
        assert codec.encode(event) == codec.FRAME.pack(0, 1000) + written[5:]
    finally:
        monkeypatch.undo()
        codec._registry.cache_clear()


class _Files:
    """Stands for the package's files: one bundle."""

    def __init__(self, bundle: bytes) -> None:
        self._bundle = bundle

    def joinpath(self, _: str) -> _Files:
        return self

    def read_bytes(self) -> bytes:
        return self._bundle


def plain(held: object) -> object:
    """Return what JSON can hold of an event: bytes in hex, times in ISO 8601."""
    if isinstance(held, dict):
        return {name: plain(value) for name, value in held.items()}
    if isinstance(held, (list, tuple)):
        return [plain(one) for one in held]
    if isinstance(held, bytes):
        return held.hex()
    return held.isoformat() if isinstance(held, datetime) else held


def test_every_type_has_a_golden_event() -> None:
    assert {path.stem for path in GOLDEN} == set(FILES)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_event_reads_and_writes_as_ever(path: Path) -> None:
    value = path.with_suffix(".bin").read_bytes()
    event = codec.decode(value)
    assert type(event).__name__ == path.stem
    assert plain(dataclasses.asdict(event)) == json.loads(path.read_text("utf-8"))
    assert codec.encode(event) == value


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_event_reads_alike_with_the_schema_file_alone(path: Path) -> None:
    stream = BytesIO(path.with_suffix(".bin").read_bytes()[5:])
    raw = fastavro.schemaless_reader(stream, fastavro.parse_schema(FILES[path.stem]), None)
    assert plain(cast("dict[str, Any]", raw)) == json.loads(path.read_text("utf-8"))
