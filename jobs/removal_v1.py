"""Delete a job at once, also one that still runs: it is stopped first, and goes when nothing of it runs any more."""

import time

from assay.jobs import control
from assay.jobs.models import Job
from assay.jobs.states import TERMINAL
from assay.platform.caller import Action
from assay.platform.errors import Conflict
from assay.workspaces import deletion
from assay.workspaces.lookup import need

PATIENCE_SECONDS = 12.0
"""Longer than calls in flight are given, and than a dead worker's lease lasts."""
LOOK_SECONDS = 0.1


def remove(job: Job) -> None:
    """Delete the job and its results; raises ``Conflict`` where it does not come to a stop."""
    need(Action.WRITE, job.workspace)
    if job.state not in TERMINAL:
        control.cancel(job)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while job.state not in TERMINAL:
        if time.monotonic() > deadline:
            raise Conflict(
                f"Job {job.uid} is being cancelled, and a call of it is still in flight. Delete it again soon."
            )
        time.sleep(LOOK_SECONDS)
        job.refresh_from_db(fields=["state"])
    deletion.delete(job)
