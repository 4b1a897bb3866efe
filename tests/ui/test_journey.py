"""From an empty platform to a judge's worst disagreement with people, by somebody who has read nothing."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.judge import JudgeProcess
from tests.platform_process import PlatformProcess
from tests.ui.seeds import MODEL, answers
from tests.ui.seeing import Watch

pytestmark = pytest.mark.thorough

MOST_CLICKS = 9


class Person:
    """Clicks what it sees, and counts; what is typed or chosen in a field is not a click."""

    def __init__(self, tab: Page) -> None:
        self.tab = tab
        self.clicks = 0

    def click(self, what: Locator) -> None:
        what.click()
        self.clicks += 1


def test_from_home_to_the_worst_disagreement_without_documentation(browser: Browser, tmp_path: Path) -> None:
    table = tmp_path / "answers.csv"
    table.write_text(answers())
    with JudgeProcess(latency_ms=5) as judge, PlatformProcess(tmp_path / "data") as platform:
        tab = browser.new_context(base_url=platform.url).new_page()
        watch = Watch(tab, platform.url)
        person = Person(tab)
        tab.goto("/admin/")

        person.click(tab.get_by_role("link", name="Go to the filesets"))
        person.click(tab.get_by_role("link", name="New fileset").first)
        tab.get_by_label("Name").fill("support-answers")
        person.click(tab.get_by_role("button", name="Make the fileset"))
        tab.get_by_label("Drop files here, or choose them").set_input_files(table)
        person.clicks += 1  # the button that opens the system's own dialog
        person.click(tab.get_by_role("link", name="Evaluate answers.csv").first)

        tab.get_by_label("Address").fill(judge.url)
        tab.get_by_label("Model", exact=True).fill(MODEL)
        tab.get_by_label("User prompt").fill("How helpful is it? {{item.prompt}}\n\n{{item.response}}")
        tab.get_by_label("Name").first.fill("helpfulness")
        tab.get_by_label("Lowest").fill("0")
        tab.get_by_label("Highest").fill("4")
        person.click(tab.get_by_role("button", name="Submit the evaluation"))
        expect(tab.get_by_text("Completed: 40 rows scored").first).to_be_visible(timeout=30_000)

        person.click(tab.get_by_role("link", name="Judge against people"))
        worst = tab.get_by_role("region", name="disagreements").get_by_role("row").nth(1)
        person.click(worst.get_by_role("link"))
        expect(tab.get_by_role("heading", name="Row ", level=1)).to_be_visible()
        expect(tab.get_by_role("heading", name="Item")).to_be_visible()
        print(f"{person.clicks} clicks from the home page to the worst disagreement")
        assert person.clicks <= MOST_CLICKS
        assert not watch.troubles
