"""What holds on every page: its policy, no request to elsewhere, nothing serious for axe-core, in light and in dark."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.ui.places import PLACES, TABLES
from tests.ui.seeds import Site
from tests.ui.seeing import Watch, axe

PAGES = {**PLACES, **TABLES}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_sound_in_light_and_dark_and_on_a_phone(browser: Browser, site: Site, name: str) -> None:
    for scheme, width in (("light", 1280), ("dark", 390)):
        context = browser.new_context(base_url=site.url, color_scheme=scheme, viewport={"width": width, "height": 850})
        tab = context.new_page()
        watch = Watch(tab, site.url)
        reply = tab.goto(PAGES[name](site))
        assert reply is not None and reply.status == 200
        policy = reply.headers["content-security-policy"]
        assert "unsafe" not in policy and "default-src 'none'" in policy
        tab.wait_for_load_state("networkidle")
        assert axe(tab) == [], (scheme, width)
        wide = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"the page is {wide} px wider than a window of {width} px"
        assert not watch.troubles
        context.close()


def test_the_menu_is_reached_and_opened_by_keyboard_on_a_phone(tab: Page) -> None:
    tab.set_viewport_size({"width": 390, "height": 800})
    tab.goto("/admin/")
    menu = tab.get_by_role("link", name="Evaluations", exact=True)
    expect(menu).to_be_hidden()
    tab.get_by_role("button", name="Show or hide the menu").focus()
    tab.keyboard.press("Enter")
    expect(menu).to_be_visible()
