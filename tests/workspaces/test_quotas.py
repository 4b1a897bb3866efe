"""A workspace that has used what it may is told so, and nothing is stored; others go on."""

from io import BytesIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings
from rest_framework.test import APIClient
from things import make_fileset, make_job

from assay.filesets import local
from assay.filesets.room import bytes_of
from assay.jobs.allowed import refuse_over_quota
from assay.jobs.models import Job, State
from assay.jobs.plan import Unplannable, plan
from assay.platform.errors import Conflict
from assay.platform.models import AuditEvent
from assay.workspaces.models import Workspace
from assay.workspaces.quotas import Allowance, allowance_of, set_quota

pytestmark = pytest.mark.django_db
FILES = "/apis/files/v2/workspaces"


@pytest.fixture
def home() -> Workspace:
    return Workspace.objects.create(name="w-one")


def put(client: APIClient, home: str, name: str, size: int) -> int:
    body = name.encode()[:1] * size
    return int(
        client.put(f"{FILES}/{home}/filesets/data/-/{name}", body, content_type="application/octet-stream").status_code
    )


def test_files_beyond_the_quota_are_not_stored(client: APIClient, home: Workspace) -> None:
    for name in ("w-one", "w-two"):
        Workspace.objects.get_or_create(name=name)
        client.post(f"{FILES}/{name}/filesets", {"name": "data"}, content_type="application/json")
    set_quota(home, bytes=1000)
    assert put(client, "w-one", "a", 600) == 200
    assert put(client, "w-one", "b", 600) == 413
    assert put(client, "w-one", "aa", 600) == 200, "the same content takes no more room"
    assert bytes_of(home) == 600
    assert put(client, "w-two", "b", 600) == 200
    sent = (
        '{"key":"header","value":{"summary":"s"}}\n{"key":"file","value":{"path":"c","encoding":"base64","content":"%s"}}'
        % ("QUJD" * 200)
    )
    refused = client.post("/v1/hf/api/datasets/w-one/data/commit/main", sent, content_type="application/x-ndjson")
    assert refused.status_code == 413 and "may hold 1000 bytes" in refused.json()["error"]
    assert bytes_of(home) == 600


def test_jobs_beyond_the_quota_wait_for_others(home: Workspace) -> None:
    set_quota(home, jobs=1)
    refuse_over_quota(home)
    job = make_job(home, "first")
    Job.objects.filter(pk=job.pk).update(state=State.ACTIVE)
    with pytest.raises(Conflict, match="all it may have"):
        refuse_over_quota(home)
    Job.objects.filter(pk=job.pk).update(state=State.COMPLETED)
    refuse_over_quota(home)


def test_a_job_of_too_many_rows_is_not_begun(home: Workspace) -> None:
    fileset = make_fileset(home, "rows")
    local.put(fileset, "d.jsonl", BytesIO(b'{"a": 1}\n' * 11))
    job = make_job(home, "long", dataset=fileset, state=State.CREATED)
    job.spec = {"dataset": "rows"}
    set_quota(home, rows=10)
    with pytest.raises(Unplannable, match="more rows than the 10"):
        plan(job)
    set_quota(home, rows=11)
    assert plan(job)
    job.refresh_from_db()
    assert job.rows_total == 11


def test_what_holds_is_its_own_else_that_of_all(home: Workspace, settings: Settings) -> None:
    settings.QUOTA_BYTES, settings.QUOTA_JOBS = 5000, 3
    assert allowance_of(home) == Allowance(5000, 3, None)
    call_command("quota", "w-one", "--bytes=7000", "--rows=10")
    assert allowance_of(home) == Allowance(7000, 3, 10)
    call_command("quota", "w-one", "--bytes=default")
    assert allowance_of(home) == Allowance(5000, 3, 10)
    assert AuditEvent._base_manager.filter(action="workspace.quota", target="w-one").count() == 2
    for wrong in (["none"], ["w-one", "--bytes=-1"], ["w-one", "--bytes=much"]):
        with pytest.raises(CommandError):
            call_command("quota", *wrong)
