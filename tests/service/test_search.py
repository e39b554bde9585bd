"""The search service over HTTP, on a whole exchange: what is answered, and what cannot be told apart."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from builders import ALAMEDA, COURT, MADISON, MILWAUKEE, House, booking, photograph
from comity.acts.watermark import Watermarks
from comity.domain.posting import Search as SearchRow

ASKED = {
    "purpose": "serious-crime",
    "threshold": "probable-cause",
    "offence": "burglary",
    "authority": "S-4711",
    "case_number": "26-000123",
}


def search(web: TestClient, probe: bytes, **changed: Any) -> Any:  # noqa: ANN401 - JSON
    return web.post("/v1/searches", files={"probe": probe}, data=ASKED | changed)


def candidates(web: TestClient, probe: bytes, **changed: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    answer = search(web, probe, **changed)
    assert answer.status_code == 201, answer.text
    found: list[dict[str, Any]] = answer.json()["candidates"]
    return found


def press(house: House, **number: str) -> dict[str, Any]:
    clerk = house.intake(COURT, "clerk")
    shown = clerk.post("/v1/orders/preview", json={"what": "seal", "statute": "wi-165.84", **number}).json()
    answer = clerk.post("/v1/orders", data={"token": shown["token"]})
    assert answer.status_code == 201, answer.text
    receipt: dict[str, Any] = answer.json()
    return receipt


@pytest.fixture
def milwaukee(house: House) -> TestClient:
    return house.search(MILWAUKEE, "investigator")


@pytest.fixture
def madison(house: House) -> TestClient:
    return house.search(MADISON, "investigator")


def test_another_photograph_of_the_same_person_is_a_candidate(house: House, milwaukee: TestClient) -> None:
    house.admit(booking(1, "S-1"), booking(2, "S-2"))
    answer = search(milwaukee, photograph(1, 2)).json()
    best = answer["candidates"][0]
    assert (best["rank"], best["owner"], best["photograph"]) == (1, MILWAUKEE, None)
    assert best["score"] >= answer["score_floor"]
    assert "probable cause" in answer["caveat"]
    assert len(answer["as_of"]) > 40
    assert "match" not in str(answer)


def test_an_answer_is_at_least_as_fresh_as_one_before(house: House, milwaukee: TestClient) -> None:
    """R36: a watermark is opaque, is taken back, and a journal behind it is refused."""
    first = search(milwaukee, photograph(1, 2)).json()["as_of"]
    assert search(milwaukee, photograph(1, 2), at_least=first).status_code == 201
    ahead = Watermarks(house.exchange.vault).of(10**9)
    refused = search(milwaukee, photograph(1, 2), at_least=ahead)
    assert (refused.status_code, "candidates" in refused.json()) == (503, False)
    assert search(milwaukee, photograph(1, 2), at_least="made-up").status_code == 400


def test_photographs_come_inside_the_answer_when_asked_for(house: House, milwaukee: TestClient) -> None:
    house.admit(booking(3, "S-3"))
    best = candidates(milwaukee, photograph(3, 2), photographs="true")[0]
    media, _, data = best["photograph"].partition(",")
    assert media == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as drawn, Image.open(io.BytesIO(photograph(3))) as enrolled:
        assert drawn.size == enrolled.size
    assert best["placeholder"] is False


def test_nothing_is_shared_until_it_is_granted_and_nothing_after_it_is_taken_back(house: House, madison: TestClient) -> None:
    house.admit(booking(4, "S-4"))
    probe = photograph(4, 2)
    assert candidates(madison, probe) == []
    grant = house.grant(MILWAUKEE, MADISON, "search")
    shown = candidates(madison, probe, photographs="true")
    assert [c["owner"] for c in shown] == [MILWAUKEE]
    assert shown[0]["photograph"] is None  # the right to view was not granted
    house.publisher().revoke(grant)
    assert candidates(madison, probe) == []


def test_sealed_absent_and_not_granted_answer_alike(house: House, madison: TestClient) -> None:
    """R32."""
    house.admit(booking(5, "S-5"), booking(6, "S-6", owner=ALAMEDA, court_case="26-CF-6"))
    house.grant(ALAMEDA, MADISON, "search")
    assert len(candidates(madison, photograph(6, 2))) == 1
    press(house, court_case="26-CF-6")

    def same(person: int) -> dict[str, Any]:
        answer: dict[str, Any] = search(madison, photograph(person, 2)).json()
        return {k: v for k, v in answer.items() if k not in ("search_id", "as_of", "judged_at", "probe_quality")}

    assert same(5) == same(6) == same(7)


def test_a_seal_reaches_the_owner_and_a_page_that_is_opened_again(house: House) -> None:
    """R18 d."""
    alameda = house.search(ALAMEDA, "investigator")
    house.admit(booking(8, "S-8", owner=ALAMEDA, atn="ATN-8"))
    before = search(alameda, photograph(8, 2)).json()
    assert len(before["candidates"]) == 1
    receipt = press(house, atn="ATN-8")
    assert receipt["topic"] == "comity.journal"
    again = alameda.post(f"/v1/searches/{before['search_id']}/reopen", json={}).json()
    assert again["candidates"] == []
    assert candidates(alameda, photograph(8, 2)) == []


def test_an_absent_search_and_anothers_look_alike(house: House, milwaukee: TestClient, madison: TestClient) -> None:
    house.admit(booking(9, "S-9"))
    own = search(milwaukee, photograph(9, 2)).json()
    theirs = madison.post(f"/v1/searches/{own['search_id']}/reopen", json={})
    absent = madison.post(f"/v1/searches/{'0' * 24}/reopen", json={})
    assert theirs.status_code == absent.status_code == 404
    assert theirs.json() | {"trace_id": ""} == absent.json() | {"trace_id": ""}


def test_identity_is_revealed_only_after_another_persons_review(house: House, milwaukee: TestClient) -> None:
    """R30."""
    house.admit(booking(10, "S-10"))
    examiner = house.search(MILWAUKEE, "examiner")
    answer = search(milwaukee, photograph(10, 2)).json()
    at = f"/v1/searches/{answer['search_id']}/candidates/{answer['candidates'][0]['candidate']}"
    reason = {"reason": "To take the lead further"}
    assert milwaukee.post(f"{at}/reveals", json=reason).status_code == 403
    excluded = examiner.post(f"{at}/reviews", json={"finding": "excluded"})
    assert excluded.status_code == 201, excluded.text
    assert milwaukee.post(f"{at}/reveals", json=reason).status_code == 403
    house.settle()
    other = house.search(MILWAUKEE, "examiner", name="Two")
    assert other.post(f"{at}/reviews", json={"finding": "possible", "notes": "The left ear."}).status_code == 201
    house.settle()
    shown = milwaukee.post(f"{at}/reveals", json=reason)
    assert shown.status_code == 201, shown.text
    assert shown.json()["particulars"]["name"] == "Person 10"
    assert shown.json()["particulars"]["charges"][0]["severity"] == "felony"


def test_whoever_searched_does_not_review(house: House) -> None:
    house.admit(booking(11, "S-11"))
    both = house.search(MILWAUKEE, "investigator", "examiner")
    answer = search(both, photograph(11, 2)).json()
    at = f"/v1/searches/{answer['search_id']}/candidates/{answer['candidates'][0]['candidate']}"
    assert both.post(f"{at}/reviews", json={"finding": "possible"}).status_code == 403


def test_an_absent_candidate_has_no_review_and_no_reveal(house: House, milwaukee: TestClient) -> None:
    answer = search(milwaukee, photograph(31)).json()
    at = f"/v1/searches/{answer['search_id']}/candidates/{'0' * 64}"
    examiner = house.search(MILWAUKEE, "examiner")
    assert examiner.post(f"{at}/reviews", json={"finding": "possible"}).status_code == 404
    assert milwaukee.post(f"{at}/reveals", json={"reason": "why"}).status_code == 404


def test_what_the_policy_does_not_allow_is_refused_with_its_source(milwaukee: TestClient) -> None:
    """R24."""
    refused = search(milwaukee, photograph(1), purpose="immigration-enforcement")
    assert refused.status_code == 403
    assert "7284.6" in refused.json()["detail"]
    assert search(milwaukee, photograph(1), threshold="reasonable-suspicion").status_code == 403
    assert search(milwaukee, photograph(1), classes=["booking", "minor"]).status_code == 403
    assert search(milwaukee, photograph(1), shown_max="51").status_code == 422


def test_a_picture_without_a_face_is_refused_with_a_reason(milwaukee: TestClient) -> None:
    refused = search(milwaukee, b"no picture at all")
    assert refused.status_code == 422
    assert refused.json()["type"] == "urn:comity:problem:photograph-refused"
    assert refused.json()["details"]["reason"] == "not-an-image"


def test_the_faces_of_a_probe_are_shown_to_pick_from(milwaukee: TestClient) -> None:
    shown = milwaukee.post("/v1/probes/faces", files={"probe": photograph(1)}).json()
    assert len(shown["faces"]) == 1
    assert (shown["width"], shown["height"]) == (480, 600)
    assert search(milwaukee, photograph(1), face="1").json()["details"]["reason"] == "no-such-face"


@pytest.mark.parametrize("role", ["clerk", "agency-writer", "auditor", "operator", "administrator", "examiner"])
def test_only_investigators_search(house: House, role: str) -> None:
    """R39."""
    assert search(house.search(MILWAUKEE, role), photograph(1)).status_code == 403


def test_a_courts_people_do_not_search(house: House) -> None:
    assert search(house.search(COURT, "investigator"), photograph(1)).status_code == 403


# --- sent again under a key ---


def keyed(web: TestClient, key: str, **changed: Any) -> Any:  # noqa: ANN401
    return web.post("/v1/searches", files={"probe": photograph(1, 2)}, data=ASKED | changed, headers={"idempotency-key": key})


def own_searches(house: House) -> list[SearchRow]:
    rows = house.exchange.ledger.rows(SearchRow, requester=MILWAUKEE)
    return [row for row in rows if row.reopens is None]


def test_a_search_that_is_sent_again_is_one_search(house: House, milwaukee: TestClient) -> None:
    """It is opened again, judged anew: an answer that was lost on its way may be out of date by now."""
    house.admit(booking(1, "S-1"))
    before = len(own_searches(house))
    first, second = keyed(milwaukee, "search-once-1"), keyed(milwaukee, "search-once-1")
    assert (first.status_code, second.status_code) == (201, 200)
    assert len(own_searches(house)) == before + 1
    assert [c["score"] for c in second.json()["candidates"]] == [c["score"] for c in first.json()["candidates"]]
    assert keyed(milwaukee, "search-once-1", authority="S-9").status_code == 409
    found = TestClient(Starlette(routes=[Mount("/search", house.search_app)]), headers=dict(milwaukee.headers))
    assert found.get(second.headers["location"]).json()["reopens"] == first.json()["search_id"]


def test_what_was_sealed_meanwhile_is_not_in_the_answer_to_a_search_sent_again(house: House, milwaukee: TestClient) -> None:
    house.admit(booking(27, "S-88", court_case="2026CF8888"))

    def ask() -> int:
        files, headers = {"probe": photograph(27, 2)}, {"idempotency-key": "search-once-2"}
        return len(milwaukee.post("/v1/searches", files=files, data=ASKED, headers=headers).json()["candidates"])

    before = ask()
    press(house, court_case="2026CF8888")
    assert ask() < before


def test_a_review_and_a_reveal_that_are_sent_again_are_one_each(house: House, milwaukee: TestClient) -> None:
    house.admit(booking(1, "S-1"))
    answer = search(milwaukee, photograph(1, 2)).json()
    at = f"/v1/searches/{answer['search_id']}/candidates/{answer['candidates'][0]['candidate']}"
    examiner = house.search(MILWAUKEE, "examiner", name="Once")

    def twice(web: TestClient, what: str, body: dict[str, str], number: str) -> set[str]:
        answers = [web.post(f"{at}/{what}", json=body, headers={"idempotency-key": f"{what}-once"}) for _ in range(2)]
        assert [a.status_code for a in answers] == [201, 200], answers[-1].text
        other = body | {"notes" if what == "reviews" else "reason": "Another."}
        assert web.post(f"{at}/{what}", json=other, headers={"idempotency-key": f"{what}-once"}).status_code == 409
        return {a.json()[number] for a in answers}

    assert len(twice(examiner, "reviews", {"finding": "possible"}, "review_id")) == 1
    assert len(twice(milwaukee, "reveals", {"reason": "To find them."}, "reveal_id")) == 1


def test_an_agencys_searches_are_listed_newest_first_without_candidates(house: House, milwaukee: TestClient) -> None:
    made = [search(milwaukee, photograph(1, 2)).json()["search_id"] for _ in range(3)]
    listed = milwaukee.get("/v1/searches", params={"limit": 2})
    assert [row["search_id"] for row in listed.json()] == made[:0:-1]
    assert "next" in listed.links
    assert "candidates" not in listed.text
    assert house.search(MADISON, "investigator").get(f"/v1/searches/{made[0]}").status_code == 404
