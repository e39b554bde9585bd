"""The command line against a running exchange: what it prints, how it exits, and what it leaves behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from builders import PEOPLE
from comity.adapters.onnx_faces import OnnxFaces
from comity.cli.main import COMMANDS, app, hoist, load
from comity.cli.output import moment
from comity.domain.policy import MODES, PURPOSES, STATUTES
from comity.domain.posting import Preview, Suppression
from commands import COURT, DANE, MILWAUKEE, SEARCH, Cli, served


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory, encoder: OnnxFaces) -> Iterator[Cli]:
    with served(tmp_path_factory.mktemp("cli") / "home", encoder) as one:
        yield one


# --- the command line itself ---


def test_help_lists_every_command_without_reading_any() -> None:
    code = "import sys\nfrom comity.cli.main import app\ntry: app(['--help'])\nexcept SystemExit: pass\n"
    code += "print([m for m in sys.modules if m in ('httpx2', 'numpy', 'pydantic', 'sqlalchemy', 'comity.bootstrap')])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert all(name in ran.stdout for name in COMMANDS)
    assert ran.stdout.strip().endswith("[]"), "help reads what it does not need"


@pytest.mark.parametrize("name", [n for n in COMMANDS if n != "demo"])
def test_every_commands_help_has_an_example(name: str) -> None:
    below = {
        "agency": "add",
        "court": "add",
        "user": "add",
        "key": "revoke",
        "clock": "show",
        "anchor": "show",
        "machine": "list",
    }
    words = [name, *([below[name]] if name in below else []), "--help"]
    ran = CliRunner().invoke(app, words)
    assert ran.exit_code == 0
    assert f"Example: comity {name}" in " ".join(ran.stdout.split()) or name == "up"


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_commands_usage_is_words_without_braces(name: str) -> None:
    for words in ([name, below] for below in (getattr(load(name), "commands", None) or {""})):
        usage = CliRunner().invoke(app, [*filter(None, words), "--help"]).stdout.partition("Usage: ")[2].splitlines()[0]
        _, _, arguments = usage.partition("[OPTIONS]")
        assert arguments == arguments.upper(), usage
        assert not set("{}") & set(usage)


def test_options_for_every_command_may_stand_anywhere() -> None:
    assert hoist(["seal", "--json", "x", "--as", "Iris", "--home=h"]) == ["--json", "--as", "Iris", "--home=h", "seal", "x"]
    assert hoist(["seal", "--", "--json"]) == ["seal", "--", "--json"]


def test_a_mistyped_command_is_answered_with_the_right_one(cli: Cli) -> None:
    ran = cli.run("serach")
    assert ran.exit_code == 2
    assert "search" in ran.stderr


def test_a_wrong_use_is_a_problem_object_with_json(cli: Cli) -> None:
    problem = cli.json("rebuild", "everything", code=2)
    assert problem["type"] == "urn:comity:problem:usage"
    assert set(problem) == {"type", "title", "status", "detail", "advice", "trace_id", "details"}


def test_an_error_is_a_sentence_and_an_advice_without_a_traceback(cli: Cli) -> None:
    ran = cli.run("exposures", "nonsense")
    assert ran.exit_code == 2
    assert ran.stdout == ""
    assert "a record id is 32" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_what_nobody_foresaw_is_told_with_a_trace_id_and_its_place_only_on_request(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr("comity.cli.operate.connect", broken)
    ran = cli.run("status")
    assert ran.exit_code == 1
    assert "trace id" in ran.stderr
    assert "a secret" not in ran.stderr
    monkeypatch.setenv("COMITY_DEBUG", "1")
    assert "Traceback" in cli.run("status").stderr


def test_ctrl_c_is_130(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("comity.cli.operate.connect", stopped)
    assert cli.run("status").exit_code == 130


def test_a_setting_that_cannot_be_used_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMITY_PORT", "many")
    ran = cli.run("status")
    assert ran.exit_code == 2
    assert "COMITY_PORT" in ran.stderr


# --- who does it ---


def test_the_operator_is_added_to_a_home_without_people(cli: Cli) -> None:
    (roles,) = (person["roles"] for person in cli.json("user", "list") if person["name"] == "operator")
    assert roles == ["administrator", "auditor", "operator"]


def test_somebody_without_the_role_may_not(cli: Cli) -> None:
    assert cli.json("--as", "Iris", "fsck", code=3)["type"] == "urn:comity:problem:not-permitted"


def test_nobody_with_the_role_is_told_whom_to_add(cli: Cli) -> None:
    problem = cli.json("grant", "CA0010000", DANE, "--purpose", "serious-crime", "--days", "1", code=3)
    assert "comity user add NAME --party CA0010000 --role agency-administrator" in problem["advice"]


def test_an_unknown_person_is_not_found(cli: Cli) -> None:
    problem = cli.json("status", "--as", "Zoe", code=4)
    assert "'Zoe'" in problem["detail"]


def test_several_who_could_are_named(cli: Cli) -> None:
    cli.json("user", "add", "Clara", "--party", COURT, "--role", "clerk")
    problem = cli.json("find", "--court", COURT, "--atn", "A-1", code=2)
    assert "Carla" in problem["advice"]
    assert "Clara" in problem["advice"]


def test_a_link_signs_in_at_the_running_exchange(cli: Cli) -> None:
    link = cli.json("user", "link", "Iris")
    assert link["url"].startswith("http://127.0.0.1:")
    token = link["url"].rpartition("/")[2]
    assert cli.exchange.identity.person(cli.exchange.identity.sign_in(token)).name == "Iris"


def test_a_home_that_is_not_there_is_not_made_by_a_search(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["--home", str(tmp_path / "none"), "search", str(PEOPLE / "p01" / "1.jpg"), *SEARCH])
    assert ran.exit_code == 4
    assert not (tmp_path / "none").exists()


def test_sessions_end_with_their_command(cli: Cli) -> None:
    cli.json("status")
    identity = cli.exchange.identity
    held = identity._connection.execute("SELECT count(*) FROM token WHERE kind = 'session'").fetchone()
    assert held[0] <= 1  # the link test's own


def test_nobody_acts_for_a_party_that_is_not_registered(cli: Cli) -> None:
    problem = cli.json("user", "add", "Nemo", "--party", "WI0139999", "--role", "clerk", code=2)
    assert "agency add" in problem["advice"]
    assert "Nemo" not in {person["name"] for person in cli.json("user", "list")}
    assert cli.json("user", "add", "Olga", "--party", "exchange", "--role", "auditor")["party"] == "exchange"


@pytest.mark.parametrize(("party", "role"), [(COURT, "investigator"), ("exchange", "examiner"), (DANE, "administrator")])
def test_a_role_is_given_only_to_whom_the_party_allows(cli: Cli, party: str, role: str) -> None:
    """R39."""
    problem = cli.json("user", "add", "Nobody Else", "--party", party, "--role", role, code=2)
    assert "This role is for people of" in problem["advice"]
    assert "Nobody Else" not in {person["name"] for person in cli.json("user", "list")}


def test_a_link_for_one_of_two_people_of_one_name_needs_the_pseudonym(cli: Cli) -> None:
    both = [cli.json("user", "add", "Kim Twice", "--party", party, "--role", "auditor") for party in (DANE, COURT)]
    advice = cli.json("user", "link", "Kim Twice", code=2)["advice"]
    assert "pseudonym" in advice
    assert all(person["user_id"] in advice for person in both)
    assert cli.json("user", "link", both[1]["user_id"])["user_id"] == both[1]["user_id"]
    assert "user list" in cli.json("user", "link", "Nobody", code=4)["advice"]


def test_times_are_written_in_one_way(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert moment("2026-03-01T14:05:00.25-06:00") == "2026-03-01T20:05:00Z"
    assert moment(None) == ""
    assert all(entry["at"].endswith("Z") for entry in cli.json("journal"))
    assert re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", cli.run("journal").stdout)


# --- parties, state, tables ---


def test_a_second_registration_is_a_conflict(cli: Cli) -> None:
    refused = cli.json("agency", "add", DANE, "Again", "--class", "county", code=5)
    assert (refused["status"], refused["detail"]) == (409, f"{DANE} is registered already.")


def test_an_unknown_class_is_invalid(cli: Cli) -> None:
    assert "municipal" in cli.json("agency", "add", "CA0010000", "Alameda", "--class", "galactic", code=2)["advice"]
    assert "municipal" in cli.json("agency", "add", DANE, "Again", "--class", "galactic", code=2)["advice"]


def test_lists_are_lists(cli: Cli) -> None:
    assert {a["ori"] for a in cli.json("agency", "list")} == {MILWAUKEE, DANE}
    assert [c["court_id"] for c in cli.json("court", "list")] == [COURT]
    assert cli.run("agency", "list").stdout.count("WI01") == 2


def test_the_clock_is_shown_and_ruled_on(cli: Cli) -> None:
    """Rule 8: by an operator, with the administrator's key, and a reason."""
    now = cli.json("clock", "show")
    place = now["ticks"][-1]["position"]
    assert (now["held_by"], now["alarms"]) == (None, [])
    assert "Seals lapse by" in cli.run("clock", "show").stdout
    done = cli.json("clock", "confirm", str(place), "--reason", "looked at it")
    assert done["position"] > place
    assert (
        cli.json("clock", "void", str(place), str(place), "--reason", "not after all")["clock"]["newest_at"] != now["newest_at"]
    )
    assert cli.json("clock", "confirm", "0", "--reason", "no tick", code=4)["status"] == 404
    cli.exchange.clock.tick()


