"""The Celery app. Messages carry an id and nothing else; the database is the truth (docs/architecture.md)."""

import os
import threading
from collections.abc import Callable

from celery import Celery
from celery.beat import Scheduler, Service

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assay.platform.settings")

from django.conf import settings

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
    beat_schedule={
        "find idle jobs": {"task": "assay.jobs.tasks.sweep", "schedule": 2.0, "options": {"expires": 2.0}},
        "remove orphaned blobs": {"task": "assay.filesets.tasks.sweep", "schedule": 3600.0},
    },
)
app.autodiscover_tasks(["assay.filesets", "assay.jobs"])


def start_sweeps() -> Callable[[], None]:
    """Run the beat schedule in a thread of this process; returns what stops it. Several at once do no harm."""
    beat = Service(app, scheduler_cls=Scheduler)
    threading.Thread(target=beat.start, kwargs={"embedded_process": False}, name="sweeps", daemon=True).start()
    return beat.stop
