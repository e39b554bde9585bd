"""The commands for what became of orders, and for who may sign in: the same as the pages say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from comity.adapters.onnx_faces import OnnxFaces
from comity.cli import orders
from comity.cli.connect import Api
from comity.domain import entries as e
from comity.domain.ids import GrantId, OrderId, Ori, PartyId
from comity.domain.provisional import CONFIRMS, LAPSES, lapse
from comity.reads.orders import iso
from commands import COURT, DANE, MILWAUKEE, SEARCH, Cli, served


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory, encoder: OnnxFaces) -> Iterator[Cli]:
    with served(tmp_path_factory.mktemp("cli") / "home", encoder) as one:
        yield one


def test_an_order_is_listed_read_back_and_ended(cli: Cli, tmp_path: Path) -> None:
    paper, back = tmp_path / "order.pdf", tmp_path / "back.pdf"
    paper.write_bytes(b"%PDF-1.7 the court orders")
    court = ("--court", COURT, "--as", "Carla")
    words = ("seal", *court, "--statute", "ny-cpl-160.50", "--atn", "ATN-CLI", "--document", paper, "--yes")
    order = cli.json(*words)["receipt"]["event_id"]
    held = cli.json("receipt", order, *court)
    assert (held["state"], held["numbers"]) == ("stands", {"atn": "ATN-CLI"})
    assert cli.json("orders", *court)[0]["order_id"] == order
    assert cli.json("document", order, *court, "--to", back)["bytes"] == len(paper.read_bytes())
    assert back.read_bytes() == paper.read_bytes()
    assert cli.json("document", order, *court, "--to", back, code=2)["status"] == 400
    assert cli.json("certificate", order, *court) == []
    assert "destroys nothing" in cli.run("certificate", order, *court).stdout
    assert cli.json("lift", order, *court, "--yes")["position"] > held["position"]
    told = cli.run("receipt", order, *court).stdout
    assert "Lifted on" in told
    assert "No record." in told  # nothing that comes is covered any more
    assert "yet" not in told
    assert "Lifted on" in cli.run("orders", *court).stdout
    assert cli.json("lift", order, *court, "--yes", code=5)["status"] == 409


def test_a_preview_pressed_again_after_its_order_was_lifted_says_so(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry got "is in the journal already; from this position on the records are hidden", whatever came since."""
    court, statute = ("--court", COURT, "--as", "Carla"), ("--statute", "ny-cpl-160.50", "--yes")
    cli.enrol("p06", "B-AGAIN")
    shown = list[dict[str, Any]]()
    see = orders._preview

    def remembered(api: Api, what: str, statute: str, numbers: orders.Numbers, until: date | None) -> dict[str, Any]:
        shown.append(see(api, what, statute, numbers, until))
        return shown[0]

    monkeypatch.setattr(orders, "_preview", remembered)
    words = ("seal", *court, *statute, "--booking", "B-AGAIN", "--agency", MILWAUKEE)
    order = cli.json(*words)["receipt"]["event_id"]
    assert cli.json(*words)["now"] == "Stands"
    cli.json("lift", order, *court, "--yes")
    told = " ".join(cli.run(*words).stdout.split())
    assert "was in the journal before" in told
    assert "Now: Lifted on" in told
    assert "are hidden" not in told
    assert cli.json(*words)["now"].startswith("Lifted on")


def test_kin_is_told_apart_by_commands(cli: Cli) -> None:
    """The same picture under another booking is kin: no order names it."""
    court = ("--court", COURT, "--as", "Carla")
    first, second = (cli.enrol("p07", number)["record_id"] for number in ("B-KIN-1", "B-KIN-2"))
    asked = (*court, "--booking", "B-KIN-1", "--agency", MILWAUKEE)
    dry = cli.json("expunge", *asked, "--statute", "wi-165.84", "--dry-run")["preview"]
    assert {one["record_id"]: one["named"] for one in dry["covers"]} == {first: True, second: False}
    assert cli.run("find", *asked).stdout.count("kin:") == 1


