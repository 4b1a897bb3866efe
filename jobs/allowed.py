"""What a workspace's quota says of its jobs."""

from assay.jobs.models import Job
from assay.jobs.states import TERMINAL
from assay.platform.errors import Conflict
from assay.workspaces.models import Workspace
from assay.workspaces.quotas import allowance_of


def refuse_over_quota(workspace: Workspace) -> None:
    """Raise ``Conflict`` where the workspace has as many unfinished jobs as it may; in the transaction of a new one."""
    limit = allowance_of(workspace).jobs
    if limit is None:
        return
    # Of several at once, each waits for the one before it.
    list(Workspace.objects.select_for_update(no_key=True).filter(pk=workspace.pk).values_list("pk"))
    if Job.objects.filter(workspace=workspace).exclude(state__in=TERMINAL).count() >= limit:
        raise Conflict(
            f"Workspace '{workspace}' has {limit} jobs that have not ended, which is all it may have. Wait for one, or "
            "cancel one."
        )


def most_rows(job: Job) -> int | None:
    """Return how many rows the job may have; None: any number."""
    return allowance_of(job.workspace).rows
