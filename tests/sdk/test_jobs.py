"""Jobs: waiting for them, steering them, and reading what they came to."""

import io
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay_sdk import (
    APIConnectionError,
    AssayError,
    ConflictError,
    JobCancelled,
    JobFailed,
    JobTimeout,
    NotFoundError,
    ScoreState,
    UnsafeArchive,
)
from assay_sdk.client import watch as watching
from assay_sdk.client.progress import progress_for
from assay_sdk.client.values import JobStatus
from tests.sdk.conftest import TIME, Either, recorded
from tests.sdk.stub import Asked, Reply, Stub, reply

JOB = "/apis/jobs/v2/workspaces/default/jobs/j1"
INFO = {"id": "platform-job-x", "name": "j1", "workspace": "default", "status": "created", "spec": {}}
INFO |= {"created_at": TIME, "updated_at": TIME}
ROW = b'{"row_index": %d, "item": {"q": "x"}, "sample": {}, "metrics": {"llm-judge": [{"name": "s", "value": %s}]}}'


def state(status: str, **more: Any) -> Reply:
    return reply({"name": "j1", "id": "x", "status": status, "status_details": {}, "error_details": None, **more})


@pytest.fixture
def job(stub: Stub, either: Either) -> Any:
    stub.on("GET", JOB, reply(INFO))
    return either("jobs.retrieve", "j1")


@pytest.fixture
def settle(either: Either) -> Callable[[Callable[[], Any]], Any]:
    return either.settle


def test_waiting_ends_when_the_job_does(stub: Stub, job: Any, settle: Any) -> None:
    stub.on("GET", f"{JOB}/status", *map(state, ("created", "pending", "active", "active", "completed")))
    assert settle(lambda: job.wait(poll=0.01, progress=False)) is job
    assert stub.addresses.count(f"GET {JOB}/status") == 5


def test_a_failed_job_says_why(stub: Stub, job: Any, settle: Any) -> None:
    stub.on("GET", f"{JOB}/status", state("error", error_details={"message": "No such column: prompt"}))
    with pytest.raises(JobFailed, match=r"^job default/j1 ended as 'error': No such column: prompt$") as caught:
        settle(lambda: job.wait(progress=False))
    assert (caught.value.status, caught.value.job) == ("error", "default/j1")


def test_a_cancelled_job_is_a_failure_of_its_own(stub: Stub, job: Any, settle: Any) -> None:
    stub.on("GET", f"{JOB}/status", state("cancelled"))
    with pytest.raises(JobCancelled):
        settle(lambda: job.wait(progress=False))


def test_waiting_has_an_end(stub: Stub, job: Any, settle: Any) -> None:
    stub.on("GET", f"{JOB}/status", state("active"))
    begun = time.monotonic()
    with pytest.raises(JobTimeout, match=r"still 'active' after 0 s; it goes on"):
        settle(lambda: job.wait(timeout=0.3, progress=False))
    assert 0.3 <= time.monotonic() - begun < 2


def test_short_jobs_are_noticed_soon_and_long_ones_not_pestered() -> None:
    now = 0.0
    watch = watching.Watch("w/j", progress_for("j", False), timeout=None, poll=None, clock=lambda: now)
    active = JobStatus(name="j", status="active")
    pauses = []
    while now < 60:
        pause = watch.see(active)
        assert pause is not None
        pauses.append(pause)
        now += pause
    assert pauses[0] == 0.1
    assert max(pauses) == 2.0
    assert len(pauses) < 70


def test_a_restart_of_the_server_does_not_end_the_wait(
    stub: Stub, client_of: Callable[..., Either], monkeypatch: pytest.MonkeyPatch
) -> None:
    either = client_of(stub.url, retries=0)
    stub.on("GET", JOB, reply(INFO))
    job = either("jobs.retrieve", "j1")
    stub.on("GET", f"{JOB}/status", state("active"), Reply(cut=0), Reply(cut=0), state("completed"))
    either.settle(lambda: job.wait(poll=0.01, progress=False))
    monkeypatch.setattr(watching, "PATIENCE", 0.05)
    stub.on("GET", f"{JOB}/status", state("active"), Reply(cut=0))
    with pytest.raises(APIConnectionError):
        either.settle(lambda: job.wait(poll=0.01, progress=False))