def test_status_fsck_journal_and_rebuild(cli: Cli) -> None:
    assert set(cli.json("status")) >= {"journal", "followers", "templates"}
    assert cli.json("fsck") == []
    newest = cli.json("journal", "--count", "2")
    assert newest[0]["position"] < newest[1]["position"]
    assert newest[1]["position"] >= cli.end() - 2  # a tick may come meanwhile
    entries = cli.json("journal", "--from", "1", "--count", "2")
    assert [e["position"] for e in entries] == [1, 2]
    assert cli.json("rebuild", "gallery") == {"rebuilt": "gallery"}
    assert cli.json("sweep") == {"jobs": 0, "files": 0, "bytes": 0, "found": 0}
    for words in (("status",), ("fsck",), ("journal",)):
        assert cli.run(*words).exit_code == 0


def test_policy_needs_no_exchange(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["--home", str(tmp_path / "none"), "--json", "policy"])
    tables = json.loads(ran.stdout)
    assert {"serious-crime", "missing-person"} <= {p["slug"] for p in tables["purposes"]}
    assert "wi-165.84" in {s["slug"] for s in tables["statutes"]}
    assert not (tmp_path / "none").exists()


def test_the_models_are_folded_once(cli: Cli) -> None:
    assert [Path(m["path"]).exists() for m in cli.json("models")] == [True, True]


