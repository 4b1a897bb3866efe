"""Probes: what they say when all is well, and when the database is gone."""

from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from rest_framework.test import APIClient

from assay.platform.health import Ready

pytestmark = pytest.mark.django_db


@pytest.fixture
def no_database() -> Iterator[None]:
    def refuse(execute: object, sql: str, *args: object) -> None:
        raise OperationalError("connection refused")

    with connection.execute_wrapper(refuse):
        yield


def test_live_needs_no_database(client: APIClient) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert client.get("/health/live").json() == {"status": "live"}
    assert len(captured) == 0


def test_ready_asks_the_database(client: APIClient) -> None:
    client.get("/health/ready")  # the first one of a process asks for the migrations too
    with CaptureQueriesContext(connection) as captured:
        reply = client.get("/health/ready")
    assert (reply.status_code, reply.json()) == (200, {"status": "ready"})
    assert len(captured) == 1


def test_not_ready_before_the_last_migration(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ready, "migrated", False)
    recorder = MigrationRecorder(connection)
    last = recorder.migration_qs.filter(app="jobs").last()
    assert last is not None
    recorder.record_unapplied("jobs", last.name)
    reply = client.get("/health/ready")
    assert (reply.status_code, reply.json()) == (503, {"status": "not ready"})
    recorder.record_applied("jobs", last.name)
    assert client.get("/health/ready").status_code == 200


@pytest.mark.usefixtures("no_database")
def test_not_ready_without_a_database(client: APIClient) -> None:
    reply = client.get("/health/ready")
    assert (reply.status_code, reply.json()) == (503, {"status": "not ready"})
    assert client.get("/health/live").status_code == 200
    status = client.get("/status").json()
    assert status["status"] == "unhealthy"
    assert status["services"]["ready"] == []
    assert {part["name"] for part in status["services"]["not_ready"]} >= {"entities", "secrets", "files", "jobs"}
    assert status["controllers"] == {"healthy": False, "status": {"job_sweep": False}}


def test_probes_need_no_sign_in(client: APIClient, settings: Settings) -> None:
    settings.AUTH = True
    for address in ("/health/live", "/health/ready", "/status", "/cluster-info"):
        assert client.get(address).status_code == 200


def test_the_version_is_the_api_documents(client: APIClient) -> None:
    told = client.get("/cluster-info").json()
    assert told["platform_version"] == client.get("/openapi.json").json()["info"]["version"]
    assert told.keys() == {"platform_version", "revision"}