def test_patience_is_for_one_absence_at_a_time() -> None:
    now = 0.0
    watch = watching.Watch("w/j", progress_for("j", False), timeout=None, poll=None, clock=lambda: now)
    for _ in range(5):
        now += watching.PATIENCE - 1
        assert watch.lost(APIConnectionError("away")) > 0
        watch.see(JobStatus(name="j", status="active"))
    now += watching.PATIENCE + 1
    with pytest.raises(APIConnectionError):
        watch.lost(APIConnectionError("away"))


def test_progress_is_shown(stub: Stub, job: Any, settle: Any, capsys: pytest.CaptureFixture[str]) -> None:
    details = {"message": "Judging", "progress": 50.0, "samples_processed": 10}
    ended = {"message": "Completed: 20 rows scored"}
    stub.on("GET", f"{JOB}/status", state("active", status_details=details), state("completed", status_details=ended))
    settle(lambda: job.wait(poll=0.01))
    shown = capsys.readouterr()
    assert "10/20 rows" in shown.err
    assert shown.err.endswith("j1  Completed: 20 rows scored\n")
    assert shown.out == ""


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume"])
def test_steering(stub: Stub, job: Any, settle: Any, verb: str) -> None:
    stub.on("POST", f"{JOB}/{verb}", Reply(cut=0), reply(INFO))
    settle(lambda: getattr(job, verb)())
    assert stub.addresses[1:] == [f"POST {JOB}/{verb}"] * 2


def test_a_running_job_cannot_be_deleted(stub: Stub, job: Any, settle: Any) -> None:
    stub.on("DELETE", JOB, reply({"detail": "Cannot delete job 'j1' while it is 'active'. Cancel…"}, 409), Reply(204))
    with pytest.raises(ConflictError, match="while it is 'active'"):
        settle(job.delete)
    settle(job.delete)


def test_jobs_are_listed_as_jobs(stub: Stub, either: Either) -> None:
    stub.on(
        "GET", JOB.removesuffix("/j1"), reply({"data": [INFO], "pagination": {"total_pages": 1, "total_results": 1}})
    )
    [job] = either("jobs.list", filter={"status": "created"})
    assert (job.name, job.info.status) == ("j1", "created")


# Logs


def line(text: str) -> dict[str, Any]:
    return {"timestamp": TIME, "job": "j1", "job_step": "evaluate", "job_task": "t", "message": text}


def log(lines: list[str], size: int = 2) -> Callable[[Asked], Reply]:
    """Serve a log as it is at the moment of each request."""

    def page(asked: Asked) -> Reply:
        start = int(asked.query.get("page_cursor", 0))
        shown = lines[start : start + size]
        more = str(start + size) if start + size < len(lines) else None
        return reply(
            {"data": [line(text) for text in shown], "total": len(lines), "next_page": more, "prev_page": None}
        )

    return page


def test_a_log_is_read_to_its_end(stub: Stub, job: Any, settle: Any) -> None:
    stub.on("GET", f"{JOB}/logs", log(list("abcde")))
    assert [found.message for found in settle(job.logs)] == list("abcde")


