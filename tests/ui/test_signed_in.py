"""A team before a platform with sign-in on: accounts, a password of one's own, a workspace, members, a token."""

from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.platform_process import PlatformProcess
from tests.ui.seeing import Watch, axe
from tests.ui.signed_in import ADMINISTRATOR, PASSWORD, make_account, platform_with_sign_in, sign_in

OWN = "a-password-of-my-own"


@pytest.fixture(scope="module")
def team(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformProcess]:
    with platform_with_sign_in(tmp_path_factory.mktemp("team")) as platform:
        yield platform


@pytest.fixture
def desks(browser: Browser, team: PlatformProcess) -> Iterator["Desks"]:
    with ExitStack() as stack:
        yield Desks(browser, team.url, stack)


class Desks:
    """A browser for each person; in none of them may anything go wrong, or leave this machine."""

    def __init__(self, browser: Browser, url: str, stack: ExitStack) -> None:
        self.browser, self.url, self.stack = browser, url, stack

    def seat(self, name: str, password: str, *, width: int = 1280) -> Page:
        """Return somebody's browser, after the sign-in."""
        screen = self.browser.new_context(
            base_url=self.url,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if width < 500 else "light",
            permissions=["clipboard-read", "clipboard-write"],
        )
        page = screen.new_page()
        watch = Watch(page, self.url)
        self.stack.callback(lambda: _nothing_wrong(watch))
        self.stack.callback(screen.close)
        sign_in(page, name, password)
        return page


def _nothing_wrong(watch: Watch) -> None:
    assert not watch.troubles, watch.troubles


def sound(page: Page) -> None:
    """Axe finds nothing serious, and the page is no wider than its window."""
    assert axe(page) == []
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"the page is {wide} px wider than its window"


def choose_password(page: Page, given: str) -> None:
    expect(page.get_by_role("heading", name="Choose a password of your own")).to_be_visible()
    for field, typed in (("old_password", given), ("new_password1", OWN), ("new_password2", OWN)):
        page.locator(f"#id_{field}").fill(typed)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("Your password is changed.")).to_be_visible()


@pytest.mark.thorough
def test_a_team_comes_together(desks: Desks, team: PlatformProcess) -> None:
    root = desks.seat(ADMINISTRATOR, PASSWORD)
    expect(root.get_by_role("link", name="All tables")).to_be_visible()
    given = {name: make_account(root, name) for name in ("ann", "bob")}
    sound(root)

    ann = desks.seat("ann", given["ann"])
    choose_password(ann, given["ann"])
    expect(ann.get_by_text("You are a member of no workspace yet")).to_be_visible()
    expect(ann.get_by_role("link", name="All tables")).to_have_count(0)
    ann.get_by_role("link", name="Make a workspace").click()
    ann.get_by_label("Name", exact=True).fill("answers")
    ann.get_by_role("button", name="Make the workspace").click()
    ann.get_by_label("Account").fill("bob")
    ann.get_by_role("form", name="New member").get_by_label("Role").select_option("Viewer")
    ann.get_by_role("button", name="Add the member").click()
    expect(ann.get_by_text("bob is a Viewer of answers now.")).to_be_visible()
    ann.get_by_text("Change ann", exact=True).click()
    expect(ann.get_by_text("You are the only Admin.")).to_be_visible()
    sound(ann)

    ann.get_by_role("link", name="Access tokens").click()
    ann.get_by_label("Name", exact=True).fill("nightly run")
    ann.get_by_label("write:").check()
    ann.get_by_role("button", name="Make the token").click()
    token = ann.locator("#new-token").inner_text()
    ann.get_by_role("region", name="Token “nightly run” is made").get_by_role("button", name="Copy").click()
    expect(ann.get_by_role("button", name="Copied")).to_be_visible()
    assert ann.evaluate("navigator.clipboard.readText()") == token
    sound(ann)
    assert token not in ann.url and token not in str(ann.context.cookies())
    called = httpx.post(
        f"{team.url}/apis/secrets/v2/workspaces/answers/secrets",
        json={"name": "judge-key", "value": "v"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    assert called.status_code == 201, called.text
    ann.goto("/admin/tokens/")
    assert token not in ann.content()
    expect(ann.get_by_role("list", name="Tokens")).to_contain_text(f"…{token[-4:]}")

    bob = desks.seat("bob", given["bob"], width=390)
    sound(bob)
    choose_password(bob, given["bob"])
    bob.goto("/admin/workspaces/answers/")
    expect(bob.get_by_role("list", name="Members")).to_contain_text("ann")
    for page in ("workspaces/answers/", "secrets/answers/judge-key/", "secrets/", "filesets/", "evaluations/"):
        bob.goto(f"/admin/{page}")
        content = bob.locator("#content")
        expect(content).to_be_visible()
        expect(content.locator("form[method=post]")).to_have_count(0)
        expect(content.get_by_role("link", name="New ")).to_have_count(0)
    bob.goto("/admin/tables/")
    expect(bob.get_by_text("Only an administrator may administer the platform.")).to_be_visible()
    bob.locator(".user-menu summary").click()
    expect(bob.get_by_text("Signed in as bob")).to_be_visible()
    sound(bob)
    bob.get_by_role("button", name="Log out").click()
    expect(bob.get_by_label("Username")).to_be_visible()
    sound(bob)

    root.goto("/admin/people/ann/")
    expect(root.get_by_role("list", name="Tokens")).to_contain_text("nightly run")
    sound(root)
    root.get_by_role("button", name="Revoke nightly run").click()
    expect(root.get_by_text("Token 'nightly run' of ann holds no longer.")).to_be_visible()
    whoami = httpx.get(f"{team.url}/apis/entities/v2/workspaces", headers={"Authorization": f"Bearer {token}"})
    assert whoami.status_code == 401
