"""The main path on real faces: enrol, share, search, seal, expunge; and that nothing comes back by any door (R14, R15, R35)."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from builders import PEOPLE, booking, photograph
from comity.bootstrap import Exchange
from comity.domain.entries import IndexKind
from comity.domain.ids import UserId, record_key
from comity.domain.log import JOURNAL, Topic
from comity.domain.posting import Certificate, Record
from comity.errors import KeyShredded
from comity.intake.standing import standing
from comity.ports import StoredTemplate
from comity.wire.envelope import from_entry
from exchange import (
    RememberedFaces,
    enrol,
    held,
    holding,
    listed,
    order,
    prepared,
    read,
    running,
    search,
    settle,
    share,
    submitted,
)  # fmt: skip
from journals import COURT, A, B, C, unseal

SAME_PERSON = 0.6  # another person's face may come above the floor, not above this
PROBE = (PEOPLE / "probes" / "p01-1.jpg").read_bytes()
CASE = {IndexKind.COURT_CASE: "2024-CF-000117"}


def furnished(exchange: Exchange, *, with_sealed: bool = True) -> None:
    """Enrol five people, person 1 twice (by A under a court case, by B without); A shares with B."""
    if with_sealed:
        enrol(exchange, "A-1", 1, 1, 2, court_case=CASE[IndexKind.COURT_CASE], name="Zebedee Quillfeather")
    enrol(exchange, "B-1", 1, 3, owner=B)
    for person in range(2, 6):
        enrol(exchange, f"A-{person}", person, owner=A)
    settle(exchange)
    share(exchange, A)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_a_seal_holds_for_the_very_next_search_and_for_that_record_alone(home: Path, faces: RememberedFaces) -> None:
    """R10, R14, R15: the same person's other record remains, as a world without the sealed one would show it (promise 2)."""
    with running(home, faces) as exchange:
        furnished(exchange)
        before = listed(search(exchange, PROBE))
        assert [owner for _, _, owner in before[:2]] == [A, B]
        record = exchange.indexer.record_id(A, "A-1")
        receipt = order(exchange, "seal", CASE)
        after = search(exchange, PROBE)
        assert after.place > receipt.position
        assert listed(after) == [(n, score, owner) for n, (_, score, owner) in enumerate(before[1:], 1)]
        assert [found for found, _ in exchange.store.nearest(faces.open(PROBE).extract(0).vector, 1)] == [record]
        assert [score for _, score, _ in listed(search(exchange, PROBE, A)) if score > SAME_PERSON] == []
        submitted(exchange, unseal("u1", receipt.order_id), COURT)
        assert listed(search(exchange, PROBE)) == before


def test_an_answer_is_that_of_a_world_that_never_had_the_record(tmp_path: Path, faces: RememberedFaces) -> None:
    """Promise 2, R32: same length, ranks and scores, for each requester."""
    with running(tmp_path / "with", faces) as exchange:
        furnished(exchange)
        order(exchange, "seal", CASE)
        sealed = [listed(search(exchange, PROBE, who)) for who in (A, B, C)]
    with running(tmp_path / "without", faces) as exchange:
        furnished(exchange, with_sealed=False)
        never = [listed(search(exchange, PROBE, who)) for who in (A, B, C)]
    assert sealed == never
    assert sealed[1]
    assert not sealed[2]


def test_an_expungement_leaves_no_byte_and_no_door(home: Path, faces: RememberedFaces) -> None:
    """Promises 3 and 5, R15, R18b: found in files before, nowhere after; a re-send is not taken in, under another number too."""
    with running(home, faces) as exchange:
        furnished(exchange)
        record = exchange.indexer.record_id(A, "A-1")
        fingerprints = exchange.purge.fingerprints([record])
        before = exchange.purge.scan(fingerprints)
        assert set(before.found) == {"template", "ciphertext", "wrapped key"}
        expected = listed(search(exchange, PROBE))[1:]
        order(exchange, "expunge", CASE)
        settle(exchange)
        after = exchange.purge.scan(fingerprints)
        assert after.clean, after.found
        assert len(exchange.ledger.rows(Certificate)) == 1
        with pytest.raises(KeyShredded):
            exchange.vault.open(record_key(record))
        for number in ("A-1", "A-1000"):
            again, _ = enrol(exchange, number, 1)
            settle(exchange)
            assert standing(exchange.ledger, exchange.rejections, A, again).state == "suppressed"
        assert [(s, o) for _, s, o in listed(search(exchange, PROBE))] == [(s, o) for _, s, o in expected]


