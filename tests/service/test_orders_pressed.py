"""What pressing an order binds: the token's own person and content, and the document that came with it."""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict

import pytest
from fastapi.testclient import TestClient

from comity.acts import tokens
from comity.acts.papers import DOCUMENT_BYTES_MAX, Papers
from comity.acts.tokens import Token
from comity.domain import entries as e
from comity.domain.entries import IndexKind
from comity.domain.ids import PartyId, UserId, order_key
from comity.domain.log import JOURNAL
from comity.domain.posting import Suppression
from comity.errors import Conflict, InvalidInput, NotAppended, NotFound, NotPermitted, TooLarge
from comity.wire import sealing
from comity.wire.envelope import from_entry
from desk_world import COURT, DANE, World, hidden, preview

PAPER, OTHER = b"%PDF-1.7 the court orders", b"%PDF-1.7 another paper"


class By(TypedDict):
    """Who presses."""

    party: PartyId
    user: UserId


def clerk_of(desk: World) -> By:
    return {"party": desk.clerk.party, "user": desk.clerk.user_id}


def previewed(desk: World, number: str, what: str = "seal", law: str = "ny-cpl-160.50") -> str:
    return desk.exchange.seal.preview(what, law, {IndexKind.ATN: number}, None, **clerk_of(desk)).token


def pressed(desk: World, token: str, document: bytes = b"") -> str:
    signer = desk.exchange.keyring.signer(COURT)
    return desk.exchange.seal.press(token, signer, document, **clerk_of(desk)).order_id


def entered(desk: World, order_id: str) -> e.RecordsSealed | e.RecordsExpunged:
    row = desk.exchange.ledger.rows(Suppression, entered_by=COURT, order_id=order_id)[0]

    with desk.exchange.log.open({JOURNAL: row.entered}) as reader:
        batch = reader.poll(timeout_seconds=5, entries_max=1)[JOURNAL]
    event = from_entry(batch.entries[0].entry).event
    assert isinstance(event, e.RecordsSealed | e.RecordsExpunged)
    return event


# --- the token ---


def test_a_token_is_its_persons_and_its_partys(desk: World) -> None:
    token, signer = previewed(desk, "ATN-OWN"), desk.exchange.keyring.signer(COURT)
    own = clerk_of(desk)
    for party, user in ((own["party"], UserId("u-somebody-else")), (PartyId(DANE), own["user"])):
        with pytest.raises(NotPermitted, match="somebody else"):
            desk.exchange.seal.press(token, signer, party=party, user=user)
    assert pressed(desk, token)


def test_another_clerk_of_the_same_court_previews_for_herself(desk: World, clerk: TestClient) -> None:
    token = hidden(preview(clerk, atn="ATN-PAGE"), "token")
    other = desk.exchange.identity.add("Second Clerk", COURT, {"clerk"})
    refused = desk.signed_in(other).post("/desk/orders", data={"token": token})
    assert refused.status_code == 403
    assert "Preview the order yourself" in refused.text


def test_what_must_be_confirmed_is_read_from_the_token_not_from_the_form(clerk: TestClient) -> None:
    page = preview(clerk, atn="ATN-WORD", what="expunge", statute="wi-165.84")
    token = hidden(page, "token")
    for said in ({"what": "seal"}, {"what": "seal", "confirmation": "seal"}, {}):
        assert clerk.post("/desk/orders", data={"token": token, **said}).status_code == 400
    assert clerk.post("/desk/orders", data={"token": token, "confirmation": "expunge"}).status_code == 200


def test_a_token_that_was_changed_or_made_elsewhere_is_refused(desk: World) -> None:
    token = previewed(desk, "ATN-FORGED")
    for forged in ("", "zz", token[:-2] + ("00" if token[-2:] != "00" else "11"), token[:40]):
        with pytest.raises(InvalidInput, match="not ours"):
            pressed(desk, forged)


