"""What is restored where, what is refused, and that a restore that fails leaves nothing behind."""

import fcntl
import json
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from tests.operations.operating import operate
from tests.platform_process import ROOT, bare_environment, prepared_data
from tests.services import fresh_database

LATEST = ["jobs", "0004_read_indexes"]


@dataclass(frozen=True)
class Source:
    backup: Path
    read: dict[str, Any]
    lost: str
    told: str


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    folder = tmp_path_factory.mktemp("source")
    shutil.copytree(prepared_data(), folder / "data")
    lost, read, told = operate(folder / "data", "fill", "read", f"backup,{folder / 'backup'},--with-keys")
    return Source(folder / "backup", read, lost, told)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.thorough)])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sqlite":
        yield ""
        return
    with fresh_database() as database:
        yield database


def changed(source: Source, to: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Return a copy of the backup whose manifest says something else."""
    shutil.copytree(source.backup, to, copy_function=shutil.copyfile)
    manifest = json.loads((to / "manifest.json").read_bytes())
    change(manifest)
    (to / "manifest.json").write_text(json.dumps(manifest))
    return to


def test_a_lost_file_is_told_and_the_rest_is_backed_up(source: Source) -> None:
    assert "1 files were not there" in source.told and source.lost in source.told
    assert json.loads((source.backup / "manifest.json").read_bytes())["missing"] == [source.lost]


@pytest.mark.thorough
def test_refused_ones_leave_nothing_and_an_older_one_is_migrated(source: Source, url: str, tmp_path: Path) -> None:
    newer = changed(source, tmp_path / "newer", lambda told: told["migrations"].append(["jobs", "9999_later"]))
    older = changed(source, tmp_path / "older", lambda told: told["migrations"].remove(LATEST))
    miscounted = changed(source, tmp_path / "miscounted", lambda told: told["tables"][-1].update(rows=7))
    damaged = changed(source, tmp_path / "damaged", lambda told: None)
    next((damaged / "tables").iterdir()).write_bytes(b"")

    here = tmp_path / "here"
    words = [f"restore,{each}" for each in (tmp_path / "none", newer, damaged, miscounted, older, older)]
    *refused, done, again, now, counts, instant = operate(here, *words, "read", "more", "instant", database=url)
    for told, reason in zip(
        (*refused, again),
        ("cannot be read", "jobs.9999_later", "is damaged", "and not 7", "The database is not empty"),
        strict=True,
    ):
        assert reason in told
    assert done is None, "after the others were refused there was still nothing in its way"
    assert now == source.read
    assert counts["count of jobs_job"] == [2, 2], "new rows are numbered and counted after those that came"
    assert instant == [3, 3], "a snapshot does not show what is made after it was opened, and holds up nobody"
    assert LATEST in applied(here, url)
    kept = {path.name for path in (here / "blobs").rglob("*") if path.is_file()}
    assert source.lost not in kept and kept


@pytest.mark.thorough
def test_without_room_nothing_stays_and_it_is_said(source: Source, tmp_path: Path) -> None:
    here = tmp_path / "here"
    env = {**bare_environment(), "ASSAY_DATA_DIR": str(here)}

    def restored(most: int) -> subprocess.CompletedProcess[str]:
        def short_of_room() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

        argv = [sys.executable, "manage.py", "restore", str(source.backup)]
        return subprocess.run(
            argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False, preexec_fn=short_of_room
        )

    short = restored(200_000)
    assert short.returncode == 1 and "It cannot be written here" in short.stderr and "Traceback" not in short.stderr
    assert {path.name for path in here.rglob("*") if path.is_file()} <= {"serve.lock", "session.key"}, "its own"
    assert restored(resource.RLIM_INFINITY).returncode == 0


def applied(data_dir: Path, url: str) -> list[list[str]]:
    query = "SELECT app, name FROM django_migrations"
    with psycopg.connect(url) if url else sqlite3.connect(data_dir / "assay.sqlite3") as database:
        return [list(row) for row in database.execute(query).fetchall()]


@pytest.mark.django_db
def test_a_database_with_tables_is_refused(source: Source, settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    with pytest.raises(CommandError, match="is not empty: it has [0-9]+ tables"):
        call_command("restore", str(source.backup))


@pytest.mark.django_db
def test_a_folder_in_use_is_refused(
    source: Source, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection.introspection, "table_names", list)  # as of an empty database

    def refused(name: str) -> str:
        settings.DATA_DIR = tmp_path / name
        with pytest.raises(CommandError) as error:
            call_command("restore", str(source.backup))
        return str(error.value)

    (tmp_path / "files" / "blobs" / "ab").mkdir(parents=True)
    assert "blobs is not empty" in refused("files")
    (tmp_path / "keyed" / "keys").mkdir(parents=True)
    (tmp_path / "keyed" / "keys" / "encryption.key").write_text("another\n")
    assert "leave one of the two out" in refused("keyed")
    (tmp_path / "served").mkdir()
    with (tmp_path / "served" / "serve.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "`manage.py serve` runs over" in refused("served")
