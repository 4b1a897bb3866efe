"""What goes after its time, and what stays whatever its age; a dry run says the same and changes nothing."""

import os
import time
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from assay.evaluator.models import EvalResult
from assay.filesets import blobs, copying
from assay.filesets.models import Blob, File, Fileset
from assay.jobs.models import Job, Reply, RowScore, State
from assay.operations import orphans
from assay.secrets.models import Secret
from assay.workspaces.models import Workspace
from tests.jobs.made import completed, job_in
from tests.things import make_job, make_secret

pytestmark = pytest.mark.django_db

LONG_AGO = timezone.now() - timedelta(days=100)
DAYS = 86400.0


@pytest.fixture(autouse=True)
def data_dir(settings: Settings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def retention(*words: str) -> list[str]:
    out = StringIO()
    call_command("retention", *words, stdout=out)
    return out.getvalue().splitlines()


def both(*words: str) -> list[str]:
    """Return what a dry run and then a real one say, which is the same."""
    before = (Job.objects.count(), Reply.objects.count(), EvalResult.objects.count())
    dry = retention(*words, "--dry-run")
    assert dry[-1].startswith(("Nothing was deleted", "There is nothing"))
    assert (Job.objects.count(), Reply.objects.count(), EvalResult.objects.count()) == before
    real = retention(*words)
    assert [line for line in dry if not line.startswith("Nothing was")] == real
    return real


def aged(job: Job) -> Job:
    Job.objects.filter(pk=job.pk).update(finished_at=LONG_AGO)
    return job


# Jobs


def test_ended_jobs_go_with_all_that_is_theirs_and_others_stay(workspace: Workspace) -> None:
    aged(completed(job_in(workspace, "old")))
    completed(job_in(workspace, "new"))
    aged(make_job(workspace, "running", state=State.ACTIVE))
    [line] = both("--what", "jobs", "--older-than", "90d")
    assert line == f"jobs: w-one/old, 2 rows, ended {LONG_AGO:%Y-%m-%d}"
    assert set(Job.objects.values_list("name", flat=True)) == {"new", "running"}
    assert RowScore.objects.filter(job__name="new").count() == RowScore.objects.count() == 2
    assert not Fileset.objects.filter(name="job-fileset-old").exists()


def test_a_job_whose_results_another_one_reads_stays(workspace: Workspace) -> None:
    source = aged(make_job(workspace, "source"))
    make_job(workspace, "reader", dataset=source.result_fileset)
    [line] = both("--what", "jobs", "--older-than", "90d")
    assert line.endswith("; kept: used by job 'w-one/reader'")
    assert Job.objects.filter(name="source").exists()


def test_who_reads_the_results_of_another_goes_before_it(workspace: Workspace) -> None:
    source = aged(make_job(workspace, "source"))
    reader = make_job(workspace, "reader", dataset=source.result_fileset)
    Job.objects.filter(pk=reader.pk).update(finished_at=LONG_AGO + timedelta(hours=1))
    lines = both("--what", "jobs", "--older-than", "90d")
    assert [line.partition(",")[0] for line in lines] == ["jobs: w-one/reader", "jobs: w-one/source"]
    assert not Job.objects.exists()


def test_only_the_named_workspace_is_swept(workspace: Workspace) -> None:
    other = Workspace.objects.create(name="w-two")
    aged(make_job(workspace, "one"))
    aged(make_job(other, "two"))
    both("--what", "jobs", "--older-than", "90d", "--workspace", "w-two")
    assert [job.name for job in Job.objects.all()] == ["one"]


# Results and replies


def test_aggregates_stay_for_as_long_as_their_job(workspace: Workspace) -> None:
    make_job(workspace, "there")
    for name in ("there", "gone"):
        EvalResult.objects.create(
            workspace=workspace, name=name, scores=[], bundle_ref="w-one/x#y", created_at=LONG_AGO, updated_at=LONG_AGO
        )
    assert both("--what", "results", "--older-than", "90d") == ["results: w-one/gone"]
    assert [result.name for result in EvalResult.objects.all()] == ["there"]


def test_replies_go_but_for_those_of_unfinished_jobs(workspace: Workspace) -> None:
    running = make_job(workspace, "running", state=State.ACTIVE)
    ended = make_job(workspace, "ended")
    for number, uid in enumerate((running.uid, ended.uid, ended.uid)):
        Reply.objects.create(
            workspace=workspace, key=bytes([number]) * 32, job_uid=uid, model="m", body=b"12345", created_at=LONG_AGO
        )
    [line] = both("--what", "replies", "--older-than", "90d")
    assert line.startswith("replies: w-one m, 2 replies, 10 bytes, ")
    assert [reply.job_uid for reply in Reply.objects.all()] == [running.uid]


# Files that no row knows


def test_orphans_go_and_nothing_that_a_row_knows(data_dir: Path) -> None:
    [kept] = blobs.put_all([b"kept"])
    [old, new] = blobs.put_all([b"old", b"new"])
    Blob.objects.exclude(pk=kept.pk).delete()
    yesterday = time.time() - 2 * DAYS
    for blob in (kept, old):
        os.utime(blobs.path(blob), (yesterday, yesterday))
    assert both("--what", "orphans") == [f"orphans: {old.sha256}, 3 bytes"]
    assert [blobs.path(blob).exists() for blob in (kept, old, new)] == [True, False, True]
    assert Blob.objects.count() == 1


def test_an_orphan_that_comes_to_be_known_meanwhile_stays(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [blob] = blobs.put_all([b"back again"])
    Blob.objects.all().delete()
    os.utime(blobs.path(blob), (0, 0))
    [(path, _)] = list(orphans.found())
    blobs.put_all([b"back again"])
    monkeypatch.setattr(orphans, "found", lambda: iter([(path, 10)]))
    assert list(orphans.removed(dry=False)) == []
    assert blobs.path(blob).read_bytes() == b"back again" and Blob.objects.count() == 1


# Downloads from hubs


def download(cache: Path, repo: str, commit: str, content: str, days: float) -> Path:
    """Lay a file into a cache as huggingface_hub does, last read so many days ago."""
    home = cache / f"datasets--{repo.replace('/', '--')}"
    snapshot = home / "snapshots" / commit
    (home / "blobs").mkdir(parents=True, exist_ok=True)
    snapshot.mkdir(parents=True)
    (home / "refs").mkdir(exist_ok=True)
    blob = home / "blobs" / (content * 40)[:40]
    blob.write_text(content * 100)
    os.utime(blob, (time.time() - days * DAYS,) * 2)
    (snapshot / "rows.jsonl").symlink_to(Path("..", "..", "blobs", blob.name))
    return snapshot


def test_downloads_go_by_when_they_were_last_read(data_dir: Path, workspace: Workspace) -> None:
    cache = data_dir / "hub-cache" / "0123456789abcdef" / "public"
    old, new = download(cache, "a/b", "1" * 40, "o", 60), download(cache, "a/b", "2" * 40, "n", 1)
    pinned = download(cache, "c/d", "3" * 40, "p", 60)
    job = make_job(workspace, "reads", state=State.PENDING)
    Job.objects.filter(pk=job.pk).update(dataset_revision="3" * 40)
    lines = both("--what", "hub-cache", "--older-than", "30d")
    assert sorted(lines) == [
        "hub-cache: datasets/a/b@111111111111, 100 bytes, read 60 days ago",
        "hub-cache: datasets/c/d@333333333333, 100 bytes, read 60 days ago; kept: an unfinished job reads it",
    ]
    assert [each.exists() for each in (old, new, pinned)] == [False, True, True]


def test_downloads_go_until_the_rest_is_small_enough(data_dir: Path) -> None:
    cache = data_dir / "hub-cache" / "0123456789abcdef" / "public"
    places = [download(cache, f"a/{days}", f"{days}" * 40, f"{days}", days) for days in range(1, 5)]
    assert len(both("--what", "hub-cache", "--keep-bytes", "250")) == 2
    assert [place.exists() for place in places] == [True, True, False, False]


def test_downloads_with_a_token_that_is_gone_go_at_once(data_dir: Path, workspace: Workspace) -> None:
    secret = make_secret(workspace)
    hub = data_dir / "hub-cache" / "0123456789abcdef"
    there = download(hub / secret.uid, "a/b", "1" * 40, "a", 1)
    gone = download(hub / "secret-gone", "a/b", "1" * 40, "a", 1)
    [line] = both("--what", "hub-cache", "--older-than", "30d")
    assert "0123456789abcdef/secret-gone" in line and "its token is gone" in line
    assert (there.exists(), gone.exists()) == (True, False)
    assert Secret.objects.count() == 1


# The command


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--what", "jobs"], "--older-than 90d"),
        (["--what", "jobs", "--older-than", "90d", "--workspace", "nobody"], "no workspace 'nobody'"),
        (["--what", "orphans", "--workspace", "w-one"], "belong to no workspace"),
        (["--what", "hub-cache"], "--keep-bytes 20G"),
        (["--what", "jobs", "--older-than", "90d", "--keep-bytes", "1G"], "is for the hub cache"),
        (["--what", "everything", "--older-than", "90d"], "invalid choice"),
    ],
)
def test_what_is_asked_must_make_sense(words: list[str], reason: str, workspace: Workspace) -> None:
    with pytest.raises(CommandError, match=reason):
        retention(*words)


# Holding off


def test_while_somebody_copies_no_content_is_removed(workspace: Workspace, data_dir: Path) -> None:
    [blob] = blobs.put_all([b"unused"])
    Blob.objects.update(created_at=LONG_AGO)
    with copying.nothing_removed():
        assert blobs.sweep() == 0
        assert blobs.path(blob).exists() and Blob.objects.exists()
        [sign] = (data_dir / "copying").iterdir()
        os.utime(sign, (0, 0))  # as of a copier that was killed long ago
        assert not copying.going_on()
        sign.touch()
    assert blobs.sweep() == 1
    assert not blobs.path(blob).exists() and not File.objects.exists()
