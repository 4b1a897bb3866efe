"""A page that somebody uploaded comes back from our own origin as bytes, and never as a page."""

import io
from collections.abc import Iterator

import pytest
from rest_framework.test import APIClient

from assay.filesets import history, local
from assay.filesets.hub.lfs import Permit
from assay.filesets.models import Fileset
from assay.workspaces.models import Workspace
from tests.jobs.made import completed, job_in

PAGE = b"<!doctype html><script src=/apis/files/v2/workspaces/w-one/filesets/data/-/evil.js></script>"
NAME = 'a";\r\nX-Evil: 1; page\u202e.html'


@pytest.fixture
def addresses(workspace: Workspace) -> Iterator[list[str]]:
    """Everything that gives out what users wrote."""
    fileset = Fileset.objects.create(workspace=workspace, name="data", purpose="dataset")
    file = local.put(fileset, "page.html", io.BytesIO(PAGE))
    local.put(fileset, "evil.js", io.BytesIO(b"alert(1)"))
    history.settle(fileset)
    token = Permit(fileset.pk, file.etag or "", len(PAGE)).sign("download")
    job = completed(job_in(workspace, spec={"dataset": [{"prompt": PAGE.decode()}]}))
    jobs = f"/apis/jobs/v2/workspaces/w-one/jobs/{job.name}"
    evaluation = f"/apis/evaluator/v2/workspaces/w-one/evaluate/jobs/{job.name}"
    yield [
        "/apis/files/v2/workspaces/w-one/filesets/data/-/page.html",
        "/apis/files/v2/workspaces/w-one/filesets/data/-/evil.js",
        "/v1/hf/datasets/w-one/data/resolve/main/page.html",
        "/v1/hf/datasets/w-one/data/raw/main/page.html",
        "/v1/hf/datasets/w-one/data/raw/main/evil.js",
        f"/v1/hf/lfs/objects/{file.etag}?token={token}",
        f"{jobs}/results/artifacts/download",
        f"{evaluation}/results/row-scores/download",
        f"{evaluation}/rows",
        *(f"{evaluation}/export?format={form}" for form in ("csv", "jsonl", "parquet")),
        "/apis/files/v2/workspaces/w-one/filesets/nothing/-/<script>",
    ]


@pytest.mark.django_db
def test_what_users_wrote_never_runs_here(client: APIClient, addresses: list[str]) -> None:
    for address in addresses:
        reply = client.get(address)
        assert reply.status_code in {200, 404}, (address, reply.status_code)
        kind = reply["Content-Type"]
        assert "html" not in kind and "javascript" not in kind and "svg" not in kind and "xml" not in kind, (
            address,
            kind,
        )
        assert reply["X-Content-Type-Options"] == "nosniff", address
        assert "sandbox" in reply["Content-Security-Policy"] and "script-src" not in reply["Content-Security-Policy"]


@pytest.mark.django_db
def test_pages_keep_the_policy_of_pages(client: APIClient) -> None:
    page = client.get("/docs", HTTP_ACCEPT="text/html")
    assert page["Content-Type"].startswith("text/html")
    assert "script-src 'self'" in page["Content-Security-Policy"] and "sandbox" not in page["Content-Security-Policy"]


@pytest.mark.django_db
def test_a_name_cannot_write_headers(client: APIClient, workspace: Workspace) -> None:
    fileset = Fileset.objects.create(workspace=workspace, name="data", purpose="dataset")
    name = NAME.replace("\r\n", "")
    local.put(fileset, name, io.BytesIO(PAGE))
    commit = history.settle(fileset)
    reply = client.get(f"/v1/hf/datasets/w-one/data/resolve/{commit.oid}/{name}")
    assert reply.status_code == 200
    disposition = reply["Content-Disposition"]
    assert disposition.isascii() and disposition.count('"') == 2 and "X-Evil" not in reply.headers
    broken = client.put(f"/apis/files/v2/workspaces/w-one/filesets/data/-/{NAME}", b"x", content_type="text/plain")
    assert broken.status_code in {200, 400}
    for each in client.get("/apis/files/v2/workspaces/w-one/filesets/data/files").json()["data"]:
        got = client.get(each["file_url"])
        assert all("\n" not in value and "\r" not in value for value in got.headers.values())
