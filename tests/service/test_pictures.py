"""What leaves of photographs and probes, by the API and on pages: redrawn, in time, and of a searched face its place (FC-25)."""

from __future__ import annotations

import base64
import io
import re
import time
from dataclasses import replace
from html import unescape

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from builders import MADISON, MILWAUKEE, House, booking, photograph
from comity.acts.opened import UNREADABLE, Opened
from comity.acts.release import AGE_SECONDS_MAX
from comity.acts.search import Pictures, SearchRequest
from comity.domain import entries as e
from comity.domain.ids import OrderId, Ori, RecordId, SearchId, UserId, photo_name, record_key
from comity.ports import Drawn
from comity.wire import sealing
from desk_world import World, search, together

ASKED = {
    "purpose": "serious-crime",
    "threshold": "probable-cause",
    "offence": "burglary",
    "authority": "S-4711",
    "case_number": "26-000123",
    "photographs": "true",
}


def best(web: TestClient, probe: bytes) -> dict[str, object]:
    answer = web.post("/v1/searches", files={"probe": probe}, data=ASKED)
    assert answer.status_code == 201, answer.text
    first: dict[str, object] = answer.json()["candidates"][0]
    return first


def picture(data: object) -> bytes:
    return base64.b64decode(str(data).partition(",")[2])


def size(jpeg: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(jpeg)) as image:
        return image.size


def annotated(person: int) -> bytes:
    """Return a photograph into which a records system wrote who it shows."""
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x010E], exif[0x8825] = "DOE, JANE Q DOB 1990-01-02", {1: "N", 2: (43.0, 2.0, 20.0)}
    with Image.open(io.BytesIO(photograph(person))) as image:
        image.save(out, "JPEG", quality=92, exif=exif, comment=b"SID WI0012345", xmp=b"<x>DOE, JANE Q</x>")
    return out.getvalue()


def test_a_photograph_tells_no_name_place_or_number_to_whom_may_view_it(house: House) -> None:
    """FC-25: that is identity, and there was no review, no reason and no reveal."""
    assert b"DOE, JANE" in annotated(27)
    house.admit(booking(27, "P-27", photographs=(annotated(27),)))
    house.grant(MILWAUKEE, MADISON, "search", "view")
    drawn = picture(best(house.search(MADISON, "investigator"), photograph(27, 2))["photograph"])
    assert size(drawn) == size(photograph(27))
    assert not [word for word in (b"DOE", b"WI0012345", b"Exif", b"GPS") if word in drawn]


@pytest.mark.parametrize(("person", "harm"), [(12, "gone"), (13, "damaged"), (14, "no picture"), (15, "no key")])
def test_a_photograph_that_cannot_be_read_is_a_placeholder_and_an_alarm(house: House, person: int, harm: str) -> None:
    """One damaged file fails no search."""
    (record,) = map(RecordId, house.admit(booking(person, f"P-{person}")))
    x, name = house.exchange, photo_name(record, 1, 0)
    kept = x.photos.get(name)
    assert kept is not None
    x.alarms.clear(UNREADABLE)
    if harm == "gone":
        x.photos.delete(name)
    elif harm == "no key":
        x.vault.shred([record_key(record)])
    else:
        unreadable = sealing.seal(x.vault.open(record_key(record)), b"GIF89a", context=name.encode())
        x.photos.put(name, kept[::-1] if harm == "damaged" else unreadable)
    found = best(house.search(MILWAUKEE, "investigator"), photograph(person, 2))
    assert found["placeholder"] is True
    assert size(picture(found["photograph"])) == (480, 600)
    assert [alarm.kind for alarm in x.alarms.all()] == [UNREADABLE]
    assert str(record) in x.alarms.all()[0].what


# --- drawing takes time, and an order may come meanwhile (F43)


