"""The first page and the list of evaluations: what runs, what failed, what came of it, and picking some to compare."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from playwright.sync_api import Page, expect

from assay.jobs.models import Job, State
from assay.workspaces.models import Workspace
from assay_sdk import RunConfig
from tests.judge import JudgeProcess
from tests.things import make_job
from tests.ui.seeds import STRICT, Site
from tests.ui.seeing import axe


@pytest.fixture
def slow() -> Iterator[JudgeProcess]:
    with JudgeProcess(latency_ms=250) as judge:
        yield judge


def test_home_shows_what_runs_what_failed_and_what_came_of_it(tab: Page, site: Site, slow: JudgeProcess) -> None:
    site.assay().evaluator.submit(site.judge(), site.dataset(), name="just-now").wait(timeout=60)
    judge = site.judge(STRICT, address=slow.url)
    rows = [{"prompt": f"question {number}", "response": "answer"} for number in range(500)]
    job = site.assay().evaluator.submit(judge, rows, name="under-way", config=RunConfig(parallelism=4))
    tab.goto("/admin/")
    running = tab.get_by_role("region", name="Running now")
    bar = running.get_by_role("progressbar", name="Progress of under-way")
    # The page was loaded once: it is what the page asks for by itself that moves the bar.
    expect(bar).to_have_attribute("value", re.compile(r"^0\.[1-9]|^[1-9]"))
    expect(running).to_contain_text("rows/s")
    attention = tab.get_by_role("region", name="Needs attention")
    expect(attention.get_by_role("link", name=site.failed)).to_be_visible()
    expect(attention).to_contain_text("'missing.csv' matches no data file")
    results = tab.locator("section").filter(has=tab.get_by_role("heading", name="Latest results"))
    line = results.get_by_role("row").filter(has_text="just-now")
    expect(line).to_contain_text(re.compile(r"llm-judge\.helpfulness\s*[0-9]"))
    expect(line).to_contain_text("stand-in")
    expect(tab.get_by_text("all well")).to_be_visible()
    assert axe(tab) == []
    job.pause()
    expect(attention.get_by_role("link", name="under-way")).to_be_visible()
    expect(attention).to_contain_text("Paused; resume to go on")
    expect(running).to_contain_text("Nothing is being judged at this moment.")
    job.cancel()


@pytest.mark.thorough
def test_the_list_is_filtered_and_evaluations_are_picked_to_be_compared(tab: Page, site: Site) -> None:
    tab.goto("/admin/evaluations/")
    listed = tab.get_by_role("region", name="Evaluations").get_by_role("row")
    tab.get_by_label("State").select_option("error")
    tab.wait_for_url(re.compile("state=error"))
    expect(listed).to_have_count(2)
    expect(listed.last).to_contain_text(site.failed)
    assert axe(tab) == []
    tab.get_by_role("link", name="Show all").click()
    tab.get_by_label("Name holds").fill("-JUDGE")
    tab.get_by_role("button", name="Search").click()
    expect(listed).to_have_count(3)
    compare = tab.get_by_role("button", name="Compare")
    expect(compare).to_be_disabled()
    for name in (site.strict, site.kind):
        tab.get_by_role("checkbox", name=f"Compare {name} in {site.workspace}").check()
    expect(compare).to_have_text("Compare 2")
    compare.click()
    tab.wait_for_url(re.compile("/admin/compare/"))
    asked = parse_qs(urlsplit(tab.url).query)
    assert asked["workspace"] == [site.workspace]
    assert sorted(asked["job"]) == sorted([site.strict, site.kind])


def test_an_empty_platform_says_how_to_begin(db: None) -> None:
    shown = Client(HTTP_HOST="localhost").get("/admin/").content.decode()
    for said in ("Upload a dataset", "Describe a judge", "make demo", "/admin/filesets/", "/admin/evaluations/new/"):
        assert said in shown
    listed = Client(HTTP_HOST="localhost").get("/admin/evaluations/").content.decode()
    assert "There are no evaluations yet" in listed


@pytest.mark.parametrize("address", ["/admin/evaluations/", "/admin/evaluations/?state=completed&q=a", "/admin/"])
def test_many_evaluations_take_no_more_queries_than_few(workspace: Workspace, address: str) -> None:
    def queries(jobs: int) -> int:
        for number in range(Job.objects.count(), jobs):
            make_job(workspace, f"a-{number}", state=State.COMPLETED)
        with CaptureQueriesContext(
            connection,
        ) as found:
            assert Client(HTTP_HOST="localhost").get(address).status_code == 200
        return len(found)

    queries(2)  # the local user is made, and settings are read
    assert queries(3) == queries(30)


def test_a_page_of_the_list_follows_the_other_newest_first(workspace: Workspace) -> None:
    names = [make_job(workspace, f"j-{number:02}").name for number in range(30)]
    seen: list[str] = []
    for page in (1, 2):
        shown = Client(HTTP_HOST="localhost").get(f"/admin/evaluations/?workspace={workspace.name}&page={page}")
        seen += re.findall(rf"/admin/evaluations/{workspace.name}/(j-\d\d)/", shown.content.decode())
    assert seen == names[::-1]
