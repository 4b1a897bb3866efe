"""A real browser before a real platform with a worker and the stand-in judge. No mock stands anywhere between."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.judge import JudgeProcess
from tests.platform_process import PlatformProcess
from tests.ui.seeds import Site, seed
from tests.ui.seeing import CHROMIUM, FLAGS, Watch

# Two cores have four of these files at once, and the platforms that they look at.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def chromium() -> str:
    if not CHROMIUM:
        pytest.skip("not run: no chromium is installed (Debian: apt-get install chromium-headless-shell)")
    return CHROMIUM


class Opened:
    """The browser of all the files that come one after the other and want one.

    While Playwright is there an event loop runs in this thread, which Django takes for a reason not to ask the
    database, and asyncio for one not to start another: so it goes before a file that wants no browser.
    """

    def __init__(self) -> None:
        self.wanted_by: set[Path] = set()
        self._browser: Browser | None = None
        self._all = ExitStack()

    def browser(self, chromium: str) -> Browser:
        if self._browser is None:
            self._all.enter_context(pytest.MonkeyPatch.context()).setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
            playwright = self._all.enter_context(sync_playwright())
            self._browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            self._all.callback(self._browser.close)
        return self._browser

    def close(self) -> None:
        self._browser = None
        self._all.close()


OPENED = Opened()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    OPENED.wanted_by = {item.path for item in items if "browser" in getattr(item, "fixturenames", ())}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    yield
    if nextitem is None or nextitem.path not in OPENED.wanted_by:
        OPENED.close()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Browser:
    return OPENED.browser(chromium)


@pytest.fixture(scope="session")
def site(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A platform with something in it (``seeds.py``); tests may add to it, and take away only what they added."""
    folder: Path = tmp_path_factory.mktemp("ui")
    with JudgeProcess(latency_ms=5) as judge, PlatformProcess(folder / "data") as platform:
        yield seed(platform.url, judge.url)


@pytest.fixture(scope="module")
def screen(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=site.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def tab(screen: BrowserContext, site: Site) -> Iterator[Page]:
    """A tab of a browser; afterwards, nothing may have gone wrong in it, and nothing left this machine."""
    page = screen.new_page()
    watch = Watch(page, site.url)
    yield page
    page.close()
    screen.clear_cookies()
    assert not watch.troubles, watch.troubles
