"""The page of one evaluation: it is watched, steered and deleted in a browser, while a slow judge judges it."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from assay.jobs.models import State
from assay.workspaces.models import Workspace
from assay_sdk import RunConfig
from assay_sdk.client.job import Job
from tests.judge import JudgeProcess
from tests.things import make_job
from tests.ui.seated import pages_of
from tests.ui.seeds import ROWS, STRICT, Site
from tests.ui.seeing import axe

LONG = 20_000
"""Milliseconds that a job under test may take."""


@pytest.fixture(scope="module")
def slow() -> Iterator[JudgeProcess]:
    with JudgeProcess(latency_ms=300) as judge:
        yield judge


def submit(site: Site, slow: JudgeProcess, name: str, *, parallelism: int = 1) -> Job:
    """Return a job that takes some seconds."""
    config = RunConfig(parallelism=parallelism)
    judge = site.judge(STRICT, address=slow.url)
    return site.assay().evaluator.submit(judge, site.dataset(), name=name, config=config, cache=False)


def address(site: Site, name: str) -> str:
    return f"/admin/evaluations/{site.workspace}/{name}/"


def test_a_job_is_watched_from_its_start_to_its_results(tab: Page, site: Site, slow: JudgeProcess) -> None:
    submit(site, slow, "watched", parallelism=4)
    tab.goto(address(site, "watched"))
    bar = tab.get_by_role("progressbar", name="Progress of watched")
    expect(tab.locator("#job-state")).to_have_text("active")
    expect(bar).to_have_attribute("value", re.compile(r"^[1-9]"))
    expect(tab.get_by_text("Time left")).to_be_visible()
    assert axe(tab) == []
    scores = tab.get_by_role("region", name="Scores")
    expect(scores.get_by_role("rowheader", name="llm-judge.helpfulness")).to_be_visible()
    # Nobody reloads: the page goes on by itself, and then offers the results and what can be done to an ended job.
    expect(tab.get_by_role("link", name="See the results")).to_be_visible(timeout=LONG)
    expect(bar).to_have_attribute("value", "100.0")
    expect(tab.locator("#job-state")).to_have_text("completed")
    expect(tab.get_by_role("heading", name="Scores", exact=True)).to_be_visible()
    expect(scores.get_by_role("cell", name=str(ROWS), exact=True)).to_be_visible()
    expect(tab.get_by_role("region", name="The last lines of the log")).to_contain_text(f"Completed: {ROWS} rows")
    expect(tab.get_by_role("region", name="Calls and cost")).to_contain_text("assay-stand-in-judge")
    expect(tab.get_by_role("button", name="Pause")).to_have_count(0)
    expect(tab.get_by_role("link", name="Delete …")).to_be_visible()
    expect(tab.locator("#job-live")).not_to_have_attribute("hx-get", re.compile(".*"))
    assert axe(tab) == []


@pytest.mark.thorough
def test_a_job_is_paused_changed_and_resumed(tab: Page, site: Site, slow: JudgeProcess) -> None:
    job = submit(site, slow, "steered")
    tab.goto(address(site, "steered"))
    expect(tab.get_by_role("progressbar")).to_have_attribute("value", re.compile(r"^[1-9]"))
    tab.get_by_role("button", name="Pause").click()
    expect(tab.locator("#job-state")).to_have_text("paused")
    expect(tab.locator("#job-live")).to_contain_text("Paused; resume to go on")
    tab.get_by_text("Change …").click()
    tab.get_by_label("Rows at once").fill("many")
    tab.get_by_role("button", name="Change", exact=True).click()
    expect(tab.locator("#wrong-parallelism")).to_contain_text("a number")
    assert job.progress().parallelism == 1
    tab.get_by_label("Rows at once").fill("8")
    tab.get_by_label("Budget, tokens").fill("1000000")
    assert axe(tab) == []
    tab.get_by_role("button", name="Change", exact=True).click()
    expect(tab.get_by_text("of 1,000,000 tokens left")).to_be_visible()
    assert job.progress().parallelism == 8
    tab.get_by_role("button", name="Resume").click()
    expect(tab.get_by_role("link", name="See the results")).to_be_visible(timeout=LONG)
    assert job.progress().rows_done == ROWS


@pytest.mark.thorough
def test_a_cancelled_job_keeps_its_rows_until_it_is_deleted(tab: Page, site: Site, slow: JudgeProcess) -> None:
    job = submit(site, slow, "stopped")
    tab.goto(address(site, "stopped"))
    expect(tab.get_by_role("progressbar")).to_have_attribute("value", re.compile(r"^[1-9]"))
    tab.get_by_text("Cancel …").click()
    tab.get_by_role("button", name="Cancel the evaluation").click()
    expect(tab.locator("#job-state")).to_have_text("cancelled")
    expect(tab.get_by_role("link", name="See the rows that were judged")).to_be_visible()
    done = job.progress().rows_done
    assert 0 < done < ROWS
    expect(tab.get_by_text(f"Rerun failed rows ({ROWS - done}) …")).to_be_visible()
    tab.get_by_role("link", name="Delete …").click()
    goes = tab.get_by_role("region", name="What goes")
    expect(goes).to_contain_text(f"{done} rows")
    expect(goes).to_contain_text(f"{site.workspace}/job-fileset-stopped")
    expect(tab.get_by_role("region", name="What stays")).to_contain_text(f"{done} replies")
    assert axe(tab) == []
    tab.get_by_role("button", name="Delete for good").click()
    expect(tab.get_by_role("status")).to_contain_text("stopped and its results are deleted")
    assert "stopped" not in [each.name for each in site.assay().jobs.list()]


def test_a_failed_job_says_why_and_what_can_be_done(tab: Page, site: Site) -> None:
    tab.goto(address(site, site.failed))
    expect(tab.locator("#job-live")).to_contain_text("'missing.csv' matches no data file")
    expect(tab.get_by_text("Try again …")).to_be_visible()
    expect(tab.get_by_role("button", name="Pause")).to_have_count(0)
    tab.get_by_role("link", name="Clone").click()
    tab.wait_for_url(re.compile(rf"/evaluations/new/\?from={site.workspace}/{site.failed}$"))


@pytest.mark.thorough
def test_rows_without_a_score_are_judged_again(tab: Page, site: Site) -> None:
    with JudgeProcess(prose_every=4) as sloppy:
        metric = site.judge(STRICT, address=sloppy.url)
        metric.retries_unscored = 0
        job = site.assay().evaluator.submit(metric, site.dataset(), name="sloppy", config=RunConfig(parallelism=2))
        job.wait(timeout=60)
        failed = job.progress().rows_failed
        assert failed
        tab.goto(address(site, "sloppy"))
        tab.get_by_text(f"Rerun failed rows ({failed}) …").click()
        tab.get_by_role("button", name=f"Rerun {failed} rows").click()
        expect(tab.locator("#job-state")).to_have_text("completed", timeout=LONG)
        expect(tab.get_by_text("Reruns")).to_be_visible()
    assert job.progress().rows_failed < failed


def test_the_page_tells_what_is_asked_and_keeps_keys(tab: Page, site: Site) -> None:
    tab.goto(address(site, site.strict))
    asked = tab.get_by_role("region", name="Message of the system to assay-stand-in-judge")
    expect(asked).to_contain_text("You rate answers strictly")
    expect(tab.get_by_role("cell", name="0 to 4")).to_be_visible()
    facts = tab.get_by_role("region", name="Facts")
    expect(facts.get_by_role("link", name=f"{site.workspace}/{site.fileset}")).to_be_visible()
    expect(facts.get_by_role("link", name=f"{site.workspace}/judge-key")).to_be_visible()
    expect(tab.get_by_text("These are scores of the stand-in judge.")).to_be_visible()
    assert "not-needed-by-the-stand-in" not in tab.content()


@pytest.mark.thorough
def test_a_job_of_the_v1_api_is_shown_without_its_key(tab: Page, site: Site) -> None:
    model = {"api_endpoint": {"url": site.judge_url, "model_id": "m", "api_key": "sk-of-v1"}}
    score = {"type": "int", "parser": {"type": "regex", "pattern": "(\\d)"}}
    params = {"model": model, "template": {"messages": [{"role": "user", "content": "Rate {{item.a}} from 0 to 4"}]}}
    metric = {"type": "llm-judge", "params": {**params, "scores": {"stars": score}}}
    config = {"type": "custom", "tasks": {"qa": {"type": "data", "metrics": {"quality": metric}}}}
    target = {"type": "rows", "rows": [{"a": "some answer"}, {"a": "another"}]}
    body = {"namespace": "v1-team", "config": config, "target": target}
    made = httpx.post(f"{site.url}/v1/evaluation/jobs", json=body, timeout=30).json()
    tab.goto(f"/admin/evaluations/v1-team/{made['id']}/")
    expect(tab.get_by_role("link", name="See the results")).to_be_visible(timeout=LONG)
    expect(tab.get_by_role("region", name="Message of the user to m")).to_have_text("Rate {{item.a}} from 0 to 4")
    tab.get_by_text("Config and target, without keys").click()
    expect(tab.get_by_role("region", name="Config and target", exact=True)).to_contain_text("******")
    assert "sk-of-v1" not in tab.content()
    assert axe(tab) == []


@pytest.mark.parametrize("verb", ["do/pause/", "do/cancel/", "do/rerun/", "change/", "delete/"])
def test_who_may_only_look_changes_nothing(workspace: Workspace, settings: Any, verb: str) -> None:
    settings.AUTH = True
    job = make_job(workspace, state=State.ERROR if verb in ("do/rerun/", "delete/") else State.ACTIVE)
    page = f"/admin/evaluations/{workspace.name}/{job.name}/"
    assert Client(HTTP_HOST="localhost").get(page).status_code == 302
    looker = pages_of("looker", workspace.name, "Viewer")
    shown = looker.get(page)
    assert shown.status_code == 200
    for word in ("do-pause", "do-cancel", "do-rerun", "do-delete", "do-clone", "Change …"):
        assert word not in shown.content.decode()
    assert looker.post(page + verb).status_code == 403
    job.refresh_from_db()
    assert job.state in (State.ERROR, State.ACTIVE)


def test_a_link_alone_does_nothing(workspace: Workspace) -> None:
    job = make_job(workspace, state=State.ACTIVE)
    reply = Client(HTTP_HOST="localhost").get(f"/admin/evaluations/{workspace.name}/{job.name}/do/cancel/")
    assert reply.status_code == 405
    job.refresh_from_db()
    assert job.state == State.ACTIVE


def test_what_others_use_is_not_deleted_from_under_them(workspace: Workspace) -> None:
    job = make_job(workspace, "first")
    make_job(workspace, "second", dataset=job.result_fileset)
    browser, page = Client(HTTP_HOST="localhost"), f"/admin/evaluations/{workspace.name}/first/delete/"
    shown = browser.get(page).content.decode()
    assert "What stands in the way" in shown and "w-one/second" in shown
    assert "Delete for good" not in shown
    told = browser.post(page, follow=True).content.decode()
    assert "is still used by" in told
    job.refresh_from_db()
