"""``python -m tests.ui.screenshots FOLDER``: a picture of every page, in light, in dark and on a phone."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.judge import JudgeProcess
from tests.platform_process import PlatformProcess
from tests.ui.places import PLACES, TABLES
from tests.ui.seeds import Site, seed
from tests.ui.seeing import CHROMIUM, FLAGS, Watch

LOOKS = {"light": ("light", 1280), "dark": ("dark", 1280), "phone": ("light", 390)}


def main(folder: Path) -> int:
    """Take the pictures, and return how many pages had troubles."""
    if not CHROMIUM:
        raise SystemExit("no chromium is installed (Debian: apt-get install chromium)")
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        JudgeProcess(latency_ms=5) as judge,
        PlatformProcess(Path(data, "data")) as platform,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        site = seed(platform.url, judge.url)
        troubles = [trouble for look in LOOKS for trouble in _take(browser, site, look, folder)]
        browser.close()
    print(*troubles, f"{len(list(folder.glob('*.png')))} pictures in {folder}", sep="\n")
    return len(troubles)


def _take(browser: Browser, site: Site, look: str, folder: Path) -> list[str]:
    scheme, width = LOOKS[look]
    context = browser.new_context(base_url=site.url, color_scheme=scheme, viewport={"width": width, "height": 900})
    troubles = []
    for name, place in {**PLACES, **TABLES}.items():
        tab = context.new_page()
        watch = Watch(tab, site.url)
        tab.goto(place(site), wait_until="networkidle")
        tab.screenshot(path=folder / f"{name}-{look}.png", full_page=True)
        troubles += [f"{name} ({look}): {trouble}" for trouble in watch.troubles]
        tab.close()
    context.close()
    return troubles


if __name__ == "__main__":
    sys.exit(min(1, main(Path(sys.argv[1]))))
