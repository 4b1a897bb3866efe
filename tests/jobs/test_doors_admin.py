"""The pages of jobs: they show what there is, and do nothing at a mere click on a link."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from assay.jobs import logs
from assay.jobs.models import Job, RowScore, State
from assay.workspaces.models import Workspace
from tests.jobs.made import active, completed, job_in, judged

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    return Client(HTTP_HOST="localhost", enforce_csrf_checks=True)


def page(browser: Client, name: str, *args: Any, query: str = "") -> str:
    reply = browser.get(reverse(f"admin:{name}", args=args) + query)
    assert reply.status_code == 200
    return reply.content.decode()


def test_the_list_shows_how_far_jobs_are(browser: Client, workspace: Workspace) -> None:
    active(job_in(workspace), done=1)
    page(browser, "jobs_job_changelist")  # makes the local user
    with CaptureQueriesContext(connection) as few:
        text = page(browser, "jobs_job_changelist")
    assert "50 % (1 of 2 rows)" in text
    assert "nvidia/nemotron-3-nano-30b-a3b" in text
    for number in range(5):
        completed(job_in(workspace, f"j-{number}"))
    with CaptureQueriesContext(connection) as many:
        page(browser, "jobs_job_changelist")
    assert len(many) == len(few)


def test_a_completed_job_shows_scores_results_rows_and_log(browser: Client, workspace: Workspace) -> None:
    job = job_in(workspace)
    logs.write(job, "Planned <b>2</b> rows")
    completed(job)
    text = page(browser, "jobs_job_change", job.pk)
    assert "llm-judge.helpfulness" in text and "2.5" in text
    assert f"/apis/evaluator/v2/workspaces/w-one/evaluate/jobs/{job.name}/results/row-scores/download" in text
    assert "Planned &lt;b&gt;2&lt;/b&gt; rows" in text
    assert "stand-in" not in text


@pytest.mark.parametrize("state", [State.CANCELLED, State.ERROR, State.ACTIVE])
def test_rows_of_a_job_that_did_not_complete_can_be_read(browser: Client, workspace: Workspace, state: State) -> None:
    job = job_in(workspace, state=state, rows_total=2, rows_done=1, error="The judge is away" * (state == State.ERROR))
    judged(job, 0, item={"prompt": "a paid-for row"})
    text = page(browser, "jobs_job_change", job.pk)
    query = re.search(r'href="[^"]*rowscore/(\?job__id__exact=\d+)"', text)
    assert query
    assert "helpfulness = 1.0" in page(browser, "jobs_rowscore_changelist", query=query[1])
    assert "a paid-for row" in page(browser, "jobs_rowscore_change", RowScore.objects.get().pk)


@pytest.mark.parametrize("told_by", ["metric", "reply"])
def test_scores_of_the_stand_in_judge_are_called_that(browser: Client, workspace: Workspace, told_by: str) -> None:
    job = job_in(workspace)
    if told_by == "metric":
        Job.objects.update(metrics=[{"type": "llm-judge", "model": {"name": "assay-stand-in-judge"}}])
    else:
        judged(job, 0, requests=[{"request": {}, "response": {"model": "assay-stand-in-judge"}}])
    assert "scores of the stand-in judge" in page(browser, "jobs_job_change", job.pk)


def test_a_link_alone_stops_nothing(browser: Client, workspace: Workspace) -> None:
    job = job_in(workspace)
    where = reverse("admin:jobs_job_cancel_job", args=[job.pk])
    dialog = browser.get(where).content.decode()
    job.refresh_from_db()
    assert job.state == State.CREATED
    assert browser.post(where, {"_form_submitted": "on"}).status_code == 403, "without the page's token"
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', dialog)
    assert token
    reply = browser.post(where, {"_form_submitted": "on", "csrfmiddlewaretoken": token[1]})
    assert reply.status_code == 302
    job.refresh_from_db()
    assert job.state == State.CANCELLED


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        (State.CREATED, {"cancel", "pause"}),
        (State.ACTIVE, {"cancel", "pause"}),
        (State.PAUSING, {"cancel"}),
        (State.PAUSED, {"cancel", "resume"}),
        (State.CANCELLING, set()),
        (State.COMPLETED, {"delete"}),
        (State.ERROR, {"delete"}),
        (State.CANCELLED, {"delete"}),
    ],
)
def test_only_what_the_state_allows_is_offered(
    browser: Client, workspace: Workspace, state: State, offered: set[str]
) -> None:
    job = completed(job_in(workspace))
    Job.objects.update(state=state)
    text = page(browser, "jobs_job_change", job.pk)
    found = {verb for verb in ("cancel", "pause", "resume") if f"/{verb}_job" in text}
    found |= {"delete"} if reverse("admin:jobs_job_delete", args=[job.pk]) in text else set()
    assert found == offered
    for verb in {"cancel", "pause", "resume"} - offered:
        assert browser.get(reverse(f"admin:jobs_job_{verb}_job", args=[job.pk])).status_code == 403


def test_deleting_a_job_takes_its_results_along(workspace: Workspace) -> None:
    job = completed(job_in(workspace))
    browser = Client(HTTP_HOST="localhost")
    reply = browser.post(reverse("admin:jobs_job_delete", args=[job.pk]), {"post": "yes"})
    assert reply.status_code == 302
    assert not Job.objects.exists() and not workspace.filesets.exists()


def test_nothing_can_be_added_or_changed(browser: Client, workspace: Workspace) -> None:
    job = job_in(workspace)
    assert browser.get(reverse("admin:jobs_job_add")).status_code == 403
    assert 'name="_save"' not in page(browser, "jobs_job_change", job.pk)