def test_a_re_send_past_intake_is_put_aside_and_admits_nothing(home: Path, faces: RememberedFaces) -> None:
    """Promise 3: an agency that writes to the log itself meets the same rule in the encoder."""
    with running(home, faces) as exchange:
        _, early = prepared(exchange, booking(1, "A-77", owner=A))
        enrol(exchange, "A-1", 1, owner=A)
        settle(exchange)
        order(exchange, "expunge", {IndexKind.BOOKING: "A-1"}, A)
        settle(exchange)
        exchange.journal.append(Topic.ENROLMENTS, early)
        settle(exchange)
        (aside,) = held(exchange, Topic.QUARANTINE)
        assert aside.entry.value == b""  # no erasure could reach its bytes there
        told = dict(aside.entry.headers)
        assert told["comity_reason"] == b"suppressed"
        assert told["comity_value_sha256"] == hashlib.sha256(early.value or b"").hexdigest().encode()
        assert exchange.ledger.rows(Record, record_id=exchange.indexer.record_id(A, "A-77")) == ()
        kept = exchange.rejections.of(A, exchange.indexer.record_id(A, "A-77"))
        assert [r.reason for r in kept] == ["suppressed"]
        assert exchange.rejections.of(A) == ()  # told where the record stands, as for any order


def test_what_comes_after_its_expungement_is_destroyed_as_well(home: Path, faces: RememberedFaces) -> None:
    """Rule 9: issued before the order, sent past intake after it; its key is shredded and its ciphertext leaves the log."""
    with running(home, faces) as exchange:
        record, entry = prepared(exchange, booking(12, "LATE-1"))
        order(exchange, "expunge", {IndexKind.BOOKING: "LATE-1"}, A)
        exchange.journal.append(Topic.ENROLMENTS, entry)
        settle(exchange)
        assert exchange.vault.wrapped(record_key(record)) is None
        assert [x.entry.value for x in held(exchange, Topic.ENROLMENTS) if x.entry.key == record.encode()] == [None]


