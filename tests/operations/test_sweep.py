"""The sweeps by hand: they do what the periodic ones do, and say what that was."""

from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone
from pytest_django import Settings

from assay.filesets import blobs
from assay.filesets.models import Blob
from assay.jobs import recover
from assay.jobs.models import Shard, ShardState, State, Worker
from assay.operations import sweeping
from assay.platform.celery import SWEEPS
from assay.workspaces.models import Workspace
from tests.jobs.made import job_in, judged

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data_dir(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


def once() -> dict[str, str]:
    out = StringIO()
    call_command("sweep", "--once", stdout=out, stderr=out)
    return dict(line.split(": ", 1) for line in out.getvalue().splitlines())


def test_of_a_platform_at_rest_there_is_nothing_to_do() -> None:
    assert once() == dict.fromkeys(SWEEPS, "nothing to do")


def test_each_sweep_says_what_it_did(workspace: Workspace) -> None:
    now = timezone.now()
    long_ago = now - timedelta(days=2)
    ended = job_in(workspace, "ended", state=State.CANCELLED, finished_at=long_ago)
    judged(ended, 0)
    lapsed = job_in(workspace, "lapsed", state=State.ACTIVE)
    Shard.objects.create(job=lapsed, index=0, start=0, stop=2, state=ShardState.RUNNING, lease_until=long_ago)
    Worker.objects.create(name="gone:1", seen_at=long_ago, threads=1)
    [unused] = blobs.put_all([b"unused"])
    Blob.objects.filter(pk=unused.pk).update(created_at=long_ago)
    told = once()
    assert told["assay.jobs.tasks.sweep"] == "1 shards that nobody held freed, 1 jobs rung for"
    assert told["assay.jobs.tasks.tidy"] == "1 shards packed, 1 workers forgotten"
    assert told["assay.filesets.tasks.sweep"] == "1 contents removed"
    assert Shard.objects.get(job=lapsed).state == ShardState.WAITING
    assert not Shard.objects.get(job=ended).row_batches.exists()
    assert not blobs.path(unused).exists()


def test_one_that_fails_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise OperationalError("the database is away")

    monkeypatch.setattr(recover, "sweep", fail)
    told = once()
    assert told["assay.jobs.tasks.sweep failed"] == "the database is away"
    assert told["assay.filesets.tasks.sweep"] == "nothing to do"


def test_every_sweep_is_known_by_what_it_does() -> None:
    assert set(sweeping.TELLING) <= set(SWEEPS)
