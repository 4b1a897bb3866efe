"""Whether the platform answers (live), can work (ready), and what it consists of (platform-v2 section 3)."""

import logging
import pkgutil
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.recorder import MigrationRecorder
from pydantic import BaseModel
from rest_framework.request import Request
from rest_framework.response import Response

from assay.platform.api import Endpoint
from assay.platform.drain import draining
from assay.platform.openapi import extend_schema

logger = logging.getLogger(__name__)

SERVICES = ["entities", "secrets", "files", "jobs", "evaluator"]
"""The names that clients know the parts by; each of them needs the database and nothing else."""


class Health(BaseModel):
    status: str


class NotReady(BaseModel):
    name: str
    message: str


class Services(BaseModel):
    ready: list[str]
    not_ready: list[NotReady]


class Controllers(BaseModel):
    healthy: bool
    status: dict[str, bool]


class StatusReply(BaseModel):
    status: str
    services: Services
    controllers: Controllers


class ClusterInfoReply(BaseModel):
    platform_version: str
    revision: str


def database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return cursor.fetchone() is not None
    except Error as error:
        # Probes come every few seconds: the kind of failure, no traceback each time.
        logger.warning("the database does not answer: %s", type(error).__name__)
        return False


def missing_migrations() -> set[tuple[str, str]]:
    """Return the migrations that are here but not in the database, each as app and name."""
    here = {
        (app.label, module.name)
        for app in apps.get_app_configs()
        for module in pkgutil.iter_modules([str(Path(app.path) / "migrations")])
        if module.name[0] not in "_~"
    }
    return here - MigrationRecorder(connection).applied_migrations().keys()


class Open(Endpoint):
    """An address that probes read without signing in."""

    authentication_classes = ()
    permission_classes = ()


class Live(Open):
    @extend_schema(operation_id="live", summary="Whether the process runs", tags=["Health"], responses={200: Health})
    def get(self, request: Request) -> Response:
        return Response({"status": "live"})


class Ready(Open):
    migrated = False
    """Once it is so, it stays so for as long as the process lives."""

    @extend_schema(
        operation_id="ready",
        summary="Whether requests can be served",
        tags=["Health"],
        responses={200: Health, 503: Health},
    )
    def get(self, request: Request) -> Response:
        if draining.is_set():
            return Response({"status": "draining"}, status=503)
        if database_answers():
            Ready.migrated = Ready.migrated or not missing_migrations()
            if Ready.migrated:
                return Response({"status": "ready"})
        return Response({"status": "not ready"}, status=503)


class Status(Open):
    @extend_schema(operation_id="status", summary="How each part does", tags=["Health"], responses={200: StatusReply})
    def get(self, request: Request) -> Response:
        up = database_answers()
        message = "The database does not answer."
        return Response(
            {
                "status": "healthy" if up else "unhealthy",
                "services": {
                    "ready": SERVICES if up else [],
                    "not_ready": [] if up else [{"name": name, "message": message} for name in SERVICES],
                },
                "controllers": {"healthy": up, "status": {"job_sweep": up}},
            }
        )


class ClusterInfo(Open):
    @extend_schema(operation_id="cluster_info", summary="Version", tags=["Health"], responses={200: ClusterInfoReply})
    def get(self, request: Request) -> Response:
        return Response({"platform_version": settings.VERSION, "revision": "release"})
