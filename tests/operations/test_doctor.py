"""The doctor: a healthy platform has no finding, and every fault that is planted is found with what mends it."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from assay.evaluator.models import StoredMetric
from assay.filesets import blobs, local
from assay.filesets.models import Blob, File, Storage
from assay.jobs import attendance
from assay.jobs.models import RowBatch, RowPack, Shard, ShardState, Worker
from assay.operations.checks import database, machine
from assay.operations.checks.finding import Depth, Finding
from assay.operations.checks.settings_read import well_formed
from assay.operations.doctor import examine
from assay.platform.models import RowCount
from assay.secrets.models import Secret
from assay.workspaces.models import Workspace
from tests.jobs.made import completed, job_in
from tests.things import make_fileset, make_secret

pytestmark = pytest.mark.django_db

DEEP = Depth(deep=True)


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("static")


@pytest.fixture(autouse=True)
def platform(settings: Settings, tmp_path: Path, gathered: Path, workspace: Workspace) -> None:
    """A platform at rest that has done something."""
    settings.DATA_DIR, settings.STATIC_ROOT, settings.ALLOWED_HOSTS = tmp_path, gathered, settings.LOOPBACK
    if not any(gathered.iterdir()):
        call_command("collectstatic", interactive=False, verbosity=0)
    (tmp_path / "broker" / "messages").mkdir(parents=True)
    attendance.beat(attendance.process_name(), 8)
    make_secret(workspace)
    with blobs.open(blobs.put_all([b"some rows"])[0]) as content:
        local.put(make_fileset(workspace), "rows.jsonl", content)
    completed(job_in(workspace))


def found(depth: Depth = DEEP) -> list[Finding]:
    return list(examine(depth))


def test_a_healthy_platform_has_no_finding() -> None:
    assert found(Depth()) == found(DEEP) == []


# The faults


def loose_key(settings: Settings) -> None:
    (settings.DATA_DIR / "keys" / "encryption.key").chmod(0o644)


def lost_key(settings: Settings) -> None:
    (settings.DATA_DIR / "keys" / "encryption.key").unlink()


def tampered_secret(settings: Settings) -> None:
    secret = Secret.objects.get()
    Secret.objects.update(sealed=bytes(secret.sealed)[:-1] + b"\x00")


def lost_content(settings: Settings) -> None:
    blobs.path(File.objects.get(path="rows.jsonl").blob).unlink()


def short_content(settings: Settings) -> None:
    os.truncate(blobs.path(File.objects.get(path="rows.jsonl").blob), 4)


def other_content(settings: Settings) -> None:
    blobs.path(File.objects.get(path="rows.jsonl").blob).write_bytes(b"SOME ROWS")


def lost_batches(settings: Settings) -> None:
    RowBatch.objects.all()._raw_delete("default")


def lost_result(settings: Settings) -> None:
    File.objects.filter(path__endswith="/row-scores").delete()


def dropped_trigger(settings: Settings) -> None:
    on = " ON jobs_job" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER count_jobs_job_insert{on}")


def wrong_count(settings: Settings) -> None:
    RowCount.objects.filter(table="jobs_job").update(rows=F("rows") + 1)


def missing_migration(settings: Settings) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'jobs' AND name LIKE '0004%%'", [])


def newer_database(settings: Settings) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('jobs', '9999_later', %s)", [timezone.now()]
        )


def no_worker(settings: Settings) -> None:
    Worker.objects.update(seen_at=timezone.now() - timedelta(minutes=1))


def fast_clock(settings: Settings) -> None:
    Worker.objects.update(seen_at=timezone.now() + timedelta(seconds=30))


def other_machine(settings: Settings) -> None:
    attendance.beat("elsewhere:7", 8)


def stuck_shard(settings: Settings) -> None:
    job = job_in(Workspace.objects.get(name="w-one"), "stuck", state="active")
    lapsed = timezone.now() - timedelta(minutes=2)
    Shard.objects.create(job=job, index=0, start=0, stop=2, state=ShardState.RUNNING, lease_until=lapsed)


def barren_shard(settings: Settings) -> None:
    job = job_in(Workspace.objects.get(name="w-one"), "barren", state="active")
    Shard.objects.create(job=job, index=0, start=0, stop=2, barren_claims=5)


def open_door(settings: Settings) -> None:
    settings.AUTH, settings.ALLOWED_HOSTS = False, ["*"]


def any_host(settings: Settings) -> None:
    settings.AUTH, settings.ALLOWED_HOSTS = True, ["*"]


def wildcard(settings: Settings) -> None:
    settings.EGRESS_ALLOW = ["api.example.com", "*.example.com"]


def bad_key(settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = ["no key"]


def no_broker(settings: Settings) -> None:
    shutil.rmtree(settings.DATA_DIR / "broker")


def no_styles(settings: Settings) -> None:
    settings.STATIC_ROOT = settings.DATA_DIR / "static"


def dead_metric(settings: Settings) -> None:
    workspace = Workspace.objects.get(name="w-one")
    StoredMetric.objects.create(workspace=workspace, name="old", metric_type="llm-judge", bundle={"no": "bundle"})


def unreachable_hub(settings: Settings) -> None:
    storage = {"endpoint": "http://127.0.0.1:9", "repo_id": "a/b", "repo_type": "dataset"}
    workspace = Workspace.objects.get(name="w-one")
    make_fileset(workspace, "far", storage_type=Storage.HUGGINGFACE, storage=storage, revision="0" * 40)


FAULTS: dict[Callable[[Settings], None], tuple[str, str, str]] = {
    loose_key: ("keys", "mode 0644", "chmod 600 "),
    lost_key: ("secrets", "no encryption key, and 1 secrets", "Bring the key file back"),
    tampered_secret: ("secrets", "Secret 'w-one/key' cannot be opened", "Give it its value again"),
    lost_content: ("files", "is not at ", "tar -xf BACKUP -C DATA_DIR blobs/"),
    short_content: ("files", "has 4 bytes and not 9", "tar -xf BACKUP"),
    other_content: ("files", "is another one than its name says", "tar -xf BACKUP"),
    lost_batches: ("rows", "Rows of the job w-one/j-one are scored", "Submit the job again"),
    lost_result: ("results", "The result row-scores of the job w-one/j-one has no file", "Submit the job again"),
    dropped_trigger: ("counts", "Changes of jobs_job are not counted", "manage.py sweep --once --recount"),
    wrong_count: ("counts", "jobs_job is counted wrong: 2 rows are noted where 1 are", "--recount"),
    missing_migration: ("migrations", "1 migrations are not applied", "manage.py prepare"),
    newer_database: ("migrations", "jobs.9999_later", "Run the newer version"),
    no_worker: ("workers", "No worker was seen", "manage.py worker"),
    fast_clock: ("machines", "ahead of this machine", "timedatectl"),
    other_machine: ("machines", "workers on 2 machines, and ASSAY_SECRET_KEY is not set", "Set ASSAY_SECRET_KEY"),
    stuck_shard: ("sweeps", "1 shards of workers that are gone are not freed", "manage.py sweep --once"),
    barren_shard: ("shards", "Rows 0 to 1 of job w-one/barren were begun 5 times", "cancel the job w-one/barren"),
    open_door: ("settings", "Sign-in is off, and requests may come by the name *", "ASSAY_AUTH=on"),
    any_host: ("settings", "by any host name", "ASSAY_ALLOWED_HOSTS="),
    wildcard: ("egress", "'*.example.com' in ASSAY_EGRESS_ALLOW", "no wildcard"),
    bad_key: ("data folder", "Key 1 of ASSAY_ENCRYPTION_KEYS is not base64", "Make one with"),
    no_broker: ("broker", "cannot be written to", "mkdir -p"),
    no_styles: ("static files", "are not gathered", "manage.py prepare"),
    dead_metric: ("metrics", "The stored metric w-one/old cannot be used", "Store it again"),
    unreachable_hub: ("hubs", "127.0.0.1:9", "Look whether the hub is up"),
}


@pytest.mark.parametrize("plant", FAULTS, ids=lambda plant: plant.__name__)
def test_a_fault_is_found_with_what_mends_it(
    plant: Callable[[Settings], None], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.filesets.hub_client.ATTEMPTS", 1)
    plant(settings)
    check, what, mend = FAULTS[plant]
    told = found(Depth(deep=True, network=True))
    matching = [each for each in told if each.check == check]
    assert any(what in each.what and mend in each.mend and each.why for each in matching), matching
    assert {each.check for each in told} - {check} <= {"secrets"}, "but for secrets, which no bad key opens either"


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LEAST_BYTES", 1 << 62)
    [finding] = found()
    assert finding.check == "disk" and "MiB free" in finding.what and "manage.py retention" in finding.mend


@pytest.mark.parametrize("plant", [dropped_trigger, wrong_count], ids=lambda plant: plant.__name__)
def test_counting_anew_mends_the_counts(plant: Callable[[Settings], None], settings: Settings) -> None:
    plant(settings)
    out = StringIO()
    call_command("sweep", "--once", "--recount", stdout=out)
    assert "jobs_job: counted anew" in out.getvalue()
    assert found() == []


def test_a_packed_job_is_looked_at_as_well(settings: Settings) -> None:
    from assay.jobs import packing

    Shard.objects.update(state=ShardState.DONE)
    assert packing.pack(Shard.objects.select_related("job").get())
    assert found() == []
    blobs.path(RowPack.objects.get().blob).unlink()
    [finding] = found()
    assert "rows of the job w-one/j-one" in finding.why


def test_of_many_lost_contents_some_are_told(workspace: Workspace) -> None:
    for blob in Blob.objects.all():
        blobs.path(blob).unlink()
    told = found(Depth())
    assert {each.check for each in told} == {"files"}
    assert len(told) <= 6


def test_the_command_tells_and_ends_with_the_number_of_it(settings: Settings) -> None:
    out = StringIO()
    call_command("doctor", stdout=out)
    assert out.getvalue() == "All is well.\n"
    no_worker(settings)
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", "--json", stdout=out)
    assert ended.value.code == 1
    [told] = json.loads(out.getvalue())
    assert told["check"] == "workers" and set(told) == {"check", "what", "why", "mend"}


def sqlite_file(path: Path) -> DatabaseWrapper:
    return DatabaseWrapper({**connection.settings_dict, "NAME": str(path), "OPTIONS": {}})


def test_without_a_database_that_is_told_and_nothing_of_what_is_in_it(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    monkeypatch.setattr(database, "connection", sqlite_file(tmp_path / "none" / "assay.sqlite3"))
    no_broker(settings)
    assert [each.check for each in found()] == ["broker", "database"]
    told = found()[-1]
    assert "unable to open database file" in told.what and "ASSAY_DATA_DIR" in told.mend


def test_a_damaged_file_and_one_without_a_log_beside_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "assay.sqlite3"
    with closing(sqlite3.connect(file)) as made:
        made.execute("CREATE TABLE t (x TEXT)")
        made.executemany("INSERT INTO t VALUES (?)", [("x" * 100,)] * 1000)
        made.commit()
    monkeypatch.setattr(database, "connection", sqlite_file(file))
    assert ["mode delete" in what for what, *_ in database.integrity(Depth())] == [True]
    with file.open("r+b") as content:
        content.seek(8 * 4096)
        content.write(b"\xff" * 4096)
    monkeypatch.setattr(database, "connection", sqlite_file(file))  # one that has read none of it yet
    faults = list(database.integrity(Depth()))
    assert "The database file is damaged" in faults[0][0] and "manage.py restore" in faults[0][2]


@pytest.mark.parametrize(
    ("entry", "fine"),
    [
        ("api.example.com", True),
        ("localhost:8080", True),
        ("10.0.0.0/8", True),
        ("10.1.2.3", True),
        ("10.1.2.3:80", True),
        ("[::1]:8080", True),
        ("fd00::/8", True),
        ("::1", True),
        ("https://api.example.com", False),
        ("*.example.com", False),
        ("api.example.com/v1", False),
        ("api.example.com:99999", False),
        ("api.example.com:", False),
        ("10.0.0.0/64", False),
        ("300.1.1.1", False),
        ("two words", False),
    ],
)
def test_entries_of_the_egress_lists(entry: str, fine: bool) -> None:
    assert well_formed(entry) is fine
