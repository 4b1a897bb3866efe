"""Asked to end in the middle of everything: what is in flight comes home, and the next start goes on at once."""

import http.client
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from assay.jobs import recover, run
from assay.jobs.leases import claim_shard
from assay.jobs.models import Shard, ShardState, State
from assay.jobs.shard_run import ShardRun
from assay.platform import health
from assay.platform.celery import app
from assay.platform.supervisor import Child, Supervisor
from assay.workspaces.models import Workspace
from tests.chaos.trial import until
from tests.jobs.made import job_in
from tests.judge import JudgeProcess
from tests.platform_process import PlatformProcess
from tests.rest import bundle, scores, status, submit, wait

FILES = "/apis/files/v2/workspaces/default/filesets"
IN_FLIGHT = "assay_http_requests_in_flight "
JOBS = "/apis/evaluator/v2/workspaces/default/evaluate/jobs"
LARGE = b"0123456789abcdef" * (2 << 20)
"""32 MiB: more than the sockets between take by themselves."""
ROWS, PARALLELISM = 24, 8
LATENCY_MS = 2000
"""Longer than calls get that are let go of when a job is paused."""


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[PlatformProcess]:
    with PlatformProcess(tmp_path / "data") as running:
        yield running


class Followed(threading.Thread):
    """Somebody who reads a job's log as it comes."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.lines = 0
        self.ended = "not at all"
        self.begun = threading.Event()

    def run(self) -> None:
        try:
            with httpx.stream("GET", self.url, params={"follow": "true"}, timeout=30) as reply:
                for line in reply.iter_lines():
                    self.lines += bool(line)
                    self.begun.set()
            self.ended = "well"
        except httpx.HTTPError as error:
            self.ended = repr(error)


@pytest.mark.thorough
def test_nothing_in_flight_is_lost_and_nothing_is_asked_twice(platform: PlatformProcess) -> None:
    assert platform.process is not None
    with JudgeProcess(latency_ms=LATENCY_MS) as judge, httpx.Client(base_url=platform.url, timeout=30) as api:
        api.post(FILES, json={"name": "large"}).raise_for_status()
        api.put(f"{FILES}/large/-/large.bin", content=LARGE).raise_for_status()
        items = [{"prompt": f"drain {n}", "response": "x"} for n in range(ROWS)]
        spec = {"dataset": items, "params": {"parallelism": PARALLELISM}, "metrics": [bundle(judge.url)]}
        submit(api, spec, "drained")
        followed = Followed(f"{platform.url}{JOBS}/drained/logs")
        followed.start()
        until(lambda: judge.stats()["calls"] > PARALLELISM, 30, "the second round of calls is under way")
        assert followed.begun.wait(10)

        download = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=30)
        download.request("GET", f"{FILES}/large/-/large.bin")
        slow = download.getresponse()
        head = slow.read(1 << 16)
        upload = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=30)
        upload.putrequest("PUT", f"{FILES}/large/-/again.bin")
        upload.putheader("Content-Length", "200000")
        upload.endheaders(b"a" * 100_000)
        until(lambda: in_flight(api) == 4, 30, "log, download, upload and the asking itself are in flight")

        platform.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        until(lambda: refused(platform.url), 30, "new requests are refused")
        assert platform.process.poll() is None, "it waits for what is in flight"
        upload.send(b"b" * 100_000)
        assert upload.getresponse().status == 200
        assert head + slow.read() == LARGE
        followed.join(20)
        assert (followed.ended, followed.lines > 0) == ("well", True)
        assert platform.process.wait(30) == 0
        assert time.monotonic() - began < 20
        flown = judge.stats()["calls"]
        assert PARALLELISM < flown < ROWS
        assert judge.stats()["in_flight"] == 0

        platform.start()
        until(lambda: judge.stats()["calls"] > flown, 30, "the job goes on")
        assert wait(api, "drained")["status"] == "completed"
        assert judge.stats()["calls"] == ROWS, "a question was asked twice"
        assert [row["row_index"] for row in scores(api, "drained")[1]] == list(range(ROWS))
        assert status(api, "drained")["status_details"]["samples_processed"] == ROWS


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_starts_rings_for_what_waits_though_somebody_just_did(workspace: Workspace) -> None:
    job = job_in(workspace, state=State.ACTIVE, rung_at=timezone.now())
    Shard.objects.create(job=job, index=0, start=0, stop=2)
    with app.connection_for_read() as broker, broker.SimpleQueue("assay") as queue:
        queue.clear()
        assert recover.sweep() == 0, "a sweep leaves time to who was called"
        recover.take_over()
        assert queue.get(timeout=5).payload[0] == [job.pk]


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_ends_rings_for_the_shard_that_it_gives_back(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    metric = {"type": "exact-match", "reference": "{{item.prompt}}", "candidate": "{{item.response}}"}
    job = job_in(workspace, state=State.PENDING, metrics=[metric], rows_total=2)
    Shard.objects.create(job=job, index=0, start=0, stop=2)
    shard = claim_shard(job.pk)
    assert shard is not None
    ending = threading.Event()
    ending.set()
    monkeypatch.setattr(run, "draining", ending)
    monkeypatch.setattr(ShardRun, "judge", unfinished)
    with app.connection_for_read() as broker, broker.SimpleQueue("assay") as queue:
        queue.clear()
        run.judge_shard(shard)
        assert queue.get(timeout=5).payload[0] == [job.pk]
    shard.refresh_from_db()
    assert (shard.state, shard.lease_until) == (ShardState.WAITING, None)


def test_not_ready_while_it_drains(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    ending = threading.Event()
    ending.set()
    monkeypatch.setattr(health, "draining", ending)
    reply = client.get("/health/ready")
    assert (reply.status_code, reply.json()) == (503, {"status": "draining"})


STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def test_a_person_who_asks_twice_does_not_wait() -> None:
    supervisor = Supervisor("127.0.0.1", 0, 0)
    child = Child("stubborn", [], {})
    child.process = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE)
    supervisor._kept.append(child)
    assert child.process.stdout is not None
    child.process.stdout.readline()
    draining = threading.Thread(target=supervisor._drain)
    draining.start()
    supervisor._note(signal.SIGCHLD, None)
    draining.join(0.5)
    assert draining.is_alive(), "it waits for a child that has not ended"
    supervisor._note(signal.SIGINT, None)
    draining.join(5)
    assert child.process.wait(5) == -signal.SIGKILL


async def unfinished(run: ShardRun) -> bool:
    return False


def in_flight(api: httpx.Client) -> float:
    (line,) = (line for line in api.get("/metrics").text.splitlines() if line.startswith(IN_FLIGHT))
    return float(line.removeprefix(IN_FLIGHT))


def refused(url: str) -> bool:
    try:
        httpx.get(f"{url}/health/live", timeout=5)
    except httpx.ConnectError:
        return True
    except httpx.TransportError:
        return False  # it stood in the queue as the door was shut
    return False
