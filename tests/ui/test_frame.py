"""What holds on every page: its policy, no request to elsewhere, nothing serious for axe-core, no page too wide.

In dark on a phone; with ``ASSAY_UI=full`` also in light on a screen, which the tests of the pages look at as well, and
on all of the theme's pages.
"""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.ui.places import PLACES, TABLES
from tests.ui.seeds import Site
from tests.ui.seeing import Watch, axe

FULL = os.environ.get("ASSAY_UI") == "full"
PAGES = {**PLACES, **TABLES} if FULL else {**PLACES, "user": TABLES["user"], "table-of-rows": TABLES["table-of-rows"]}
SHORT = ("home", "job", "results", "rows", "row", "compare", "people", "new", "workspace", "fileset-preview", "audit")
"""One page of each kind; ``make thorough`` looks at the others."""
LOOKS = {"dark-phone": ("dark", 390), "light-screen": ("light", 1280)}


@pytest.fixture(scope="module", params=LOOKS if FULL else ["dark-phone"])
def look(request: pytest.FixtureRequest, browser: Browser, site: Site) -> Iterator[Page]:
    """One tab for all pages: a tab of its own costs as much as the page."""
    scheme, width = LOOKS[request.param]
    context = browser.new_context(base_url=site.url, color_scheme=scheme, viewport={"width": width, "height": 850})
    yield context.new_page()
    context.close()


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.thorough] * (not FULL and name not in SHORT), id=name) for name in PAGES],
)
def test_a_page_is_sound(look: Page, site: Site, name: str) -> None:
    tab, watch = look, Watch(look, site.url)
    reply = tab.goto(PAGES[name](site), wait_until="networkidle")
    assert reply is not None and reply.status == 200
    policy = reply.headers["content-security-policy"]
    assert "unsafe" not in policy and "default-src 'none'" in policy
    assert axe(tab) == []
    wide = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"the page is {wide} px wider than its window"
    assert not watch.troubles


def test_the_menu_is_reached_and_opened_by_keyboard_on_a_phone(tab: Page) -> None:
    tab.set_viewport_size({"width": 390, "height": 800})
    tab.goto("/admin/")
    menu = tab.get_by_role("link", name="Evaluations", exact=True)
    expect(menu).to_be_hidden()
    tab.get_by_role("button", name="Show or hide the menu").focus()
    tab.keyboard.press("Enter")
    expect(menu).to_be_visible()
