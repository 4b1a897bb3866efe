"""The SDK against the real platform: real server, worker and judge, both clients, and the tutorial as it stands."""

import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assay_sdk import (
    Assay,
    AuthenticationError,
    ConflictError,
    FilesetRef,
    HuggingfaceStorage,
    JobCancelled,
    LLMJudgeMetric,
    Model,
    NotFoundError,
    RangeScore,
    RunConfig,
    UnprocessableEntityError,
)
from tests.hub.server import Hub
from tests.judge import JudgeProcess
from tests.platform_process import PlatformProcess
from tests.sdk.conftest import Either

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
DATA = EXAMPLES / "data" / "helpfulness.jsonl"
ITEMS = [json.loads(line) for line in DATA.read_text().splitlines()]
KEY = "key-of-the-judge-8f2c"


@pytest.fixture(scope="session")
def platform(shared_platform: PlatformProcess) -> PlatformProcess:
    return shared_platform


@pytest.fixture(scope="module")
def judge() -> Iterator[JudgeProcess]:
    with JudgeProcess(api_key=KEY) as judge:
        yield judge


@pytest.fixture
def room(platform: PlatformProcess, client_of: Callable[..., Either]) -> Iterator[Either]:
    """A client in a workspace of its own, with a secret and an uploaded dataset."""
    assay = client_of(platform.url, workspace="room")
    assay("workspaces.create", "room")
    assay("secrets.create", "judge-key", KEY)
    assay("files.filesets.create", "data")
    assay("files.upload", "data", DATA)
    yield assay
    for job in assay("jobs.list"):
        assay.settle(job.cancel)
        until(assay, job, "completed", "cancelled", "error")
    assay("workspaces.delete", "room", cascade=True)
    assert "room" not in [found.name for found in assay("workspaces.list")]


def metric(url: str) -> LLMJudgeMetric:
    content = "User prompt: {{item.prompt}}\n\nAssistant response: {{item.response}}\n\nRate this."
    return LLMJudgeMetric(
        model=Model(url=url, name="assay-stand-in-judge", api_key_secret="judge-key"),
        scores=[RangeScore(name="helpfulness", minimum=0, maximum=4)],
        prompt_template={"messages": [{"role": "user", "content": content}]},
    )


def test_a_job_and_a_local_run_give_the_same(room: Either, judge: JudgeProcess, tmp_path: Path) -> None:
    ref = FilesetRef(root="room/data").with_fragment("helpfulness.jsonl")
    job = room("evaluator.submit", metric(judge.url), ref, name="same", config=RunConfig(parallelism=4))
    room.settle(lambda: job.wait(timeout=60, progress=False))
    there = room.settle(job.result)
    here = room("evaluator.run", metric(judge.url), ITEMS, api_keys={"judge-key": KEY}, progress=False)
    assert there.aggregate_scores == here.aggregate_scores
    assert there.values("helpfulness") == here.values("helpfulness")
    assert [row.item for row in there.row_scores] == ITEMS
    agreement = there.agreement("helpfulness", resamples=100)
    assert agreement.n == len(ITEMS)
    assert here.agreement("helpfulness", resamples=100) == agreement
    assert room.settle(lambda: job.agreement("helpfulness", resamples=100)) == agreement

    assert (room.settle(job.status)).rows_done == len(ITEMS)
    assert any("same" in line.message for line in room.settle(job.logs))
    folder = room.settle(lambda: job.artifacts(tmp_path))
    stored = [path.read_text() for path in folder.rglob("*") if path.is_file()]
    assert stored and not any(KEY in text for text in stored)
    assert room("evaluator.results.retrieve", "same").scores["scores"][0]["count"] == len(ITEMS)


def test_rows_may_be_sent_along_and_metrics_stored(room: Either, judge: JudgeProcess) -> None:
    stored = room("evaluator.metrics.create", "helpful", metric(judge.url))
    assert [found.name for found in room("evaluator.metrics.list")] == ["helpful"]
    job = room("evaluator.submit", stored, ITEMS[:3], config=RunConfig(limit_samples=2))
    assert room.settle(lambda: job.wait(timeout=60, progress=False)) is job
    assert len(room.settle(job.result).row_scores) == 2
    assert [found.name for found in room("jobs.list", filter={"status": "completed"})] == [job.name]
    room("evaluator.metrics.delete", "helpful")


def test_nothing_is_deleted_from_under_a_job(room: Either, judge: JudgeProcess) -> None:
    job = room("evaluator.submit", metric(judge.url), "data#helpfulness.jsonl", name="holds")
    room.settle(lambda: job.wait(timeout=60, progress=False))
    for delete, name in (("workspaces", "room"), ("files.filesets", "data"), ("secrets", "judge-key")):
        with pytest.raises(ConflictError, match="holds"):
            room(f"{delete}.delete", name)
    room.settle(job.delete)
    room("files.filesets.delete", "data")
    room("secrets.delete", "judge-key")
    with pytest.raises(NotFoundError):
        room("secrets.retrieve", "judge-key")


def test_a_running_job_is_paused_resumed_and_cancelled(room: Either) -> None:
    with JudgeProcess(latency_ms=2000) as slow:
        job = room("evaluator.submit", metric(slow.url), ITEMS * 5, name="slow", config=RunConfig(parallelism=1))
        with pytest.raises(ConflictError, match="Cannot delete job"):
            room.settle(job.delete)
        until(room, job, "active")
        room.settle(job.pause)
        until(room, job, "paused")
        room.settle(job.resume)
        until(room, job, "active", "pending")
        room.settle(job.cancel)
        with pytest.raises(JobCancelled):
            room.settle(lambda: job.wait(timeout=30, progress=False))


