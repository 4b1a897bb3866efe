"""What the broker can ask for: an id, one plain function."""

from celery import shared_task

from assay.jobs import recover
from assay.jobs.run import work as run_work


@shared_task
def work(job_id: int) -> None:
    run_work(job_id)


@shared_task
def sweep() -> None:
    recover.sweep()


@shared_task
def tidy() -> None:
    recover.tidy()