def test_the_policy_is_readable_on_a_narrow_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = cli.run("policy").stdout
    assert all(len(line) <= 80 for line in said.splitlines() if "Digest" not in line)
    assert PURPOSES["immigration-enforcement"].why in " ".join(said.split())


# --- enrol, grant, search, review, reveal, seal: one journey ---


def test_a_journey_from_enrolment_to_seal(cli: Cli) -> None:
    said = cli.enrol("p01", "J-1", "--court-case", "26CF1", "--charge", "Burglary:felony", "--name", "R. Roe")
    assert said["receipt"]["topic"] == "comity.enrolments"
    probe = PEOPLE / "p01" / "2.jpg"
    answer = cli.json("search", probe, *SEARCH)
    (candidate,) = answer["candidates"]
    assert candidate["owner"] == MILWAUKEE
    shown = cli.run("search", probe, *SEARCH).stdout
    assert "leads only" in " ".join(shown.split())
    assert "match" not in shown.lower()

    missing = ("--class", "missing", "--class", "booking")
    assert cli.json("search", probe, *SEARCH, *missing, code=3)["status"] == 403  # a crime's search reaches bookings
    assert "--class" in cli.run("search", probe, *SEARCH, "--class", "applicant").stderr

    search = answer["search_id"]
    assert cli.json("reveal", search, "1", "--reason", "before any review", "--as", "Iris", code=3)["status"] == 403
    assert cli.json("review", search, candidate["candidate"][:8], "--finding", "possible")["finding"] == "possible"
    revealed = cli.json("reveal", search, "1", "--reason", "warrant 26-118", "--as", "Iris")
    assert revealed["particulars"]["name"] == "R. Roe"
    assert cli.json("exposures", said["record_id"])[0]["search_id"] == search

    order = ("--court", COURT, "--court-case", "26CF1", "--as", "Carla")
    before = looks_and_orders(cli)
    found = cli.json("find", *order)
    assert (set(found), found["per_agency"]) == ({"covers", "per_agency"}, {MILWAUKEE: 1})
    shown = cli.run("find", *order).stdout
    assert "admitted" in shown
    assert not any(word in shown for word in (*STATUTES, *MODES))
    dry = cli.json("seal", *order, "--statute", "ny-cpl-160.50", "--dry-run")
    assert (dry["receipt"], len(dry["preview"]["covers"])) == (None, 1)
    assert looks_and_orders(cli) == (before[0] + 3, before[1])  # each look is entered, and no order
    end = cli.end()
    sealed = cli.json("seal", *order, "--statute", "ny-cpl-160.50", "--yes")
    assert sealed["receipt"]["position"] >= end
    assert cli.json("search", probe, *SEARCH)["candidates"] == []
    again = cli.json("enrol", probe, "--agency", MILWAUKEE, "--booking", "J-1", "--age", "30", code=5)
    assert again["standing"]["state"] == "suppressed"


