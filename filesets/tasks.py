"""What the broker can ask for: one plain function."""

from celery import shared_task

from assay.filesets import blobs


@shared_task
def sweep() -> None:
    blobs.sweep()
