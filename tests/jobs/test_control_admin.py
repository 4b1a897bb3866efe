"""What a job waits for and what it used, in the admin; and the buttons that steer it."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from assay.jobs.models import Job, Reply, RowScore, State, Usage
from assay.workspaces.models import Workspace
from tests.jobs.made import ROWS, completed, job_in
from tests.jobs.scored import scored_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    return Client(HTTP_HOST="localhost", enforce_csrf_checks=True)


def page(browser: Client, name: str, *args: Any) -> str:
    reply = browser.get(reverse(f"admin:{name}", args=args))
    assert reply.status_code == 200
    return reply.content.decode()


def press(browser: Client, button: str, job: Job) -> str:
    """Confirm a button's dialog, and return the page that comes of it."""
    address = reverse(f"admin:jobs_job_{button}", args=[job.pk])
    token = re.search(r'name="csrfmiddlewaretoken" value="(.+?)"', browser.get(address).content.decode())
    assert token, f"{button} asks for no confirmation"
    sent = {"_form_submitted": "on", "csrfmiddlewaretoken": token[1]}
    return browser.post(address, sent, follow=True).content.decode()


def test_an_unfinished_job_says_what_it_waits_for_and_what_it_used(browser: Client, workspace: Workspace) -> None:
    job = job_in(workspace, state=State.PENDING, budget_tokens=100)
    Usage.objects.create(job=job, model="m-1", address="http://j", calls=3, tokens_in=20, tokens_out=4)
    text = page(browser, "jobs_job_change", job.pk)
    assert "no worker was seen" in text and "next looked at by" in text
    assert "3 calls of m-1 at http://j" in text and "76 of 100 tokens left" in text


def test_failed_rows_are_rerun_by_a_button_that_is_there_if_there_are_any(
    browser: Client, workspace: Workspace
) -> None:
    whole = completed(job_in(workspace, "j-whole"))
    assert "/rerun_failed" not in page(browser, "jobs_job_change", whole.pk)
    job = scored_job(workspace, "j-one", [1, None], ROWS)
    Job.objects.filter(pk=job.pk).update(state=State.ERROR, error="Enough.", rows_failed=1, rows_total=2)
    job.shards.update(state="done")
    assert "/rerun_failed" in page(browser, "jobs_job_change", job.pk)
    assert "is pending" in press(browser, "rerun_failed", job)
    job.refresh_from_db()
    assert (job.state, job.rows_done, job.rows_failed, job.reruns) == (State.PENDING, 1, 0, 1)
    assert RowScore.objects.filter(job=job).count() == 1


def test_what_is_refused_is_said(browser: Client, workspace: Workspace) -> None:
    job = job_in(workspace, state=State.PAUSED, budget_tokens=1)
    Usage.objects.create(job=job, model="m-1", address="http://j", tokens_in=2)
    assert "its budget is used up" in press(browser, "resume_job", job)
    job.refresh_from_db()
    assert job.state == State.PAUSED


def test_replies_and_ledgers_are_listed_but_nothing_that_was_said(browser: Client, workspace: Workspace) -> None:
    job = job_in(workspace)
    Usage.objects.create(job=job, model="m-1", address="http://j", calls=3)
    reply = Reply.objects.create(workspace=workspace, key=b"k" * 32, model="m-2", address="http://j", body=b"whispered")
    assert "m-1" in page(browser, "jobs_usage_changelist")
    assert "m-2" in page(browser, "jobs_reply_changelist")
    shown = page(browser, "jobs_reply_change", reply.pk)
    assert (b"k" * 32).hex() in shown and "whispered" not in shown
