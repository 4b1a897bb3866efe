"""Where the real Postgres and Redis of a test are, and what it means when there is none."""

import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

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
def fresh_database() -> Iterator[str]:
    """Make an empty Postgres database, yield its URL, and drop it again."""
    server = postgres_url()
    name = f"assay_test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


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
