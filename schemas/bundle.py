"""Keep the schemas' lock and the package's bundle in step with ``comity.v1/*.avsc``. Run by ``make schemas``.

    python schemas/bundle.py            grow the lock, write the bundle
    python schemas/bundle.py --check    change nothing; 1 if something would change, 2 if it must not
    python schemas/bundle.py --draft T  print a first schema of a new event type, its fields' docs left empty

The lock holds every version of every type that was ever written, with its id: logs are for ever, and so are ids. A type may
gain fields that have defaults; whatever else changes would leave old entries unreadable, and is refused.
"""  # noqa: INP001 - a script beside data

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
import sys
import types
import typing
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastavro.schema import to_parsing_canonical_form

from comity.domain import entries

HERE = Path(__file__).parent
LOCK = HERE / "registry.lock.json"
BUNDLE = HERE.parent / "services" / "comity" / "wire" / "schemas.json"

Schema = Any
Lock = dict[str, list[dict[str, Any]]]

_PRIMITIVES = {str: "string", int: "long", float: "double", bytes: "bytes"}


class NotAdditive(ValueError):
    """A schema lost or changed something that entries in the log still hold."""


def bare(schema: Schema) -> Schema:
    """Return a schema without its docs: what decides how bytes are read, defaults and logical types included."""
    if isinstance(schema, dict):
        return {key: bare(value) for key, value in schema.items() if key != "doc"}
    return [bare(one) for one in schema] if isinstance(schema, list) else schema


def problems(old: Schema, new: Schema, where: str) -> list[str]:
    """Return what keeps the new schema from reading all that was written under the old one; both bare."""
    if not (isinstance(old, dict) and isinstance(new, dict) and old["type"] == new["type"]):
        return [] if old == new else [f"{where}: the type changed"]
    if old["type"] == "array":
        return problems(old["items"], new["items"], f"{where}[]")
    if old["type"] != "record":
        return [] if old == new else [f"{where}: the type changed"]
    found = [] if old["name"] == new["name"] else [f"{where}: the name changed"]
    before = {field["name"]: field for field in old["fields"]}
    after = {field["name"]: field for field in new["fields"]}
    found += [f"{where}.{name}: the field is gone" for name in before if name not in after]
    found += [f"{where}.{name}: {why}" for name in after if name not in before and (why := _unreadable(after[name]))]
    for name in before.keys() & after.keys():
        found += problems(before[name]["type"], after[name]["type"], f"{where}.{name}")
        if before[name].get("default", ...) != after[name].get("default", ...):
            found.append(f"{where}.{name}: the default changed")
    return found


def _unreadable(field: dict[str, Any]) -> str:
    """Say why a new field could not be filled in where an older entry lacks it; empty where it can."""
    if "default" not in field:
        return "new, without a default"
    kind = field["type"]
    if kind == "bytes" or (isinstance(kind, dict) and "logicalType" in kind):
        # fastavro hands such a default out as it stands in the schema: a str for bytes, an int for a time.
        return 'new, of a kind whose default cannot be read: make it ["null", ...], null by default'
    return ""


def grown(lock: Lock, schemas: dict[str, Schema]) -> Lock:
    """Return the lock with what is new in these schemas; ids go on from the highest. Raises NotAdditive with all problems."""
    found = [f"{name}: the type is gone" for name in lock if name not in schemas]
    held = {name: list(versions) for name, versions in lock.items()}
    following = 1 + max((version["id"] for versions in lock.values() for version in versions), default=0)
    for name, schema in schemas.items():
        plain = bare(schema)
        versions = held.setdefault(name, [])
        if versions and versions[-1]["schema"] == plain:
            continue
        for version in versions:
            found += problems(version["schema"], plain, name)
        if not found:  # else fastavro, which computes the canonical form, may stop at the problem first
            digest = sha256(to_parsing_canonical_form(plain).encode()).hexdigest()
            versions.append({"id": following, "sha256": digest, "schema": plain})
            following += 1
    if found:
        raise NotAdditive("\n".join(found))
    return held


def bundled(lock: Lock) -> dict[str, list[Any]]:
    """Return what the codec needs: every id with its type's name and schema."""
    pairs = {version["id"]: [name, version["schema"]] for name, versions in lock.items() for version in versions}
    return {str(number): pairs[number] for number in sorted(pairs)}


def read_schemas() -> dict[str, Schema]:
    """Read ``comity.v1/*.avsc``, in the order in which the domain names its events, so that first ids are stable."""
    order = [event.__name__ for event in typing.get_args(entries.Event)]
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted((HERE / "comity.v1").glob("*.avsc"))}
    return {
        name: found[name] for name in sorted(found, key=lambda name: (order.index(name) if name in order else len(order), name))
    }


def read_lock() -> Lock:
    """Read the committed lock; an empty one where there is none yet."""
    return typing.cast("Lock", json.loads(LOCK.read_text("utf-8"))) if LOCK.exists() else {}


def draft(kind: type) -> Schema:
    """Return a record schema of a dataclass: its docstring as its doc, its fields' docs empty, to be written by hand."""
    hints = typing.get_type_hints(kind)
    fields = [{"name": field.name, "type": _type(hints[field.name]), "doc": ""} for field in dataclasses.fields(kind)]
    return {"type": "record", "name": kind.__name__, "namespace": "comity.v1", "doc": doc_of(kind), "fields": fields}


def doc_of(kind: type) -> str:
    """Return a type's docstring on one line."""
    return " ".join((inspect.getdoc(kind) or "").split())


def _type(hint: Any) -> Schema:  # noqa: ANN401 - a type hint has no type
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return ["null", *(_type(one) for one in typing.get_args(hint) if one is not types.NoneType)]
    if typing.get_origin(hint) is tuple:
        return {"type": "array", "items": _type(typing.get_args(hint)[0])}
    if dataclasses.is_dataclass(hint):
        return draft(typing.cast("type", hint))
    if hint is datetime:
        return {"type": "long", "logicalType": "timestamp-millis"}
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return "string"
    return _PRIMITIVES[getattr(hint, "__supertype__", hint)]


def _render(content: object) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write or check; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing, say whether something would change")
    parser.add_argument("--draft", metavar="TYPE", help="print a first schema of this event type")
    options = parser.parse_args(arguments)
    if options.draft:
        sys.stdout.write(json.dumps(draft(getattr(entries, options.draft)), indent=2) + "\n")
        return 0
    try:
        lock = grown(read_lock(), read_schemas())
    except NotAdditive as error:
        sys.stderr.write(f"{error}\nGive a new field a default, or name a new event type.\n")
        return 2
    wanted = {LOCK: _render(lock), BUNDLE: json.dumps(bundled(lock), separators=(",", ":")) + "\n"}
    stale = [path for path, content in wanted.items() if not path.exists() or path.read_text("utf-8") != content]
    for path in stale:
        sys.stdout.write(f"{'stale' if options.check else 'wrote'}: {path.relative_to(HERE.parent)}\n")
        if not options.check:
            path.write_text(wanted[path], "utf-8")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