def test_a_template_that_an_erasure_overtook_is_forgotten_again(
    home: Path, faces: RememberedFaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 9: the gallery opened the key just before it was shredded, and puts the template just after it was forgotten."""
    with running(home, faces) as exchange:
        put = exchange.store.put

        def overtaken(templates: Sequence[StoredTemplate]) -> None:
            exchange.vault.shred([record_key(template.record_id) for template in templates])
            exchange.store.forget([template.record_id for template in templates])
            put(templates)

        monkeypatch.setattr(exchange.store, "put", overtaken)
        enrol(exchange, "RACE-1", 13)
        settle(exchange)
        assert not [template for batch in exchange.store.all() for template in batch]
        assert len(exchange.gallery) == 0


def test_an_order_before_its_record_covers_it_when_it_comes(home: Path, faces: RememberedFaces) -> None:
    """R10: it stands, says so, and nobody finds the record, though its enrolment was under way."""
    with running(home, faces) as exchange:
        _, entry = prepared(exchange, booking(1, "A-1", court_case="24-CF-9"))
        preview = exchange.seal.preview(
            "seal", "ny-cpl-160.50", {IndexKind.COURT_CASE: "24CF9"}, None, party=COURT, user=UserId("u-1")
        )
        assert preview.covers == ()
        assert preview.notes
        exchange.seal.press(preview.token, exchange.keyring.signer(COURT), party=COURT, user=UserId("u-1"))
        exchange.journal.append(Topic.ENROLMENTS, entry)
        settle(exchange)
        assert exchange.ledger.rows(Record)
        assert listed(search(exchange, PROBE, A)) == []


def stopped_copy(home: Path, aside: Path, faces: RememberedFaces) -> None:
    """Furnish a home, stop it, and copy it aside: what a backup of that night holds."""
    with running(home, faces) as exchange:
        furnished(exchange)
    shutil.copytree(home, aside)


def put_back(home: Path, aside: Path, *names: str) -> None:
    for name in names:
        for path in home.glob(f"{name}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in aside.glob(f"{name}*"):
            shutil.copytree(path, home / path.name) if path.is_dir() else shutil.copy(path, home / path.name)


@pytest.mark.parametrize("what", ["seal", "expunge"])
def test_an_old_gallery_vault_and_photo_store_bring_nothing_back(
    home: Path, tmp_path: Path, faces: RememberedFaces, what: str
) -> None:
    """R15, R46, R47: restored from before the order; an expunged key is shredded again before anything is served."""
    stopped_copy(home, tmp_path / "aside", faces)
    with running(home, faces) as exchange:
        record = exchange.indexer.record_id(A, "A-1")
        order(exchange, what, CASE)
        settle(exchange)
        expected = listed(search(exchange, PROBE))
    put_back(home, tmp_path / "aside", "gallery.db", "vault.db", "photos")
    with running(home, faces) as exchange:
        assert listed(search(exchange, PROBE)) == expected
        settle(exchange)
        assert listed(search(exchange, PROBE)) == expected
        held_now = any(t.record_id == record for batch in exchange.store.all() for t in batch)
        kept = [name for name in exchange.photos.names() if name.startswith(f"record/{record}")]
        assert (held_now, bool(kept)) == (what == "seal", what == "seal")
        if what == "expunge":
            with pytest.raises(KeyShredded):
                exchange.vault.open(record_key(record))


def test_a_replay_from_zero_into_fresh_views_gives_the_same_answer(home: Path, faces: RememberedFaces) -> None:
    """R7, R46, R47: ledger and gallery are derived; the journal's orders come first."""
    with running(home, faces) as exchange:
        furnished(exchange)
        order(exchange, "seal", CASE)
        enrol(exchange, "A-6", 6, owner=A)
        settle(exchange)
        order(exchange, "expunge", {IndexKind.BOOKING: "A-2"}, A)
        settle(exchange)
        expected, rows = listed(search(exchange, PROBE)), exchange.ledger.rows(Record)
        templates = len(exchange.gallery)
    for path in [*home.glob("ledger.db*"), *home.glob("gallery.db*")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with running(home, faces) as exchange:
        assert all(owner != A or score < SAME_PERSON for _, score, owner in listed(search(exchange, PROBE)))
        settle(exchange)
        assert listed(search(exchange, PROBE)) == expected
        assert exchange.ledger.rows(Record) == rows
        assert len(exchange.gallery) == templates
        assert len(exchange.ledger.rows(Certificate)) == 1


def test_views_are_rebuilt_while_searches_go_on_and_show_no_sealed_record(home: Path, faces: RememberedFaces) -> None:
    """R46: at no moment."""
    with running(home, faces) as exchange:
        furnished(exchange)
        order(exchange, "seal", CASE)
        expected = listed(search(exchange, PROBE))
        exchange.rebuild_gallery()
        for _ in range(3):
            assert listed(search(exchange, PROBE)) == expected
        exchange.rebuild_ledger()
        assert listed(search(exchange, PROBE)) == expected
        settle(exchange)
        assert listed(search(exchange, PROBE)) == expected


def test_no_file_holds_personal_data_in_clear(home: Path, faces: RememberedFaces) -> None:
    """R35: neither a name, nor a number, nor a photograph or its digest, in any log, ledger or store."""
    shot = photograph(1, 1)
    digest = hashlib.sha256(shot).digest()
    words = ["Quillfeather", "2024-CF-000117", "2024CF000117", "ATN-555-1", "ATN5551", "BOOK-90210", "BOOK90210", "24-100"]
    clear = [word.encode() for word in (*words, "Sgt 12", digest.hex(), digest.hex().upper())]
    clear += [digest, shot[:64], shot[2000:2064]]
    with running(home, faces) as exchange:
        enrol(exchange, "BOOK-90210", 1, court_case="2024-CF-000117", atn="ATN-555-1", name="Zebedee Quillfeather")
        settle(exchange)
        share(exchange, A)
        assert listed(search(exchange, PROBE))
        order(exchange, "seal", CASE)
        assert holding(home, *clear) == {}
        assert holding(home, A.encode())
    assert holding(home, *clear) == {}


def test_every_answer_stands_in_the_journal_with_its_candidates_unreadable(home: Path, faces: RememberedFaces) -> None:
    """R37, DESIGN §3: salted commitments in clear, the candidates under the search's own key."""
    with running(home, faces) as exchange:
        furnished(exchange)
        answer = search(exchange, PROBE)
        event = from_entry(read(exchange, JOURNAL)[answer.place].entry).event
        assert getattr(event, "search_id", None) == answer.search_id
        shown = [c.candidate for c in answer.candidates]
        assert [c.hex() for c in getattr(event, "commitments", ())][: len(shown)] == shown
        record = exchange.indexer.record_id(A, "A-1")
        assert record.encode() not in (read(exchange, JOURNAL)[answer.place].entry.value or b"")
        assert [(x.place, x.requester, x.rank) for x in exchange.exposures(record)] == [(answer.place, B, 1)]
        exchange.examine.review(answer.search_id, shown[0], B, UserId("u-2"), "possible", "the left ear")
        revealed = exchange.examine.reveal(answer.search_id, shown[0], B, UserId("u-1"), "a warrant")
        assert [x.place for x in exchange.exposures(record)] == [answer.place, revealed.place]
        order(exchange, "seal", CASE)
        again = exchange.search.reopen(answer.search_id, B, UserId("u-1"))
        assert listed(again) == [(n, s, o) for n, (_, s, o) in enumerate(listed(answer)[1:], 1)]
