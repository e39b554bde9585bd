"""The desk in a real browser: an open page goes blank by itself, and every page is fit for everybody (WCAG 2.2 AA)."""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Error, FilePayload, Page, Route, expect, sync_playwright

from comity.ports import Person
from desk_world import DANE, MILWAUKEE, World, photo, together, world

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium")
SCREENS = Path(__file__).parents[2] / "build" / "screens"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
BLANK_SECONDS_MAX = 2.0  # from the clerk's receipt to the blank card
GONE = "No longer available"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("home")) as made:
        yield made


@pytest.fixture(scope="module")
def address(desk: World) -> Iterator[str]:
    config = uvicorn.Config(desk.app, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=1, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        missing = "no Chromium is here: sudo apt-get install chromium"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)  # CI leaves nothing out
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        )
        yield started
        started.close()


class Desk:
    """People at their browsers."""

    def __init__(self, made: World, address: str, browser: Browser) -> None:
        self.world, self.address, self._browser = made, address, browser
        self.contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def at(self, person: Person | None, *, script: bool = True) -> Page:
        """Return a page of this person's own browser, signed in."""
        context = self._browser.new_context(
            base_url=self.address, java_script_enabled=script, viewport={"width": 1280, "height": 900}
        )
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        if person is not None:
            page.goto(self.world.link(person))
            page.get_by_role("button", name="Sign in").click()
        return page


@pytest.fixture
def people(desk: World, address: str, browser: Browser) -> Iterator[Desk]:
    made = Desk(desk, address, browser)
    yield made
    for context in made.contexts:
        context.close()


