"""Provisional seals, pressed by clerks: on the page, over HTTP; what was shown is what is entered, and how it ends (R11)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient

from builders import COURT as HOUSE_COURT
from builders import MILWAUKEE, House, booking, photograph
from comity.acts import tokens
from comity.acts.tokens import TOKEN_KEY, Clerk
from comity.domain.entries import IndexKind
from comity.domain.posting import Suppression
from comity.domain.provisional import CONFIRMS, FINAL, LAPSES, MOST, lapse
from comity.errors import InvalidInput
from comity.wire import sealing
from desk_world import COURT, DANE, World, hidden, preview

LAW = "ca-pc-851.91"  # its final mode lets the owner search; a provisional seal does not


def text(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def soon(days: int = 30) -> date:
    return datetime.now(UTC).date() + timedelta(days=days)


def asked(**more: str) -> dict[str, str]:
    return {"what": "provisional", "statute": LAW, "until": soon().isoformat()} | more


# --- the page ---


def test_a_clerk_seals_provisionally_and_the_receipt_says_what_the_preview_said(desk: World, clerk: TestClient) -> None:
    desk.enrol(DANE, "B-PROV-1", "p21")
    page = preview(clerk, **asked(booking="B-PROV-1", agency=DANE))
    told = text(page.text)
    shown = re.findall(r'<time datetime="([^"]+)"', page.text)
    assert shown == [lapse(soon()).isoformat()]
    assert "Seal provisionally 1 record" in told
    assert "COURT_ORDER_ONLY" in told
    for sentence in (LAPSES, CONFIRMS):
        assert sentence in told
    pressed = clerk.post("/desk/orders", data={"token": hidden(page, "token"), "until": "2031-01-01", "what": "seal"})
    receipt = text(pressed.text)
    for sentence in ("Provisional seal, COURT_ORDER_ONLY", "Stands, lapses on", "1 of Dane County Sheriff", LAPSES, CONFIRMS):
        assert sentence in receipt
    order = pressed.url.path.rsplit("/", 1)[-1]
    held = clerk.get(f"/desk/orders/{order}/receipt.json").json()
    assert (held["kind"], held["mode"], held["state"], held["due"]) == ("provisional", "COURT_ORDER_ONLY", "stands", False)
    assert datetime.fromisoformat(held["lapses_at"]) == lapse(soon())
    assert "Provisional seal" in text(clerk.get("/desk/orders").text)
    (leads,) = re.findall(r'href="(/desk/orders\?what=seal[^"]*)"', pressed.text)
    assert re.search(r'value="seal" required checked', clerk.get(unescape(leads)).text)
    assert FINAL in text(preview(clerk, booking="B-PROV-1", agency=DANE, statute="ny-cpl-160.50").text)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"until": ""}, "names its last day"),
        ({"until": "2020-01-01"}, "2020-01-01 cannot be its last day"),
        ({"until": (datetime.now(UTC) + MOST + timedelta(days=2)).date().isoformat()}, "cannot be its last day"),
        ({"until": "9999-12-31"}, "cannot be its last day"),
        ({"until": "soon"}, "This is no day"),
        ({"what": "seal"}, "Only a provisional seal has a last day"),
        ({"what": "expunge", "statute": "wi-165.84"}, "Only a provisional seal has a last day"),
        ({"statute": "wi-973.015"}, "court's own record"),
    ],
)
def test_what_cannot_be_is_said_beside_the_form_with_what_was_typed(
    clerk: TestClient, changed: dict[str, str], said: str
) -> None:
    page = preview(clerk, **asked(atn="ATN-PROV-BAD") | changed)
    assert page.status_code in (400, 403)
    assert said in text(page.text)
    assert 'value="ATN-PROV-BAD"' in page.text
    assert 'type="date"' in page.text
    if changed.get("until", "").startswith("20"):
        assert "Name a day from" in text(page.text)


# --- the token ---


def test_the_token_binds_the_lapse_that_was_shown(desk: World) -> None:
    """Pressing enters that moment and no other; a token with another one is not ours."""
    seal, by = desk.exchange.seal, Clerk(desk.clerk.party, desk.clerk.user_id)
    numbers, who = {IndexKind.ATN: "ATN-PROV-TOKEN"}, {"party": by.party, "user": by.user}
    shown = seal.preview("provisional", LAW, numbers, None, until=soon(), **who)  # type: ignore[arg-type]
    vault = seal.previews.vault
    assert tokens.read(vault, shown.token, by).lapses_at == shown.lapses_at == lapse(soon())
    body = sealing.unseal(vault.issue(TOKEN_KEY), bytes.fromhex(shown.token), context=tokens.CONTEXT)
    later = body.replace(lapse(soon()).isoformat().encode(), lapse(soon(300)).isoformat().encode())
    assert later != body
    forged = sealing.seal(bytes(32), later, context=tokens.CONTEXT).hex()
    signer = desk.exchange.keyring.signer(COURT)
    with pytest.raises(InvalidInput, match="not ours"):
        seal.press(forged, signer, **who)  # type: ignore[arg-type]
    order = seal.press(shown.token, signer, **who).order_id  # type: ignore[arg-type]
    assert seal.press(shown.token, signer, **who).order_id == order  # type: ignore[arg-type]
    (row,) = desk.exchange.ledger.rows(Suppression, entered_by=COURT, order_id=order)
    assert (row.kind, row.mode, row.lapses_at) == ("provisional", "COURT_ORDER_ONLY", shown.lapses_at)


# --- over HTTP ---


def found(house: House) -> bool:
    """Say whether the record's own agency finds it."""
    form = {"purpose": "serious-crime", "threshold": "probable-cause", "offence": "burglary", "authority": "S"}
    web = house.search(MILWAUKEE, "investigator")
    answer = web.post("/v1/searches", files={"probe": photograph(15, 2)}, data=form | {"case_number": "1"}).json()
    return any(one["score"] > 0.6 for one in answer["candidates"])


