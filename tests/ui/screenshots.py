"""``python -m tests.ui.screenshots FOLDER``: a picture of every page, in light, in dark and on a phone.

The three that stand in the README are made anew in ``docs/images`` as well.
"""

import csv
import io
import json
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.judge import JudgeProcess
from tests.platform_process import PlatformProcess
from tests.ui.places import PLACES, SIGNED_IN, TABLES
from tests.ui.seeds import STRICT, Site, seed
from tests.ui.seeing import CHROMIUM, FLAGS, Watch
from tests.ui.signed_in import ADMINISTRATOR, PASSWORD, make_account, platform_with_sign_in, sign_in

SAMPLE = Path(__file__).resolve().parents[2] / "examples" / "data" / "helpfulness.jsonl"
PROMPTS = (STRICT.replace("strictly", "like a strict teacher"), STRICT.replace("strictly", "like a generous teacher"))
"""The stand-in judge listens to the tone."""
IMAGES = Path("docs", "images")
IN_README = ("clone", "people", "compare")
LOOKS = {"light": ("light", 1280), "dark": ("dark", 1280), "phone": ("light", 390)}


def main(folder: Path) -> int:
    """Take the pictures, and return how many pages had troubles."""
    if not CHROMIUM:
        raise SystemExit("no chromium is installed (Debian: apt-get install chromium-headless-shell)")
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        JudgeProcess(latency_ms=5) as judge,
        PlatformProcess(Path(data, "data")) as platform,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        site = seed(platform.url, judge.url, table=sample(), prompts=PROMPTS)
        troubles = [trouble for look in LOOKS for trouble in _take(browser, site, look, folder)]
        with platform_with_sign_in(Path(data, "team")) as team:
            troubles += _take_signed_in(browser, team.url, folder)
        browser.close()
    print(*troubles, f"{len(list(folder.glob('*.png')))} pictures in {folder}", sep="\n")
    return len(troubles)


def sample() -> str:
    """Return the demo's dataset as a CSV file."""
    rows = [json.loads(line) for line in SAMPLE.read_text().splitlines()]
    text = io.StringIO()
    table = csv.DictWriter(text, fieldnames=list(rows[0]), extrasaction="ignore")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _take(browser: Browser, site: Site, look: str, folder: Path) -> list[str]:
    scheme, width = LOOKS[look]
    context = browser.new_context(base_url=site.url, color_scheme=scheme, viewport={"width": width, "height": 900})
    troubles = []
    for name, place in {**PLACES, **TABLES}.items():
        tab = context.new_page()
        watch = Watch(tab, site.url)
        tab.goto(place(site), wait_until="networkidle")
        tab.screenshot(path=folder / f"{name}-{look}.png", full_page=True)
        if look == "light" and name in IN_README:
            IMAGES.mkdir(exist_ok=True)
            tab.screenshot(path=IMAGES / f"{name}.png")
        troubles += [f"{name} ({look}): {trouble}" for trouble in watch.troubles]
        tab.close()
    context.close()
    return troubles


def _take_signed_in(browser: Browser, url: str, folder: Path) -> list[str]:
    troubles: list[str] = []
    for look, (scheme, width) in LOOKS.items():
        context = browser.new_context(base_url=url, color_scheme=scheme, viewport={"width": width, "height": 900})
        tab = context.new_page()
        watch = Watch(tab, url)
        tab.goto("/admin/", wait_until="networkidle")
        tab.screenshot(path=folder / f"sign-in-{look}.png", full_page=True)
        sign_in(tab, ADMINISTRATOR, PASSWORD)
        if look == "light":
            make_account(tab, "ann")
            tab.goto("/admin/workspaces/default/")
            tab.get_by_label("Account").fill("ann")
            tab.get_by_role("button", name="Add the member").click()
        tab.goto("/admin/tokens/")
        tab.get_by_label("Name", exact=True).fill(look)
        tab.get_by_role("button", name="Make the token").click()
        tab.locator("#new-token").wait_for()
        tab.screenshot(path=folder / f"team-token-made-{look}.png", full_page=True)
        for name, place in SIGNED_IN.items():
            tab.goto(place, wait_until="networkidle")
            tab.screenshot(path=folder / f"{name}-{look}.png", full_page=True)
        tab.locator(".user-menu summary").click()
        tab.screenshot(path=folder / f"team-menu-{look}.png")
        troubles += [f"{trouble} ({look}, signed in)" for trouble in watch.troubles]
        context.close()
    return troubles


if __name__ == "__main__":
    sys.exit(min(1, main(Path(sys.argv[1]))))
