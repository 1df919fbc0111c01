"""The dashboard in a real browser: Debian's Chromium, driven by Playwright.

    make test-browser

Looks at every page in light and dark, wide and narrow: no finding of axe-core, no error on the
console, nothing asked of another host, nothing wider than the screen. Leaves pictures of them in
the folder that SCREENSHOTS names. AXE names the file of axe-core, CHROMIUM the browser.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from flows.dashboard.access import Access
from flows.dashboard.app import make_app
from flows.dashboard.jobs import Jobs
from flows.settings import load_settings
from tests.conftest import ROOT
from tests.flows.dashboard.conftest import HOSTILE, PASSWORD, RETRYING, TOKEN

AXE = Path(os.environ.get("AXE", ROOT / ".venv/browser/node_modules/axe-core/axe.min.js"))
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
PICTURES = Path(os.environ.get("SCREENSHOTS", ROOT / "build/screenshots"))
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
SCREENS = {"wide": (1280, 900), "narrow": (390, 844)}
SERIOUS = ("serious", "critical")


@contextmanager
def served(place: Path, token: str | None = None) -> Iterator[str]:
    """The address of a dashboard."""
    access = Access(local_user="ann@here", token=token, user_header=None)
    config = place / "headwater.toml"
    app = make_app(load_settings(config), access, config, Jobs(RETRYING))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://localhost:{port}"
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    yield opened
    opened.close()


@pytest.fixture
def address(place: Path) -> Iterator[str]:
    with served(place) as found:
        yield found


Show = Callable[..., Page]


@pytest.fixture
def show(browser: Browser) -> Iterator[Show]:
    """Opens pages; in the end, nothing may have gone wrong on any of them."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def new(screen: str = "wide", scheme: str = "light", **options: Any) -> Page:
        width, height = SCREENS[screen]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: wrong.append(asked.url) if is_elsewhere(asked.url) else 0)
        return page

    yield new
    for context in contexts:
        context.close()
    assert not wrong


def is_elsewhere(url: str) -> bool:
    return urlsplit(url).hostname != "localhost"


def findings(page: Page) -> list[str]:
    """What axe-core holds to be serious."""
    if not AXE.is_file():
        pytest.skip(f"axe-core is not installed: {AXE} is not there")
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{page.url}: {one['id']}: {node['html'][:200]} {node['any'] and node['any'][0]['message']}"
        for one in found["violations"]
        if one["impact"] in SERIOUS
        for node in one["nodes"][:3]
    ]


