"""The Celery app. Messages carry an id and nothing else; the database is the truth (docs/architecture.md)."""

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from celery import Celery, Task
from celery.signals import before_task_publish, task_postrun, task_prerun

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assay.platform.settings")

from django.conf import settings
from django.db import close_old_connections
from django.utils.module_loading import import_string

from assay.platform import journal, metrics, traces

logger = logging.getLogger(__name__)
app = Celery("assay")


def _broker() -> dict[str, object]:
    if not settings.EMBEDDED_BROKER:
        return {
            "broker_url": settings.BROKER_URL,
            # A dead Redis must not hold up the request that wanted to wake a worker: the sweep will.
            "broker_transport_options": {"socket_timeout": 5, "socket_connect_timeout": 2},
        }
    folder = settings.DATA_DIR / "broker"
    for name in ("messages", "control"):
        (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    return {
        "broker_url": "filesystem://",
        "broker_transport_options": {
            "data_folder_in": str(folder / "messages"),
            "data_folder_out": str(folder / "messages"),
            "control_folder": str(folder / "control"),
            "polling_interval": 0.1,
        },
    }


app.conf.update(
    **_broker(),
    task_default_queue="assay",
    task_ignore_result=True,
    task_publish_retry=False,
    task_serializer="json",
    accept_content=["json"],
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=1,
    worker_enable_remote_control=False,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    timezone="UTC",
)
app.autodiscover_tasks(["assay.filesets", "assay.jobs"])

ORIGIN = "assay_origin"
"""The header of a message that says where it came from: the request's id, and its span."""


@before_task_publish.connect
def hand_on(headers: dict[str, Any], **said: Any) -> None:
    """Tell whoever does the task which request asked for it."""
    about = {name: value for name, value in journal.facts().items() if name in ("request_id", "trace_id")}
    headers[ORIGIN] = {"about": about, "carried": traces.carried()}


@task_prerun.connect
def take_up(task: "Task[Any, Any]", **said: Any) -> None:
    origin = task.request.get(ORIGIN) or {}
    journal.adopt(origin.get("about") or {})
    traces.adopt(origin.get("carried") or {})


@task_postrun.connect
def put_down(**said: Any) -> None:
    journal.adopt({})
    traces.adopt({})


SWEEPS = {
    "assay.jobs.tasks.sweep": 2.0,
    "assay.platform.audit.seal_events": 5.0,
    "assay.platform.counts.fold": 60.0,
    "assay.jobs.tasks.tidy": 600.0,
    "assay.filesets.tasks.sweep": 3600.0,
}
"""Seconds between one sweep and the next."""


def start_sweeps() -> None:
    """Sweep in threads of this process for as long as it lives. Several at once do no harm.

    Not through the broker: what finds the work that the broker has lost must not wait for it, nor for a free worker.
    """
    for name, seconds in SWEEPS.items():
        failures = metrics.sweep_failures.labels(name)
        sweep = import_string(name)
        threading.Thread(target=_repeat, args=(sweep, seconds, failures.inc), name=name, daemon=True).start()


def _repeat(sweep: Callable[[], object], seconds: float, failed: Callable[[], object]) -> None:
    while True:
        time.sleep(seconds)
        try:
            sweep()
        except Exception:  # whatever it is, the next one may do better
            failed()
            logger.exception("a sweep failed; the next one is in %s s", seconds)
        close_old_connections()