def test_what_is_due_to_lapse_is_said_as_on_the_page(cli: Cli) -> None:
    """A lapse waits for the clock: "stands, lapses on a day in the past" was said without it."""
    exchange, court = cli.exchange, ("--court", COURT, "--as", "Carla")
    tag = exchange.indexer.index(e.IndexKind.ATN, "ATN-DUE", Ori(MILWAUKEE))
    past = exchange.now() - timedelta(minutes=1)
    event = e.RecordsProvisionallySealed(OrderId("p-due"), "ca-pc-851.91", (), (tag,), past)
    exchange.orders.submit(exchange.journal.entry(event, key="k", signer=exchange.keyring.signer(PartyId(COURT))))
    held = cli.json("receipt", "p-due", *court)
    assert (held["state"], held["due"]) == ("stands", True)
    assert held["now"].endswith("once the clock has confirmed that")
    assert "once the clock" in cli.run("receipt", "p-due", *court).stdout


def test_a_document_is_read_back_into_a_file_of_its_owners_alone(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper, back = tmp_path / "order.pdf", tmp_path / "back.pdf"
    paper.write_bytes(b"%PDF-1.7 the court orders")
    court = ("--court", COURT, "--as", "Carla")
    order = cli.json("seal", *court, "--statute", "ny-cpl-160.50", "--atn", "ATN-MODE", "--document", paper, "--yes")
    words = ("document", order["receipt"]["event_id"], *court, "--to", back)
    before = os.umask(0)
    try:
        cli.json(*words)
    finally:
        os.umask(before)
    assert back.stat().st_mode & 0o077 == 0
    back.unlink()
    with monkeypatch.context() as full:
        full.setattr(os, "fdopen", lambda *_: open("/dev/full", "wb", buffering=0))  # noqa: PTH123, SIM115
        assert "No space left" in cli.json(*words, code=1)["detail"]
    assert not back.exists(), "half a document, which stops the next try"


@pytest.mark.parametrize("name", ["", ".", "..", "\udcff"])
def test_a_name_reaches_no_other_route(cli: Cli, name: str) -> None:
    court, end = ("--court", COURT, "--as", "Carla"), cli.end()
    commands = [
        ("receipt", name, *court),
        ("lift", name, *court, "--yes"),
        ("certificate", name, *court),
        ("revoke", name, "--as", "Ada"),
        ("machine", "revoke", name),
        ("key", "revoke", name, "--yes"),
        ("exposures", name),
        ("reveal", name, "0" * 64, "--as", "Iris", "--reason", "x"),
    ]
    for words in commands:
        assert "Nothing is called" in cli.json(*words, code=4)["detail"], words
    assert "machine_id" in cli.json("machine", "revoke", "../../../operations/v1/people/u-1", code=2)["detail"]
    assert cli.end() <= end + 1, "none was entered but a tick"


def test_a_provisional_seal_is_tried_entered_read_and_lifted_by_command(cli: Cli) -> None:
    cli.enrol("p08", "B-PROV-CLI")
    court, last = ("--court", COURT, "--as", "Carla"), (cli.exchange.now() + timedelta(days=20)).date()
    numbers = ("--booking", "B-PROV-CLI", "--agency", MILWAUKEE)
    words = ("seal", *court, "--statute", "mn-609a", *numbers, "--provisional")
    until = ("--until", last.isoformat())
    end = cli.json("orders", *court)
    dry = cli.json(*words, *until, "--dry-run")
    assert (dry["receipt"], cli.json("orders", *court)) == (None, end)
    assert datetime.fromisoformat(dry["preview"]["lapses_at"]) == lapse(last)
    told = " ".join(cli.run(*words, *until, "--yes").stdout.split())
    for sentence in (f"lapses on {iso(lapse(last))}", LAPSES, CONFIRMS, "the records are hidden; it lapses on"):
        assert sentence in told
    assert "but from the agency" not in told  # the statute's own mode would let it search
    (held, *_) = cli.json("orders", *court)
    assert (held["kind"], held["mode"]) == ("provisional", "COURT_ORDER_ONLY")
    assert held["now"] == f"Stands, lapses on {iso(lapse(last))}"
    assert LAPSES in " ".join(cli.run("receipt", held["order_id"], *court).stdout.split())
    cli.json("lift", held["order_id"], *court, "--yes")
    assert cli.json("receipt", held["order_id"], *court)["state"] == "lifted"
    for wrong in ((), ("--until", "2020-01-01")):
        assert "Name a day from" in cli.json(*words, *wrong, "--yes", code=2)["advice"]
    bare = words[:-1]
    assert "Only a provisional seal" in cli.json(*bare, *until, "--yes", code=2)["detail"]
    assert cli.run(*words, "--until", "soon").exit_code == 2


def test_a_command_takes_plain_files_alone(cli: Cli, tmp_path: Path) -> None:
    """A device has no end, and a pipe may never begin."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    court = ("--court", COURT, "--as", "Carla", "--statute", "ny-cpl-160.50", "--atn", "ATN-PIPE", "--dry-run")
    given: list[tuple[str | Path, ...]] = [
        ("enrol", "/dev/zero", "--agency", MILWAUKEE, "--booking", "B-ZERO", "--age", "30"),
        ("search", pipe, "--as", "Iris", *SEARCH),
        ("seal", *court, "--document", pipe),
    ]
    for words in given:
        assert "no plain file" in cli.json(*words, code=2)["detail"]


def test_what_a_seal_says_is_so_for_what_it_covers(cli: Cli) -> None:
    court = ("--court", COURT, "--as", "Carla")
    end = cli.end()
    dry = cli.run("seal", *court, "--statute", "ny-cpl-160.50", "--atn", "ATN-SAYS", "--dry-run")
    assert "no order was entered. That you looked is in the journal." in dry.stdout
    assert cli.end() > end
    bare = cli.run("seal", *court, "--statute", "ny-cpl-160.50", "--atn", "ATN-SAYS", "--yes")
    assert "it covers no record that is here now" in bare.stdout
    assert "are hidden" not in bare.stdout
    cli.enrol("p05", "B-SAYS")
    asked = (*court, "--booking", "B-SAYS", "--agency", MILWAUKEE, "--yes")
    assert "but from the agency that holds them" in cli.run("seal", *asked, "--statute", "mn-609a").stdout
    assert "records are hidden." in cli.run("seal", *asked, "--statute", "ny-cpl-160.50").stdout


def test_a_grant_stands_until_it_is_revoked(cli: Cli) -> None:
    words = ("--purpose", "serious-crime", "--right", "search", "--days", "30", "--in-return", "the same")
    grant = cli.json("grant", DANE, MILWAUKEE, *words)["grant_id"]
    assert [(g["in_force"], g["in_return"]) for g in cli.json("grants") if g["grant_id"] == grant] == [(True, "the same")]
    assert "In return: the same" in cli.run("grants").stdout
    cli.json("revoke", grant)
    (ended,) = [g for g in cli.json("grants") if g["grant_id"] == grant]
    assert not ended["in_force"]
    assert ended["now"] == f"taken back at position {ended['revoked_at_position']}"
    assert ended["now"] in " ".join(cli.run("grants").stdout.split())
    assert cli.json("revoke", "g-none", "--as", "Dora", code=4)["status"] == 404


def test_people_are_given_roles_signed_out_and_removed_by_command(cli: Cli) -> None:
    cli.json("user", "add", "Tess Term", "--party", MILWAUKEE, "--role", "investigator")
    assert cli.json("user", "roles", "Tess Term", "--role", "examiner")["roles"] == ["examiner"]
    cli.json("user", "link", "Tess Term")
    assert cli.json("user", "sign-out", "Tess Term")["ended"] == 1
    assert cli.json("user", "remove", "Tess Term", "--yes")["removed"]
    assert "Tess Term" not in {person["name"] for person in cli.json("user", "list")}
    assert cli.json("user", "roles", "Tess Term", "--role", "examiner", code=4)["status"] == 404


def test_a_key_is_revoked_by_command(cli: Cli) -> None:
    assert cli.json("key", "revoke", "none-such", "--yes", code=4)["status"] == 404


def test_a_grants_number_is_its_owners_own(cli: Cli) -> None:
    """Two owners may use one number, by events of their own: the first of the register was taken for whoever was meant."""
    exchange = cli.exchange

    def granted(number: str, owner: str, grantee: str) -> None:
        until = exchange.now() + timedelta(days=30)
        words = (e.RecordClass.BOOKING,), ("serious-crime",), ("search",), until, ""
        event = e.ShareGranted(GrantId(number), Ori(owner), Ori(grantee), *words)
        signer = exchange.keyring.signer(PartyId(owner))
        exchange.orders.submit(exchange.journal.entry(event, key=number, signer=signer))

    for number in ("MOU/2026/7", "same"):
        granted(number, MILWAUKEE, DANE)
        granted(number, DANE, MILWAUKEE)
        assert "--as" in cli.json("revoke", number, code=2)["advice"]
        cli.json("revoke", number, "--as", "Ada")
        cli.json("revoke", number)  # the one that is left in force
        ended = [g["owner"] for g in cli.json("grants") if g["grant_id"] == number and not g["in_force"]]
        assert sorted(ended) == [MILWAUKEE, DANE]
