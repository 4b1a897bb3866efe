"""The results of a job: what there is, where it is, and its bytes."""

import io
import json
import tarfile
import tracemalloc
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from assay.filesets.models import File
from assay.jobs import results
from assay.jobs.models import Job, Result, State
from assay.workspaces.models import Workspace
from tests.jobs.made import AGGREGATES, active, completed, job_in, judged

pytestmark = pytest.mark.django_db
EVALUATIONS = "/apis/evaluator/v2/workspaces/w-one/evaluate/jobs/j-one"
JOBS = "/apis/jobs/v2/workspaces/w-one/jobs/j-one"
LISTED = {
    "single": ["artifacts", "row-scores", "aggregate-scores"],
    "bundles": ["artifacts", "row-scores", "aggregate-scores"],
    "publication": ["artifacts", "run-metadata", "row-scores", "aggregate-scores", "evaluation-results"],
}


def download(client: APIClient, name: str, base: str = EVALUATIONS, **headers: str) -> Any:
    return client.get(f"{base}/results/{name}/download", headers=headers)


def content(reply: Any) -> bytes:
    assert reply.status_code in {200, 206}, reply.content
    body = b"".join(reply.streaming_content)
    assert int(reply.headers["content-length"]) == len(body)
    return body


@pytest.mark.parametrize("dialect", LISTED)
def test_each_dialect_lists_its_results_newest_first(client: APIClient, workspace: Workspace, dialect: str) -> None:
    completed(job_in(workspace, dialect=dialect))
    with CaptureQueriesContext(connection) as queries:
        listed = client.get(f"{EVALUATIONS}/results").json()["data"]
    assert len(queries) == 2
    assert [result["name"] for result in listed] == LISTED[dialect]
    for result in listed:
        assert result["download_url"] == f"http://localhost{EVALUATIONS}/results/{result['name']}/download"
        assert client.get(f"{EVALUATIONS}/results/{result['name']}").json() == result
        assert content(client.get(result["download_url"].removeprefix("http://localhost")))
    assert {result["download_url"] for result in client.get(f"{JOBS}/results").json()["data"]} == {None}


def test_a_result_is_the_file_that_it_says_it_is(client: APIClient, workspace: Workspace) -> None:
    completed(job_in(workspace))
    where = client.get(f"{JOBS}/results/row-scores").json()["artifact_url"]
    fileset, _, path = where.partition("#")
    stored = client.get(f"/apis/files/v2/workspaces/w-one/filesets/{fileset.split('/')[1]}/-/{path}")
    assert content(stored) == content(download(client, "row-scores", JOBS))


def test_rows_come_in_their_order_a_page_at_a_time(
    client: APIClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.jobs.packs.ROWS_AT_ONCE", 3)
    job = active(job_in(workspace))
    for index in (5, 0, 3, 4, 1, 2, 6):
        judged(job, index)
    lines = b"".join(results.row_lines(job)).splitlines()
    assert [json.loads(line)["row_index"] for line in lines] == list(range(7))


def test_the_archive_holds_what_is_also_there_by_itself(client: APIClient, workspace: Workspace) -> None:
    for dialect, metadata in (("publication", "run-metadata.json"), ("single", "job.json")):
        Job.objects.all().delete()
        workspace.filesets.all().delete()
        completed(job_in(workspace, dialect=dialect))
        reply = download(client, "artifacts")
        assert reply.headers["content-type"] == "application/x-tar"
        assert reply.headers["content-disposition"] == 'attachment; filename="artifacts.tar.gz"'
        with tarfile.open(fileobj=io.BytesIO(content(reply)), mode="r:gz") as tar:
            files = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
        assert set(files) == {f"artifacts/{name}" for name in ("aggregate-scores.json", "row-scores.jsonl", metadata)}
        assert files["artifacts/row-scores.jsonl"] == content(download(client, "row-scores"))
        assert json.loads(files["artifacts/aggregate-scores.json"]) == AGGREGATES
        told = json.loads(files[f"artifacts/{metadata}"])
        assert (told["job"], told["rows"], told["rows_unscored"]) == ("j-one", 2, 0)


def test_publishing_again_replaces(client: APIClient, workspace: Workspace) -> None:
    job = completed(job_in(workspace))
    before = {result: content(download(client, result)) for result in LISTED["publication"]}
    results.write_artifacts(job, AGGREGATES)
    assert {result: content(download(client, result)) for result in LISTED["publication"]} == before
    assert before["artifacts"][4:8] == bytes(4), "no time of writing, which would make each archive another one"
    results.write_artifacts(job, {"scores": []})
    assert json.loads(content(download(client, "aggregate-scores"))) == {"scores": []}
    assert Result.objects.count() == File.objects.count() == 5


def test_nothing_shows_before_the_job_completed(client: APIClient, workspace: Workspace) -> None:
    job = completed(job_in(workspace))
    for state in set(State) - {State.COMPLETED}:
        Job.objects.filter(pk=job.pk).update(state=state)
        assert client.get(f"{EVALUATIONS}/results").json() == {"data": []}, state
        for end in ("", "/download"):
            reply = client.get(f"{EVALUATIONS}/results/row-scores{end}")
            assert reply.status_code == 404
            assert reply.json() == {"detail": "Result 'row-scores' for job 'j-one' not found in workspace 'w-one'."}


def test_a_client_that_accepts_bytes_only_is_served_and_refused(client: APIClient, workspace: Workspace) -> None:
    completed(job_in(workspace))
    assert content(download(client, "row-scores", JOBS, accept="application/octet-stream"))
    missing = download(client, "nothing", JOBS, accept="application/octet-stream")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/json")


def test_ranges(client: APIClient, workspace: Workspace) -> None:
    completed(job_in(workspace))
    whole = content(download(client, "row-scores"))
    part = download(client, "row-scores", range="bytes=5-9")
    assert (part.status_code, content(part)) == (206, whole[5:10])
    assert part.headers["content-range"] == f"bytes 5-9/{len(whole)}"
    assert download(client, "row-scores", range=f"bytes={len(whole)}-").status_code == 416


@pytest.mark.thorough
def test_publishing_many_rows_takes_no_more_memory_than_few(workspace: Workspace) -> None:
    job = active(job_in(workspace))
    item = {"text": "x" * 20_000}
    for index in range(600):
        judged(job, index, item=item)
    results.write_artifacts(job, AGGREGATES)  # imports and caches
    tracemalloc.start()
    results.write_artifacts(job, AGGREGATES)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000, "twelve megabytes of rows went through"