def test_an_old_token_enters_nothing_new_and_still_leads_to_its_receipt(desk: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pressing twice enters once, however late the second press comes."""
    done, never = previewed(desk, "ATN-LATE"), previewed(desk, "ATN-NEVER")
    first = pressed(desk, done)
    now = desk.exchange.now
    monkeypatch.setattr(desk.exchange.journal, "now", lambda: now() + tokens.LASTS + timedelta(seconds=1))
    assert pressed(desk, done) == first
    with pytest.raises(InvalidInput, match="too old"):
        pressed(desk, never)


# --- the document ---


def test_the_document_is_kept_as_it_was_pressed_whatever_is_pressed_after(desk: World) -> None:
    """F18: the second press overwrote the court's order."""
    token = previewed(desk, "ATN-PAPER")
    order_id = pressed(desk, token, PAPER)
    name, digest = e.OrderName(COURT, entered(desk, order_id).order_id), entered(desk, order_id).document
    assert digest
    for later in (OTHER, b""):
        with pytest.raises(Conflict, match="another document"):
            pressed(desk, token, later)
    assert pressed(desk, token, PAPER) == order_id
    assert desk.exchange.papers.document(name, digest) == PAPER


def test_an_expungement_keeps_its_document_too(desk: World) -> None:
    order_id = pressed(desk, previewed(desk, "ATN-EXPUNGED", "expunge", "wi-165.84"), PAPER)
    name = e.OrderName(COURT, entered(desk, order_id).order_id)
    assert desk.exchange.papers.document(name, entered(desk, order_id).document) == PAPER


def test_a_second_order_of_the_same_document_has_a_digest_of_its_own(desk: World) -> None:
    """Keyed: nobody who reads the journal sees that two orders came with one paper."""
    orders = [pressed(desk, previewed(desk, f"ATN-SAME-{n}"), PAPER) for n in range(2)]
    assert len({entered(desk, order).document for order in orders}) == 2


def test_a_document_whose_order_was_not_entered_is_not_kept(desk: World, monkeypatch: pytest.MonkeyPatch) -> None:
    token, before = previewed(desk, "ATN-UNENTERED"), set(desk.exchange.photos.names())

    def fail(*_: object) -> None:
        raise NotAppended("the log is away")

    with monkeypatch.context() as patch:
        patch.setattr(desk.exchange.journal, "append", fail)
        with pytest.raises(NotAppended):
            pressed(desk, token, PAPER)
    assert set(desk.exchange.photos.names()) == before
    assert pressed(desk, token, PAPER)


def test_a_document_has_a_limit_and_none_is_none(desk: World) -> None:
    papers = Papers(desk.exchange.vault, desk.exchange.photos)
    name = e.OrderName(COURT, entered(desk, pressed(desk, previewed(desk, "ATN-BARE"))).order_id)
    with pytest.raises(TooLarge):
        papers.digest(name, bytes(DOCUMENT_BYTES_MAX + 1))
    for digest in (b"", b"no such"):
        with pytest.raises(NotFound):
            papers.document(name, digest)


def test_a_document_that_was_exchanged_on_the_disk_is_not_read_back(desk: World) -> None:
    """The order in the journal is bound to the very bytes."""
    order_id = pressed(desk, previewed(desk, "ATN-SWAPPED"), PAPER)
    order = entered(desk, order_id)
    name = e.OrderName(COURT, order.order_id)
    (file,) = [n for n in desk.exchange.photos.names() if n.endswith(order.document.hex())]
    key = desk.exchange.vault.open(order_key(name))  # whoever runs the exchange has it
    desk.exchange.photos.put(file, sealing.seal(key, OTHER, context=file.encode()))
    with pytest.raises(NotFound):
        desk.exchange.papers.document(name, order.document)


# --- the numbers, and who it was ---


def test_an_order_keeps_its_clerk_and_the_numbers_as_they_were_typed(desk: World) -> None:
    typed = " atn - 77 / b "
    order = entered(desk, pressed(desk, previewed(desk, typed)))
    name = e.OrderName(COURT, order.order_id)
    assert order.clerk == desk.clerk.user_id
    assert desk.exchange.papers.numbers(name, order.numbers) == {"atn": typed.strip()}
    assert b"77" not in order.numbers
    desk.exchange.vault.shred([order_key(name)])
    assert desk.exchange.papers.numbers(name, order.numbers) == {}


def test_a_token_reads_back_as_it_was_issued(desk: World) -> None:
    held = desk.exchange.seal.pressing(previewed(desk, "ATN-READ"), **clerk_of(desk))
    assert isinstance(held, Token)
    assert not held.destroys
    assert tokens.read(desk.exchange.vault, tokens.issue(desk.exchange.vault, held), held.clerk) == held


# --- what a preview says of what stands already ---


def test_an_order_beside_another_is_worth_entering_and_the_preview_says_so(desk: World, clerk: TestClient) -> None:
    desk.enrol(DANE, "B-BESIDE", "p17", atn="ATN-BESIDE")
    clerk.post("/desk/orders", data={"token": hidden(preview(clerk, atn="ATN-BESIDE"), "token")})
    page = preview(clerk, atn="ATN-BESIDE").text
    assert "already by another order; yours will stand beside it" in page
    assert "change nothing" not in page


def test_a_seal_under_a_statute_that_destroys_says_what_becomes_of_the_bytes(clerk: TestClient) -> None:
    for statute, when in (("ca-pc-851.8", "three years"), ("il-20-ilcs-2630-5.2", "60 days"), ("wi-165.84", "request")):
        page = preview(clerk, atn="ATN-DESTROYS", statute=statute).text
        assert "A seal destroys nothing" in page
        assert when in page
    assert "A seal destroys nothing" not in preview(clerk, atn="ATN-DESTROYS", statute="ny-cpl-160.50").text
    assert "A seal destroys nothing" not in preview(clerk, atn="ATN-DESTROYS", statute="wi-165.84", what="expunge").text