def look(page: Page, name: str) -> None:
    """Keep a picture of a page, and let axe-core look for what keeps people out."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / f"{name}.png", full_page=True)
    found = Axe().run(page, options=RULES).response["violations"]
    assert not found, [(v["id"], [n["html"] for n in v["nodes"]]) for v in found]


def jpeg(content: bytes) -> FilePayload:
    return {"name": "probe.jpg", "mimeType": "image/jpeg", "buffer": content}


def ask(page: Page, probe: bytes, purpose: str = "Investigation of a serious crime") -> None:
    page.goto("/desk/search")
    page.get_by_label("Photograph to search with").set_input_files(jpeg(probe))
    page.get_by_role("radio", name=purpose).check()
    page.get_by_label("Threshold").select_option("probable-cause")
    page.get_by_label("Offence").select_option("robbery")
    page.get_by_label("Agency case number").fill("26-0042")
    page.get_by_label("Authorised by").fill("Sgt. Moss")
    page.get_by_role("button", name="Search", exact=True).click()


def preview(page: Page, booking: str, agency: str, law: str = "California Penal Code 851.91", what: str = "Seal") -> None:
    page.goto("/desk/orders")
    page.get_by_role("radio", name=re.compile(f"^{what} (?!provisionally)")).check()
    page.get_by_label("Booking number").fill(booking)
    page.get_by_label("Agency that booked (ORI)").fill(agency)
    page.get_by_role("radio", name=law).check()
    page.get_by_role("button", name="Show what it covers").click()


def test_an_open_page_goes_blank_by_itself_when_the_clerk_seals(people: Desk) -> None:
    """R18 d."""
    people.world.enrol(DANE, "B-BLANK", "p09")
    searcher, clerk = people.at(people.world.investigator), people.at(people.world.clerk)
    ask(searcher, photo("p09", 2))
    expect(searcher.locator("#live")).to_have_attribute("data-state", "watching")
    cards = searcher.locator("[data-candidate]")
    shown = cards.count()
    assert cards.first.locator("img").count() == 1
    look(searcher, "search-result")
    preview(clerk, "B-BLANK", DANE)
    clerk.get_by_role("button", name="Seal now").click()
    expect(clerk.get_by_role("heading", name="The order stands")).to_be_visible()
    expect(cards.first).to_have_text(GONE, timeout=BLANK_SECONDS_MAX * 1000)
    assert cards.first.locator("img").count() == 0
    assert cards.count() == shown
    assert searcher.get_by_text(GONE, exact=True).count() == 1
    assert "seal" not in searcher.locator("main").inner_text().lower()
    look(searcher, "search-result-blanked")
    assert not people.complaints


def test_a_page_that_hears_nothing_blanks_itself_and_can_be_opened_again(people: Desk) -> None:
    page = people.at(people.world.investigator)
    silent: list[Route] = []
    page.route("**/desk/live/**", lambda route: silent.append(route))  # noqa: PLW0108 - playwright wants a function of its own
    page.clock.install()
    ask(page, photo("p01", 2))
    expect(page.locator("[data-candidate] img").first).to_be_visible()
    page.clock.run_for(9_000)
    assert page.locator("[data-candidate] img").count() > 0
    page.clock.run_for(3_000)
    expect(page.get_by_role("button", name="Open again")).to_be_visible()
    assert page.locator("main img").count() == 0
    look(page, "search-result-lost")
    for route in silent:
        route.abort()
    page.unroute("**/desk/live/**")
    page.get_by_role("button", name="Open again").click()
    expect(page.locator("#live")).to_have_attribute("data-state", "watching")
    expect(page.locator("[data-candidate] img").first).to_be_visible()


def test_signing_out_blanks_the_pages_that_are_open(people: Desk) -> None:
    page = people.at(people.world.investigator)
    ask(page, photo("p01", 2))
    expect(page.locator("#live")).to_have_attribute("data-state", "watching")
    other = page.context.new_page()
    other.goto("/desk")
    other.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("The page went blank.")).to_be_visible()
    assert page.locator("main img").count() == 0
    look(other, "signed-out")


def test_going_back_shows_no_photograph(people: Desk) -> None:
    page = people.at(people.world.investigator)
    ask(page, photo("p01", 2))
    expect(page.locator("#live")).to_have_attribute("data-state", "watching")
    page.goto("/desk")
    with suppress(Error):  # Chromium asks whether to search again, as the page is kept nowhere
        page.go_back()
    assert page.locator("[data-candidate] img").count() == 0


def test_a_seal_takes_the_revealed_identity_off_the_page_too(people: Desk) -> None:
    made = people.world
    made.enrol(DANE, "B-REVEALED", "p10")
    searcher, examiner, clerk = (people.at(p) for p in (made.investigator, made.examiner, made.clerk))
    ask(searcher, photo("p10", 2))
    search = searcher.locator(".eyebrow code").inner_text()
    examiner.goto("/desk/reviews")
    look(examiner, "reviews")
    examiner.get_by_role("button", name=f"Compare search {search}").click()
    expect(examiner.locator("#live")).to_have_attribute("data-state", "watching")
    examiner.get_by_role("radio", name="Possible").first.check()
    examiner.get_by_label("Notes on candidate 1", exact=True).fill("Ears and brow agree.")
    look(examiner, "compare")
    examiner.get_by_role("button", name="Record findings").click()
    expect(examiner.get_by_role("heading", name="Recorded")).to_be_visible()
    look(examiner, "findings-recorded")
    searcher.get_by_text("Reveal identity").first.click()
    searcher.get_by_label("Why is the identity of candidate 1 needed?").fill("To interview under the warrant.")
    searcher.get_by_role("button", name="Reveal candidate 1", exact=True).click()
    expect(searcher.get_by_text("Person p10")).to_be_visible()
    look(searcher, "reveal")
    preview(clerk, "B-REVEALED", DANE)
    clerk.get_by_role("button", name="Seal now").click()
    expect(searcher.get_by_text(GONE, exact=True)).to_be_visible(timeout=BLANK_SECONDS_MAX * 1000)
    assert "Person p10" not in searcher.content()


def test_a_face_is_picked_with_the_keyboard_alone(people: Desk) -> None:
    page = people.at(people.world.investigator)
    ask(page, together("p02", "p03"))
    expect(page.get_by_role("heading", name="Which face?")).to_be_visible()
    look(page, "pick-a-face")
    page.get_by_role("button", name="Face 2").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-candidate]").first).to_be_visible()


def test_pages_for_clerks(people: Desk) -> None:
    people.world.enrol(MILWAUKEE, "B-PAGES", "p12")
    page = people.at(None)
    page.goto(people.world.link(people.world.clerk))
    look(page, "sign-in")
    page.get_by_role("button", name="Sign in").click()
    look(page, "home")
    page.goto("/desk/orders")
    look(page, "order-form")
    preview(page, "B-PAGES", MILWAUKEE, "Wisconsin Statutes 973.015")
    expect(page.get_by_role("alert")).to_be_focused()
    look(page, "order-refused")
    preview(page, "B-PAGES", MILWAUKEE)
    look(page, "order-preview-seal")
    preview(page, "B-PAGES", MILWAUKEE, "Wisconsin Statutes 165.84", "Expunge")
    look(page, "order-preview-expunge")
    page.get_by_label("To confirm, type").fill("expunge")
    page.get_by_role("button", name="Expunge now").click()
    expect(page.get_by_role("heading", name="The order stands")).to_be_visible()
    look(page, "order-receipt")
    page.reload()
    expect(page.get_by_role("heading", name="The order stands")).to_be_visible()
    page.goto("/desk/search")
    look(page, "not-permitted")


def test_pages_for_investigators_and_agencies(people: Desk) -> None:
    page = people.at(people.world.investigator)
    page.goto("/desk/search")
    look(page, "search-form")
    ask(page, photo("p01", 2), "Civil immigration enforcement")
    expect(page.get_by_role("alert")).to_be_focused()
    look(page, "search-refused")
    page.goto("/desk/searches")
    look(page, "searches")
    writer = people.at(people.world.writer)
    writer.goto("/desk/agency")
    look(writer, "agency")


def test_everything_but_the_blanking_works_without_javascript(people: Desk) -> None:
    page = people.at(people.world.investigator, script=False)
    ask(page, photo("p01", 2))
    expect(page.locator("[data-candidate] img").first).to_be_visible()
    expect(page.locator("#live")).to_be_hidden()
    assert '<noscript><meta http-equiv="refresh" content="120;url=/desk">' in page.content()


def test_pages_fit_a_telephone_and_the_dark(people: Desk) -> None:
    page = people.at(people.world.investigator)
    ask(page, photo("p01", 2))
    page.set_viewport_size({"width": 360, "height": 780})
    page.emulate_media(color_scheme="dark")
    look(page, "search-result-narrow-dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.goto("/desk/search")
    look(page, "search-form-narrow-dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_pages_for_clerks_fit_a_telephone(people: Desk) -> None:
    page = people.at(people.world.clerk)
    page.set_viewport_size({"width": 320, "height": 780})  # WCAG 1.4.10: no page scrolls sideways, its tables may
    preview(page, "B-2026-0001", MILWAUKEE)
    look(page, "order-preview-narrow")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert page.evaluate("document.querySelector('main').scrollWidth <= document.querySelector('main').clientWidth")


def test_seven_tabs_stay_watched_and_the_desk_still_answers(people: Desk) -> None:
    """A browser opens six connections to one host: a tab too many must neither go blank nor stop the others."""
    first = people.at(people.world.investigator)
    tabs = [first, *(first.context.new_page() for _ in range(6))]
    for tab in tabs:
        ask(tab, photo("p01", 2))
        expect(tab.locator("#live")).to_have_attribute("data-state", "watching")
    time.sleep(12)  # longer than a page's patience
    for tab in tabs:
        expect(tab.locator("#live")).to_have_attribute("data-state", "watching")
        assert tab.locator("[data-candidate] img").count() > 0
