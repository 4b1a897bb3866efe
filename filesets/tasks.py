"""What the broker can ask for: one plain function."""

from celery import shared_task

from assay.filesets import blobs, prune


@shared_task
def sweep() -> None:
    prune.sweep()
    blobs.sweep()
