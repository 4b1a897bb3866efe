"""What Prometheus is told: of requests, calls and jobs; by all processes of a folder; and no name of anybody's."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from django.core.management.base import CommandError
from django.db import OperationalError, connection
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

from assay.jobs import gate
from assay.jobs.figures import JobFigures
from assay.jobs.gate import ShardGates
from assay.jobs.governor_stores import FileStore
from assay.jobs.ledger import Amounts, Ledger, Line
from assay.jobs.models import Job, Shard, ShardState, State
from assay.jobs.states import move
from assay.jobs.watch import stored
from assay.platform import metrics_read
from assay.workspaces.models import Workspace
from assay_sdk.engine.pace import Retry
from assay_sdk.engine.result import Row
from assay_sdk.engine.run import evaluate
from tests.engine.wire import Asked, Said, completion, refusal, serving
from tests.jobs.made import job_in
from tests.jobs.sharded import judged_row
from tests.platform_process import ROOT, free_port

Counts = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(text: str) -> Counts:
    families = text_string_to_metric_families(text)
    return {
        (each.name, tuple(sorted(each.labels.items()))): each.value for family in families for each in family.samples
    }


def scraped(client: APIClient) -> Counts:
    reply = client.get("/metrics")
    assert reply.status_code == 200
    assert reply.headers["Content-Type"].startswith("text/plain; version=")
    return read(reply.content.decode())


def count(counts: Counts, name: str, **labels: str) -> float:
    return counts.get((name, tuple(sorted(labels.items()))), 0.0)


@pytest.mark.django_db
def test_requests_are_counted_by_their_route_and_by_nobodys_name(client: APIClient, workspace: Workspace) -> None:
    before = scraped(client)
    client.get(f"/apis/entities/v2/workspaces/{workspace.name}")
    client.get("/apis/entities/v2/workspaces/not-there")
    client.get("/nobody/lives/here")
    client.generic("BREW", "/health/live")
    reply = client.get("/metrics").content.decode()
    assert workspace.name not in reply and "not-there" not in reply and "nobody" not in reply and "BREW" not in reply
    after = read(reply)
    route = {"method": "GET", "route": "/apis/entities/v2/workspaces/<str:name>"}
    for labels in (
        {**route, "status": "2xx"},
        {**route, "status": "4xx"},
        {"method": "GET", "route": "none", "status": "4xx"},
        {"method": "other", "route": "/health/live", "status": "4xx"},
    ):
        for name in ("assay_http_requests_total", "assay_http_request_seconds_count"):
            assert count(after, name, **labels) - count(before, name, **labels) == 1, labels
    assert count(after, "assay_http_requests_in_flight") == 1, "nothing but the asking itself"


@pytest.mark.django_db
def test_a_stream_is_in_flight_until_it_is_closed(client: APIClient, workspace: Workspace) -> None:
    job = job_in(workspace)
    stream = client.get(f"/apis/evaluator/v2/workspaces/{workspace.name}/evaluate/jobs/{job.name}/export")
    assert stream.status_code == 200 and stream.streaming
    assert count(scraped(client), "assay_http_requests_in_flight") == 2
    stream.close()
    stream.close()
    assert count(scraped(client), "assay_http_requests_in_flight") == 1


@pytest.mark.django_db
def test_jobs_that_have_not_ended_and_how_long_the_oldest_waits(client: APIClient, workspace: Workspace) -> None:
    ages = {"running": 900, "planned": 300, "starving": 400, "paused": 800}
    states = {"running": State.ACTIVE, "planned": State.CREATED, "starving": State.ACTIVE, "paused": State.PAUSED}
    now = timezone.now()
    for name, state in states.items():
        job = job_in(workspace, name, state=state, updated_at=now - timedelta(seconds=ages[name]))
        Shard.objects.create(job=job, index=0, start=0, stop=2)
        running = ShardState.RUNNING if name == "running" else ShardState.WAITING
        Shard.objects.create(job=job, index=1, start=2, stop=4, state=running)
    counts = scraped(client)
    assert count(counts, "assay_database_up") == 1
    found = {state: count(counts, "assay_jobs", state=state) for state in ("created", "active", "paused", "pending")}
    assert found == {"created": 1, "active": 2, "paused": 1, "pending": 0}
    assert count(counts, "assay_shards", state="running") == 1
    assert count(counts, "assay_shards", state="waiting") == 5, "those of the paused job do not wait for anybody"
    assert count(counts, "assay_queue_oldest_seconds") == pytest.approx(400, abs=30)


@pytest.mark.django_db(transaction=True)
def test_moves_of_jobs_are_counted(client: APIClient, workspace: Workspace) -> None:
    job = job_in(workspace)
    before = scraped(client)
    assert move(job, State.PENDING) and not move(job, State.COMPLETED, only=State.ACTIVE)
    after = scraped(client)
    assert (
        count(after, "assay_job_moves_total", state="pending") - count(before, "assay_job_moves_total", state="pending")
        == 1
    )
    assert count(after, "assay_jobs", state="pending") == 1


@pytest.mark.django_db
def test_without_a_database_the_rest_is_told(client: APIClient) -> None:
    def refuse(*args: object) -> None:
        raise OperationalError("connection refused")

    with connection.execute_wrapper(refuse):
        counts = read(metrics_read.exposition(JobFigures()).decode())
    assert count(counts, "assay_database_up") == 0
    assert not [name for name, _ in counts if name == "assay_jobs"]
    assert ("assay_calls_in_flight", ()) in counts


async def _answer(asked: Asked) -> Said:
    if asked.number == 1:
        return refusal(429, "slow down")
    if asked.number == 2:
        return refusal(500, "oops")
    if asked.number == 3:
        await asyncio.sleep(5)
    return completion('{"clarity": 3}')


def test_calls_are_counted_as_they_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "store", lambda: FileStore(tmp_path))

    async def judge() -> None:
        gates = ShardGates(Job(), Ledger({}), {})
        async with serving(_answer) as server:
            rows = [Row(index, {"q": f"question {index}"}) for index in range(3)]
            retry = Retry(attempts=3, patience=3, base=0.005, longest=0.01)
            judging = evaluate(rows, [server.judge(ignore_request_failure=True)], gates=gates, retry=retry, timeout=0.5)
            async for _ in judging:
                pass
        await gates.close()

    before = read(metrics_read.exposition().decode())
    asyncio.run(judge())
    after = read(metrics_read.exposition().decode())

    def more(name: str, **labels: str) -> float:
        return count(after, name, **labels) - count(before, name, **labels)

    ended = {o: more("assay_calls_total", role="judge", outcome=o) for o in ("ok", "refused", "error", "timeout")}
    assert ended == {"ok": 2, "refused": 1, "error": 1, "timeout": 1}
    assert more("assay_call_seconds_count", role="judge") == 5
    assert more("assay_call_seconds_bucket", role="judge", le="0.25") == 4
    assert count(after, "assay_calls_in_flight") == count(after, "assay_calls_waiting") == 0


def test_what_was_stored_is_counted() -> None:
    before = read(metrics_read.exposition().decode())
    stored([judged_row(index) for index in range(4)], {Line("m", "http://a"): Amounts(tokens_in=40, tokens_out=3)})
    after = read(metrics_read.exposition().decode())
    more = {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key, 0)}
    more = {key: value for key, value in more.items() if key[0].startswith("assay_")}
    assert more == {
        ("assay_rows_total", (("result", "scored"),)): 3,
        ("assay_rows_total", (("result", "transport"),)): 1,
        ("assay_tokens_total", (("direction", "in"),)): 40,
        ("assay_tokens_total", (("direction", "out"),)): 3,
    }


# Several processes

COUNTING = """
from assay.platform import metrics
metrics.calls.labels("judge", "ok").inc(5)
metrics.call_seconds.labels("judge").observe(0.2)
metrics.calls_in_flight.inc(3)
print("counted", flush=True)
input()
"""
READING = "from assay.platform import metrics_read; print(metrics_read.exposition().decode())"


@contextmanager
def counting(env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", COUNTING]
    process = subprocess.Popen(argv, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdin is not None
    try:
        assert process.stdout.readline() == "counted\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_all_processes_of_a_folder_are_read_together_and_the_dead_leave_no_files(tmp_path: Path) -> None:
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics")}

    def together() -> tuple[float, float, float]:
        text = subprocess.run([sys.executable, "-c", READING], cwd=ROOT, env=env, capture_output=True, text=True).stdout
        counts = read(text)
        assert "Calls that ended" in text, "the help is told as well"
        return (
            count(counts, "assay_calls_total", role="judge", outcome="ok"),
            count(counts, "assay_call_seconds_bucket", role="judge", le="0.25"),
            count(counts, "assay_calls_in_flight"),
        )

    with counting(env) as first, counting(env):
        assert together() == (10, 2, 6)
        first.kill()
        first.wait()
        assert together() == (10, 2, 3), "its counts stay, its calls in flight do not"
        assert not list((tmp_path / "metrics").glob(f"*_{first.pid}.db"))
    for _ in range(3):  # each reading is a process that ends as well
        assert together() == (10, 2, 0)
    readers_last = 1
    assert len(list((tmp_path / "metrics").glob("counter_*.db"))) == 1 + readers_last


def test_a_worker_can_be_read_by_itself() -> None:
    port = free_port()
    metrics_read.serve("127.0.0.1", port)
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").raise_for_status().text
    assert ("assay_calls_in_flight", ()) in read(text)
    assert ("process_resident_memory_bytes", ()) in read(text), "one process, so its memory is told too"
    with pytest.raises(CommandError, match=f"127.0.0.1:{port} .*: Address already in use"):
        metrics_read.serve("127.0.0.1", port)
