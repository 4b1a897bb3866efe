"""How a job comes along: rows, rates, what it used and may use, and the aggregates of the rows so far."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from assay.jobs.models import Job, RowScore, State, Usage
from assay.jobs.rates import rates_of
from assay.workspaces.models import Workspace
from tests.jobs.made import ROWS, completed, job_in
from tests.jobs.scored import scored_job

pytestmark = pytest.mark.django_db
PROGRESS = "/apis/evaluator/v2/workspaces/w-one/evaluate/jobs/j-one/progress"


def progress(client: APIClient, query: str = "") -> dict[str, Any]:
    reply = client.get(PROGRESS + query)
    assert reply.status_code == 200, reply.content
    return dict(reply.json())


def aged(job: Job, **seconds: float) -> Job:
    """Set times of the job so many seconds ago."""
    now = timezone.now()
    Job.objects.filter(pk=job.pk).update(**{name: now - timedelta(seconds=ago) for name, ago in seconds.items()})
    job.refresh_from_db()
    return job


def test_a_job_that_has_not_begun(client: APIClient, workspace: Workspace) -> None:
    job_in(workspace, budget_tokens=50)
    found = progress(client)
    assert (found["state"], found["rows_total"], found["rows_left"]) == ("created", None, None)
    assert (found["rows_per_second"], found["eta_seconds"]) == (None, None)
    assert found["budget"] == {"tokens": 50, "cost_usd": None, "tokens_left": 50, "cost_usd_left": None}
    assert found["usage"] == [] and found["usage_total"]["calls"] == 0


def test_a_job_under_way(client: APIClient, workspace: Workspace) -> None:
    job = aged(scored_job(workspace, "j-one", [1, 2, None, 3], ROWS * 2, budget_cost="1.5"), active_at=20)
    for model, cost in (("a", "0.25"), ("b", "0.5")):
        Usage.objects.create(
            job=job, model=model, address="http://j", calls=2, kept=1, tokens_in=10, tokens_out=4, cost=Decimal(cost)
        )
    found = progress(client)
    assert (found["rows_done"], found["rows_left"], found["rows_total"]) == (4, 100, 104)
    assert found["rows_per_second"] == 0.4, "four rows in the last ten seconds"
    assert found["rows_per_second_overall"] == pytest.approx(0.2, abs=0.02)
    assert found["eta_seconds"] == pytest.approx(250, abs=1)
    assert [line["model"] for line in found["usage"]] == ["a", "b"]
    assert found["usage_total"] == {
        "calls": 4, "kept": 2, "uncounted": 0, "tokens_in": 20, "tokens_out": 8, "cost_usd": 0.75,
    }  # fmt: skip
    assert found["budget"]["cost_usd_left"] == 0.75
    score = found["aggregates"]["scores"][0]
    assert (score["count"], score["nan_count"], score["mean"]) == (3, 1, 2.0)
    assert (found["shards"], found["shards_running"]) == (1, 1)


def test_aggregates_are_left_out_if_not_wanted(client: APIClient, workspace: Workspace) -> None:
    scored_job(workspace, "j-one", [1], ROWS[:1])
    assert progress(client, "?aggregates=false")["aggregates"] is None
    assert client.get(f"{PROGRESS}?aggregates=perhaps").status_code == 422


def test_the_rate_counts_this_jobs_rows_of_the_last_ten_seconds(workspace: Workspace) -> None:
    job = scored_job(workspace, "j-one", [1] * 6, ROWS * 3)
    scored_job(workspace, "j-other", [1] * 4, ROWS * 2)
    RowScore.objects.filter(job=job, row_index__lt=2).update(created_at=timezone.now() - timedelta(seconds=11))
    assert rates_of(aged(job, active_at=100)).recent == pytest.approx(0.4, abs=0.01)
    assert rates_of(aged(job, active_at=2)).recent == pytest.approx(2, abs=0.2), "of a job that has just begun"


def test_rows_from_before_a_pause_count_in_no_rate(workspace: Workspace) -> None:
    job = scored_job(workspace, "j-one", [1] * 6, ROWS * 3)
    RowScore.objects.filter(job=job, row_index__lt=4).update(created_at=timezone.now() - timedelta(hours=1))
    rates = rates_of(aged(job, paused_at=5, active_at=4))
    assert rates.overall == pytest.approx(0.5, abs=0.05)
    Job.objects.filter(pk=job.pk).update(state=State.PAUSED, paused_at=timezone.now())
    job.refresh_from_db()
    assert rates_of(job).recent is None


def test_an_ended_job_says_how_fast_it_was(client: APIClient, workspace: Workspace) -> None:
    aged(completed(job_in(workspace)), active_at=30, finished_at=10)
    RowScore.objects.update(created_at=timezone.now() - timedelta(seconds=15))
    found = progress(client)
    assert (found["waiting"], found["rows_left"], found["eta_seconds"]) == (None, 0, None)
    assert found["rows_per_second_overall"] == 0.1
    assert found["progress"] == 100.0


def test_a_job_that_failed_says_why(client: APIClient, workspace: Workspace) -> None:
    job_in(workspace, state=State.ERROR, error="The key was refused.", message="The key was refused.")
    assert progress(client)["message"] == "The key was refused."
    assert client.get(PROGRESS.replace("j-one", "j-none")).status_code == 404


def test_more_rows_cost_no_more_queries(client: APIClient, workspace: Workspace) -> None:
    counts = []
    for name, rows in (("j-one", 1), ("j-two", 40)):
        aged(scored_job(workspace, name, [1] * rows, (ROWS * 20)[:rows]), active_at=5)
        with CaptureQueriesContext(connection) as queries:
            client.get(PROGRESS.replace("j-one", name), {"aggregates": "false"})
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 14