def pages_of(page: Page, address: str) -> dict[str, str]:
    """By name, the address of one of each kind of page."""

    def ask(path: str) -> Any:
        return page.request.get(f"{address}/api{path}").json()

    documents = {one["uri"]: one["id"] for one in ask("/documents")["items"]}
    entries = {one["uri"]: one["id"] for one in ask("/quarantine/entries")["items"]}
    text = ask(f"/documents/{documents['pages.pdf']}")["text"]
    chunk = next(one["chunk_id"] for one in text["stretches"] if one["chunk_id"])
    return {
        "overview": "/",
        "source": "/sources/handbook",
        "runs": "/runs",
        "run": f"/runs/{ask('/runs')['items'][-1]['id']}",
        "documents": "/documents",
        "document": f"/documents/{documents['leave.md']}",
        "hostile": f"/documents/{documents[HOSTILE]}",
        "chunk": f"/chunks/{chunk}",
        "quarantine": "/quarantine",
        "group": "/quarantine?code=corrupt",
        "entry": f"/quarantine/{entries['secret.pdf']}",
        "search": "/search?words=how+does+leave+accrue",
        "index": "/index",
        "jobs": "/jobs",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_can_be_read_by_all_on_any_screen(address, show, screen, scheme):
    page = show(screen, scheme)
    PICTURES.mkdir(parents=True, exist_ok=True)
    wrong = []
    for name, path in pages_of(page, address).items():
        page.goto(address + path)
        page.screenshot(path=PICTURES / f"{name}-{screen}-{scheme}.png", full_page=True)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > SCREENS[screen][0]:
            wrong.append(f"{path} is {width} wide")
        wrong += findings(page)
    assert not wrong


def test_from_the_overview_to_a_document_that_is_searchable_again(address, show):
    page = show()
    page.goto(address)
    page.get_by_role("table").get_by_role("link", name="4", exact=True).click()
    page.get_by_role("link", name="secret.pdf", exact=True).click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Reprocess").click()
    page.get_by_role("heading", name="Reprocessing 1 document").wait_for()
    page.get_by_text("1 of 1 document resolved").wait_for(timeout=120_000)
    page.get_by_role("link", name="secret.pdf").click()
    page.get_by_text("ann@here").first.wait_for()
    page.get_by_role("link", name="versions and text").click()
    page.get_by_text("Words behind a lock.").wait_for()
    page.get_by_role("link", name="chunk 1, page 1").click()
    page.get_by_text("it is searchable now").wait_for()
    assert PASSWORD not in page.content()


def test_chosen_entries_are_ignored_with_a_reason_and_by_the_keyboard(address, show):
    page = show()
    page.goto(f"{address}/quarantine?code=corrupt")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.get_by_role("checkbox", name="Choose all").focus()
    page.keyboard.press("Space")
    page.get_by_text("2 chosen").wait_for()
    page.get_by_label("Why, for whoever asks later").fill("noise, nothing to read")
    page.get_by_role("button", name="Ignore").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/quarantine?state=ignored")
    assert page.get_by_role("row").count() == 3
    page.get_by_role("link", name="noise.pdf").click()
    page.get_by_text("noise, nothing to read").wait_for()


def test_documents_are_filtered_and_a_search_leads_to_its_document(address, show):
    page = show("narrow")
    page.goto(f"{address}/documents")
    page.get_by_label("Name contains").fill("leave")
    page.get_by_label("Outcome").select_option("indexed")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("1 document", exact=True).wait_for()
    page.get_by_role("link", name="Search").click()
    page.get_by_label("Question").fill("annual leave")
    page.keyboard.press("Enter")
    page.get_by_text("nearest in meaning first").wait_for()
    first = page.get_by_role("listitem").filter(has=page.get_by_role("heading")).first
    first.get_by_role("link", name="provenance").click()
    page.get_by_role("link", name="In its document").click()
    assert page.locator(".chunk:target").is_visible()


def test_an_open_page_follows_what_happens_elsewhere(address, show):
    page, other = show(), show()
    page.goto(f"{address}/quarantine?code=encrypted")
    page.get_by_role("link", name="secret.pdf", exact=True).click()
    page.evaluate("document.body.dataset.refresh = '0.2'")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    other.goto(page.url)
    other.get_by_label("Why, for whoever asks later").fill("its owner has left")
    other.get_by_role("button", name="Ignore").click()
    page.get_by_text("its owner has left").wait_for()
    page.get_by_text("Updated").wait_for()


def test_without_script_every_page_says_the_same(address, show):
    page = show(java_script_enabled=False)
    page.goto(address)
    page.get_by_role("link", name="handbook").first.click()
    page.get_by_role("heading", name="Oldest changes that are not searchable").wait_for()
    page.get_by_role("link", name="Quarantine").click()
    page.get_by_role("checkbox").first.check()
    page.get_by_label("Why, for whoever asks later").fill("seen")
    page.get_by_role("button", name="Ignore").click()
    page.get_by_text("ignored").first.wait_for()


def test_whoever_signs_in_with_the_token_sees_the_page_that_they_wanted(place, show):
    with served(place, TOKEN) as address:
        page = show()
        page.goto(f"{address}/runs?source=handbook")
        assert not findings(page)
        page.get_by_label("Your name").fill("Ann")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/runs?source=handbook")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/signin")
