"""Rows that tests start from, made straight in the database."""

from typing import Any

from assay.filesets.models import Fileset
from assay.jobs.models import Dialect, Job, JobSecret, State
from assay.secrets.models import Secret
from assay.secrets.store import create_secret
from assay.workspaces.models import Workspace


def make_secret(workspace: Workspace, name: str = "key", value: str = "sk-1") -> Secret:
    return create_secret(workspace, name, value, None)


def make_fileset(workspace: Workspace, name: str = "data", **also: Any) -> Fileset:
    return Fileset.objects.create(workspace=workspace, name=name, **also)


def make_job(
    workspace: Workspace,
    name: str = "judged",
    *,
    state: State = State.COMPLETED,
    dataset: Fileset | None = None,
    secrets: tuple[Secret, ...] = (),
) -> Job:
    results = make_fileset(workspace, f"job-fileset-{name}", made_by_job=True)
    job = Job.objects.create(
        workspace=workspace,
        name=name,
        state=state,
        dialect=Dialect.PUBLICATION,
        spec={},
        metrics=[],
        dataset_fileset=dataset,
        result_fileset=results,
    )
    for secret in secrets:
        JobSecret.objects.create(job=job, secret=secret, reference=str(secret))
    return job