@pytest.fixture
def slow(house: House, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Seal the record that is being drawn, whose drawing takes longer than an answer may; return what was drawn."""
    drawn: list[str] = []
    real = Opened._draw

    def draw(opened: Opened, one: tuple[RecordId, int, int], side_max: int | None) -> Drawn:
        drawn.append(one[0])
        if len(drawn) == 1:
            order = e.RecordsSealed(
                OrderId("meanwhile"), "COURT_ORDER_ONLY", "wi-165.84", (one[0],), (), house.exchange.now(), b""
            )  # fmt: skip
            x = house.exchange
            x.orders.submit(x.journal.entry(order, key=order.order_id, signer=x.keyring.signer("WI-MILWAUKEE-CC"), source="desk"))
            time.sleep(AGE_SECONDS_MAX + 0.1)
        return real(opened, one, side_max)

    monkeypatch.setattr(Opened, "_draw", draw)
    return drawn


def test_an_order_that_comes_while_photographs_are_drawn_stops_the_answer(house: House, slow: list[str]) -> None:
    """F43: what is acknowledged before the answer leaves is not on it; what was drawn already is not drawn again."""
    first, second = map(RecordId, house.admit(booking(16, "P-16"), booking(16, "P-16-2", photographs=(photograph(16, 3),))))
    request = SearchRequest(
        MILWAUKEE, UserId("u-1"), photograph(16, 2), "serious-crime", "probable-cause", "burglary", "S-1", "26-1",
        pictures=Pictures.PAGE,
    )  # fmt: skip
    answer = house.exchange.search(request)
    sealed, *others = slow
    assert sealed in (first, second)
    shown = house.exchange.searches.disclosed(house.exchange.searches.open(answer.search_id, MILWAUKEE))
    assert sealed not in [p.candidate.record_id for p in shown]
    assert len(answer.candidates) == len(shown) >= 1
    assert all(c.photograph is not None for c in answer.candidates)
    assert sorted(others) == sorted({*others})  # each drawn once, though the answer was released twice


# --- the face that was searched with


def test_the_face_that_was_picked_stays_with_the_search_and_is_shown_again(
    desk: World, investigator: TestClient, examiner: TestClient
) -> None:
    """R25: an examiner must know which of several people was searched for."""
    page = search(investigator, together("p01", "p03"), face="1")
    assert page.status_code == 200
    root = re.findall(r"/desk/searches/([0-9a-f]+)/reveal", page.text)[0]
    kept = desk.exchange.searches.open(SearchId(root), desk.investigator.party)
    picked = desk.exchange.encoder.open(together("p01", "p03")).faces[1]
    assert (kept.face.number, kept.face.box) == (1, picked.box)
    again = examiner.post(f"/desk/reviews/{root}/open")
    reopened = investigator.post(f"/desk/searches/{root}/open")
    crops = [crop(text) for text in (page.text, again.text, reopened.text)]
    assert crops[0] == crops[1] == crops[2]
    assert "The whole probe" in again.text
    assert "face 2" in unescape(again.text)
    other = search(investigator, together("p01", "p03"), face="0")
    assert crop(other.text) != crops[0]


def crop(page: str) -> bytes:
    found = re.search(r'src="(data:[^"]+)"[^>]*alt="The face that was searched with"', page)
    assert found
    return picture(found.group(1))


def test_a_list_opened_again_makes_no_copy_of_the_probe(desk: World, investigator: TestClient) -> None:
    """A copy would outlive the probe's time."""
    page = search(investigator, photograph(2, 2))
    root = re.findall(r"/desk/searches/([0-9a-f]+)/reveal", page.text)[0]
    before = sorted(name for name in desk.exchange.photos.names() if name.startswith("search/"))
    assert "The whole probe" in investigator.post(f"/desk/searches/{root}/open").text
    assert sorted(name for name in desk.exchange.photos.names() if name.startswith("search/")) == before
    desk.exchange.probes.destroy(SearchId(root))
    assert "no longer kept" in investigator.post(f"/desk/searches/{root}/open").text


def test_a_list_opened_again_from_one_opened_again_names_the_first(desk: World) -> None:
    """So that however often it is opened, whoever searched cannot review it."""
    asked = SearchRequest(
        Ori(desk.investigator.party), desk.investigator.user_id, photograph(2, 2), "serious-crime", "probable-cause", "robbery",
        "S-1", "26-1",
    )  # fmt: skip
    exchange, requester = desk.exchange, Ori(desk.investigator.party)
    first = exchange.search(replace(asked))
    second = exchange.search.reopen(first.search_id, requester, desk.examiner.user_id)
    third = exchange.search.reopen(second.search_id, requester, desk.examiner.user_id)
    assert exchange.searches.open(third.search_id, requester).entry.reopens == first.search_id