def looks_and_orders(cli: Cli) -> tuple[int, int]:
    """Return how many previews and how many targets of orders stand in the ledger, once it has read the journal's end."""
    cli.exchange.settle()
    return len(cli.exchange.ledger.rows(Preview)), len(cli.exchange.ledger.rows(Suppression))


def test_an_order_is_entered_only_when_confirmed(cli: Cli) -> None:
    cli.enrol("p02", "C-1")
    order = ("--court", COURT, "--booking", "C-1", "--agency", MILWAUKEE, "--as", "Carla", "--statute", "wi-165.84")
    before = looks_and_orders(cli)
    assert cli.run("seal", *order, answer="n\n").exit_code == 2
    refused = cli.run("expunge", *order, answer="C-2\n")
    assert refused.exit_code == 2
    assert "no order was entered" in refused.stderr
    assert looks_and_orders(cli) == (before[0] + 2, before[1])
    done = cli.run("expunge", *order, answer="C-1\n")
    assert done.exit_code == 0, done.stderr
    assert "is in the journal" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    "numbers", [(), ("--booking", "1"), ("--agency", MILWAUKEE, "--atn", "1"), ("--atn", "1", "--court-case", "2")]
)
def test_an_order_names_exactly_one_number(cli: Cli, numbers: tuple[str, ...]) -> None:
    assert cli.json("find", "--court", COURT, "--as", "Carla", *numbers, code=2)["type"] == "urn:comity:problem:invalid-input"


def test_a_statute_that_reaches_no_police_record_says_why(cli: Cli) -> None:
    problem = cli.json("seal", "--court", COURT, "--as", "Carla", "--statute", "wi-973.015", "--atn", "1", "--dry-run", code=3)
    assert "court's own record" in problem["detail"]


def test_a_search_that_policy_refuses_says_why(cli: Cli) -> None:
    words = [w.replace("serious-crime", "immigration-enforcement") for w in SEARCH]
    assert cli.json("search", PEOPLE / "p01" / "1.jpg", *words, code=3)["status"] == 403


def test_several_faces_are_listed_and_one_is_picked(cli: Cli, tmp_path: Path) -> None:
    from PIL import Image  # noqa: PLC0415 - one picture

    pictures = [Image.open(PEOPLE / person / "1.jpg") for person in ("p03", "p04")]
    whole = Image.new("RGB", (sum(p.width for p in pictures), pictures[0].height))
    whole.paste(pictures[0], (0, 0))
    whole.paste(pictures[1], (pictures[0].width, 0))
    path = tmp_path / "two.jpg"
    whole.save(path)
    ran = cli.run("search", path, *SEARCH)
    assert ran.exit_code == 2
    assert "--face" in ran.stderr
    assert cli.json("search", path, *SEARCH, "--face", "1")["candidates"] == []


def test_a_photograph_without_a_face_is_rejected_with_advice(cli: Cli, tmp_path: Path) -> None:
    from PIL import Image  # noqa: PLC0415 - one picture

    path = tmp_path / "grey.jpg"
    Image.new("RGB", (400, 400), "grey").save(path)
    said = cli.json("enrol", path, "--agency", MILWAUKEE, "--booking", "G-1", "--age", "30", code=2)
    assert (said["standing"]["state"], said["standing"]["reason"]) == ("rejected", "no-face")
    assert said["standing"]["advice"]


def test_what_became_of_a_second_enrolment_is_told_by_its_own_receipt(cli: Cli) -> None:
    at = ("--captured-at", "2026-03-01T14:05:00-06:00")
    first = cli.enrol("p10", "S-1", *at)
    again = cli.enrol("p10", "S-1", *at)
    assert again["receipt"]["sha256"] != first["receipt"]["sha256"]
    assert again["standing"]["enrolment_sha256"] == first["receipt"]["sha256"]
    photo = PEOPLE / "p10" / "1.jpg"
    words = ("enrol", photo, "--agency", MILWAUKEE, "--booking", "S-1", *at, "--age")
    assert cli.json(*words, "31", code=2)["standing"]["reason"] == "same-version"
    assert cli.json(*words, "31", "--version", "2")["standing"]["version"] == 2
    assert cli.json(*words, "31", "--version", "0", code=2)["standing"]["reason"] == "older-version"


def test_a_candidates_name_that_nobody_remembers_is_invalid(cli: Cli) -> None:
    assert "--json" in cli.json("review", "0" * 24, "1", "--finding", "possible", code=2)["advice"]
    assert cli.json("review", "0" * 24, "a" * 64, "--finding", "possible", code=4)["status"] == 404
