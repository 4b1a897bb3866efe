"""The doorbell: tells workers that a job has something to do.

A lost ring costs time, never work: `recover.py` rings again.
"""

import logging

from django.utils import timezone
from kombu.exceptions import OperationalError

from assay.jobs.models import Job
from assay.platform.celery import app

logger = logging.getLogger(__name__)

UNHEARD_SECONDS = 30.0
"""A ring that no worker heard for so long is dropped, so that rings for busy workers do not pile up."""


def wake(job_id: int, workers: int = 1) -> None:
    Job.objects.filter(pk=job_id).update(rung_at=timezone.now())
    try:
        for _ in range(workers):
            app.send_task("assay.jobs.tasks.work", (job_id,), expires=UNHEARD_SECONDS)
    except (OperationalError, OSError) as error:
        logger.warning(
            "cannot reach the broker (%s); the sweep will wake a worker for job %s", type(error).__name__, job_id
        )