def entered(web: TestClient, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    shown = web.post("/v1/orders/preview", json={"atn": "ATN-PROV-HTTP", **more})
    assert shown.status_code == 200, shown.text
    receipt = web.post("/v1/orders", data={"token": shown.json()["token"]})
    assert receipt.status_code == 201, receipt.text
    held: dict[str, Any] = web.get(f"/v1/orders/{HOUSE_COURT}/{receipt.json()['event_id']}").json()
    assert held["lapses_at"] == shown.json()["lapses_at"]
    return held


def test_a_provisional_seal_hides_from_its_owner_too_until_it_is_lifted(house: House, registrar: TestClient) -> None:
    house.admit(booking(15, "PROV-HTTP", atn="ATN-PROV-HTTP"))
    assert found(house)
    held = entered(registrar, **asked())
    assert not found(house)
    assert registrar.post(f"/v1/orders/{HOUSE_COURT}/{held['order_id']}/lift", json={}).status_code == 201
    assert found(house)
    ended = registrar.get(f"/v1/orders/{HOUSE_COURT}/{held['order_id']}").json()
    assert (ended["state"], LAPSES in ended["notes"]) == ("lifted", False)


def test_a_final_seal_goes_on_when_the_provisional_one_ends(house: House, registrar: TestClient) -> None:
    provisional = entered(registrar, **asked())
    final = entered(registrar, what="seal", statute="ny-cpl-160.50")
    assert final["lapses_at"] is None
    registrar.post(f"/v1/orders/{HOUSE_COURT}/{provisional['order_id']}/lift", json={})
    assert not found(house)


@pytest.mark.parametrize("until", ["2020-01-01", "2999-01-01", None])
def test_a_day_that_cannot_be_is_refused_over_http(registrar: TestClient, until: str | None) -> None:
    sent = {"what": "provisional", "statute": LAW, "atn": "ATN-PROV-DAY", "until": until}
    answer = registrar.post("/v1/orders/preview", json=sent)
    assert answer.status_code == 400
    assert "Name a day from" in answer.json()["advice"]
