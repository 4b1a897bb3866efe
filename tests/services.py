"""Where the real Postgres and Redis of a test are, and what it means when there is none."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from tests.once import folder, made_once
from tests.platform_process import ROOT, bare_environment, prepared_data

TEMPLATE = "postgres-template"
POSTGRES = Path("/usr/lib/postgresql")
"""Where Debian keeps the programs of each version."""


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def postgres_url() -> str:
    """Return the URL of a Postgres server to make databases on; without one the test is not run, or fails in CI."""
    url = os.environ.get("ASSAY_TEST_DATABASE_URL") or (
        "postgres://postgres@127.0.0.1:5432/postgres" if _answers(5432) else ""
    )
    return url or _not_run("Postgres", "ASSAY_TEST_DATABASE_URL")


@contextmanager
def fresh_database(*, migrated: bool = False) -> Iterator[str]:
    """Make a Postgres database, empty or with the schema of today, yield its URL, and drop it again."""
    like = f' TEMPLATE "{made_once(TEMPLATE, _migrate).read_text()}"' if migrated else ""
    name = f"assay_test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url(), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"{like}')
        try:
            yield _url_of(name)
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _migrate(note: Path) -> None:
    """Make the database that those with a schema are copies of, and note its name."""
    name = f"assay_test_template_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url(), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
    note.write_text(name)
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    env = {**bare_environment(), "ASSAY_DATABASE_URL": _url_of(name), "ASSAY_DATA_DIR": str(folder() / "migrating")}
    subprocess.run(migrate, cwd=ROOT, env=env, check=True, timeout=90)


def drop_template() -> None:
    """Drop what ``fresh_database`` made copies of, if it was asked for any."""
    for note in folder().glob(f"{TEMPLATE}*"):
        if name := note.read_text():
            with psycopg.connect(postgres_url(), autocommit=True) as admin:
                admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _url_of(database: str) -> str:
    return urlunsplit(urlsplit(postgres_url())._replace(path=f"/{database}"))


def told_by(script: Path, *words: str, vendor: str, data_dir: Path, timeout: float) -> dict[str, Any]:
    """Run a script over a migrated database of its own, of ``sqlite`` or ``postgresql``; return the JSON it says."""
    with fresh_database(migrated=True) if vendor == "postgresql" else nullcontext("") as url:
        if not url:
            shutil.copytree(prepared_data(), data_dir, dirs_exist_ok=True)
        env = {**bare_environment(), "ASSAY_DATABASE_URL": url, "ASSAY_DATA_DIR": str(data_dir)}
        argv = [sys.executable, str(script), *words]
        run = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=timeout, check=False)
    assert run.returncode == 0, run.stderr
    told: dict[str, Any] = json.loads(run.stdout)
    assert told["vendor"] == vendor
    return told


def redis_url() -> str:
    """Return the URL of a Redis server; without one the test is not run, or fails in CI."""
    url = os.environ.get("ASSAY_TEST_REDIS_URL") or ("redis://127.0.0.1:6379/15" if _answers(6379) else "")
    return url or _not_run("Redis", "ASSAY_TEST_REDIS_URL")


def program(name: str, service: str) -> str:
    """Return where a server's program is, to start one of the test's own; without it the test is not run, or fails."""
    folders = [os.environ.get("PATH", ""), *map(str, sorted(POSTGRES.glob("*/bin"), reverse=True))]
    return shutil.which(name, path=os.pathsep.join(folders)) or _no(f"{service}: there is no {name} on this machine")


def _not_run(service: str, variable: str) -> str:
    return _no(f"{service} answers on its standard port and {variable} is not set")


def _no(what: str) -> str:
    reason = f"not run: no {what}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