def test_a_log_is_followed_until_the_job_is_done(
    stub: Stub, job: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay_sdk.client.jobs.FOLLOW_SECONDS", 0.001)
    lines = ["a"]
    growth = iter([[], ["b"], [], ["c", "d"], ["e"], [], ["f"]])

    def status(_: Asked) -> Reply:
        new = next(growth, None)
        lines.extend(new or [])
        return state("completed" if new is None else "active")

    stub.on("GET", f"{JOB}/status", status)
    stub.on("GET", f"{JOB}/logs", log(lines))
    assert [found.message for found in settle(lambda: job.logs(follow=True))] == list("abcdef")


# Results


def serve_results(stub: Stub, address: str = JOB) -> list[dict[str, Any]]:
    """Serve the results of the recorded tutorial, whose row scores were cut when they were recorded."""
    found = [entry for entry in recorded("evaluate-job-0.6") if entry["path"].endswith("scores/download")]
    found[1]["response"] = found[1]["response"].rpartition("\n")[0]
    for entry in found[:2]:
        stub.on(
            "GET", f"{address}/results/{entry['path'].split('/')[-2]}/download", Reply(200, entry["response"].encode())
        )
    return found


def test_recorded_results_can_be_read(stub: Stub, job: Any, settle: Any) -> None:
    serve_results(stub)
    result = settle(job.result)
    score = result.score("helpfulness")
    assert (score.name, score.count, score.nan_count, score.mean, score.median) == (
        "llm-judge.helpfulness",
        5,
        0,
        2.2,
        3.0,
    )
    assert score.percentiles["p90"] == 4.0
    assert sum(found.count for found in score.bins) == 5
    assert result.values("llm-judge.helpfulness") == [1.0]
    assert result.row_scores[0].calls[0].response["model"] == "nvidia/nemotron-3-nano-30b-a3b"
    assert result.unscored == []


def test_a_recorded_unscored_row_is_unscored(stub: Stub, job: Any, settle: Any) -> None:
    found = serve_results(stub)
    unscored = next(entry["response"] for entry in found if '"NaN"' in str(entry["response"]))
    stub.on("GET", f"{JOB}/results/row-scores/download", Reply(200, unscored.encode()))
    rows = settle(job.row_scores)
    assert any(
        score.value is None and score.state is ScoreState.UNPARSEABLE
        for row in rows
        for score in row.metrics["llm-judge"]
    )


def test_rows_come_in_their_order_however_they_arrive(stub: Stub, job: Any, settle: Any) -> None:
    serve_results(stub)
    lines = [ROW % (index, b"1.5") for index in (2, 0, 1)]
    stub.on("GET", f"{JOB}/results/row-scores/download", Reply(200, b"\n".join(lines) + b"\n\n"))
    assert [row.index for row in settle(job.result).row_scores] == [0, 1, 2]


def test_a_broken_row_score_is_told(stub: Stub, job: Any, settle: Any) -> None:
    stub.on("GET", f"{JOB}/results/row-scores/download", Reply(200, ROW % (0, b"1") + b"\n" + b'{"row_index": 1'))
    with pytest.raises(AssayError, match="not what the platform sends"):
        settle(job.row_scores)


def test_results_of_an_unfinished_job(stub: Stub, job: Any, settle: Any) -> None:
    stub.on("GET", f"{JOB}/status", state("active"), state("error", error_details={"message": "boom"}))
    with pytest.raises(AssayError, match="no result yet, it is 'active'"):
        settle(job.result)
    with pytest.raises(JobFailed, match="boom"):
        settle(job.result)
    with pytest.raises(NotFoundError):
        settle(lambda: job._jobs.retrieve("nobody"))


# Artifacts


def archive(*members: tuple[str, bytes | str]) -> bytes:
    """A gzipped tar; a member whose content is text is a link to that."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def test_artifacts_are_unpacked(stub: Stub, job: Any, settle: Any, tmp_path: Path) -> None:
    content = archive(("artifacts/row-scores.jsonl", b"{}"), ("artifacts/deep/er.json", b"[]"))
    stub.on("GET", f"{JOB}/results/artifacts/download", Reply(200, content))
    folder = settle(lambda: job.artifacts(tmp_path / "out"))
    assert folder == tmp_path / "out"
    assert (folder / "artifacts" / "deep" / "er.json").read_bytes() == b"[]"


@pytest.mark.parametrize(
    "bad",
    [("../evil", b"x"), ("/tmp/evil", b"x"), ("a/../../evil", b"x"), ("link", "/etc/passwd"), ("link", "../..")],
)
def test_an_archive_that_leads_out_is_refused_whole(
    stub: Stub, job: Any, settle: Any, tmp_path: Path, bad: tuple[str, bytes | str]
) -> None:
    stub.on("GET", f"{JOB}/results/artifacts/download", Reply(200, archive(("artifacts/good", b"x"), bad)))
    with pytest.raises(UnsafeArchive, match="nothing was unpacked"):
        settle(lambda: job.artifacts(tmp_path / "out"))
    assert list(tmp_path.rglob("*")) == []