def test_a_job_is_watched_as_it_runs_and_read_before_it_ends(room: Either, tmp_path: Path) -> None:
    with JudgeProcess(latency_ms=100) as slow:
        options = {"name": "watched", "config": RunConfig(parallelism=1), "budget": {"tokens": 10**6}, "cache": False}
        job = room("evaluator.submit", metric(slow.url), ITEMS, **options)
        deadline = time.monotonic() + 20
        while (seen := room.settle(lambda: job.progress(aggregates=True))).rows_done < 3:
            assert time.monotonic() < deadline, seen
        assert (seen.state, seen.cache, seen.budget.tokens) == ("active", False, 10**6)
        assert seen.scores[0].count >= 3 and seen.usage_total.calls >= 3 and seen.waiting is not None
        assert len(room.settle(job.rows)) >= 3
        room.settle(lambda: job.update(parallelism=16))
        lines = room.settle(job.follow_logs)
        assert lines[-1].message == f"Completed: {len(ITEMS)} rows scored"
    assert len(room.settle(lambda: job.export(tmp_path)).read_text().splitlines()) == len(ITEMS)
    with pytest.raises(ConflictError, match="nothing to judge again"):
        room.settle(job.rerun_failed)
    with pytest.raises(ConflictError, match="nothing of it can be changed"):
        room.settle(lambda: job.update(parallelism=2))


def until(room: Either, job: Any, *states: str) -> None:
    deadline = time.monotonic() + 20
    while (seen := room.settle(job.status)).status not in states:
        assert time.monotonic() < deadline, seen
        time.sleep(0.02)


def test_mistakes_come_back_with_their_places(room: Either, judge: JudgeProcess) -> None:
    with pytest.raises(UnprocessableEntityError, match=r"name: String should match"):
        room("secrets.create", "Bad Name", "value")
    with pytest.raises(ConflictError, match="already exists"):
        room("workspaces.create", "room")
    with pytest.raises(ConflictError, match="secrets were not found"):
        lost = metric(judge.url).model_copy(update={"model": Model(url=judge.url, name="m", api_key_secret="lost")})
        room("evaluator.submit", lost, ITEMS[:1])


def test_files_come_back_as_they_went(room: Either, tmp_path: Path) -> None:
    content = bytes(range(256)) * 4096
    room("files.upload", "data", content, "deep/ä b.bin")
    assert {file.path for file in room("files.list", "data")} == {"helpfulness.jsonl", "deep/ä b.bin"}
    assert room("files.read", "room/data", "deep/ä b.bin") == content
    assert room("files.download", "data", "deep/ä b.bin", tmp_path).read_bytes() == content
    room("files.delete", "data", "deep/ä b.bin")


def test_a_fileset_of_a_hub(room: Either) -> None:
    with Hub() as hub:
        first = hub.add_commit("team/answers", {"rows.jsonl": DATA.read_bytes()})
        storage = HuggingfaceStorage(repo_id="team/answers", endpoint=hub.url)
        fileset = room("files.filesets.create", "hub", storage=storage)
        assert (fileset.storage.revision, fileset.storage.original_revision) == (first, "main")
        assert room("files.read", fileset, "rows.jsonl") == DATA.read_bytes()
        second = hub.add_commit("team/answers", {"rows.jsonl": b"{}\n"})
        assert room("files.filesets.refresh", "hub").storage.revision == second
        with pytest.raises(ConflictError, match="does not track a revision"):
            room("files.filesets.refresh", "data")


def test_more_than_a_page(room: Either) -> None:
    names = [f"s{number:03}" for number in range(105)]
    for name in names:
        room("secrets.create", name, "v")
    assert sorted(found.name for found in room("secrets.list")) == ["judge-key", *names]
    assert room("workspaces.list", filter={"name": {"$like": "roo"}})[0].name == "room"


def test_projects(room: Either) -> None:
    room("workspaces.projects.create", "p1", description="one")
    assert room("workspaces.projects.update", "p1", description="two").description == "two"
    assert [found.name for found in room("workspaces.projects.list")] == ["p1"]
    room("workspaces.projects.delete", "p1")


@pytest.mark.thorough
def test_a_stranger_is_told_to_sign_in(platform_with: Callable[..., PlatformProcess]) -> None:
    locked = platform_with(ASSAY_AUTH="on")
    assert Assay(locked.url).health().status == "ready"
    for stranger in (Assay(locked.url), Assay(locked.url, login=("mallory", "guess"))):
        with stranger, pytest.raises(AuthenticationError):
            stranger.workspaces.retrieve("default")


# The tutorial


def run_tutorial(*arguments: str, url: str) -> str:
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / "judge_tutorial.py"), *arguments],
        env={**os.environ, "ASSAY_URL": url},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_tutorial_runs_as_it_stands_twice(platform: PlatformProcess) -> None:
    assay = Assay(platform.url)
    # What a run that broke off leaves behind must not stop the next one.
    assay.workspaces.create("judge-tutorial")
    for _ in range(2):
        output = run_tutorial(url=platform.url)
        assert output.count("STAND-IN judge, not of a model") >= 5
        assert "still holds job 'judge-tutorial/plain-prompt'" in output
        assert "deleted, in this order" in output
    assert "judge-tutorial" not in [found.name for found in assay.workspaces.list()]


@pytest.mark.thorough
def test_the_tutorial_runs_on_a_dataset_of_a_hub(platform: PlatformProcess) -> None:
    with Hub() as hub:
        hub.add_commit("team/answers", {"rows.jsonl.gz": gzip.compress(DATA.read_bytes())})
        options = ("--hub-repo", "team/answers", "--hub-file", "rows.jsonl.gz", "--limit", "10")
        output = run_tutorial("--hub-endpoint", hub.url, *options, url=platform.url)
    assert "plain         10" in output
