"""Take a job in: freeze everything it needs, save it, and wake a worker once that is committed."""

import secrets
import string
from typing import Any

from django.db import IntegrityError, transaction

from assay.evaluator.submission import Submission, secrets_of
from assay.filesets.models import Fileset, Storage
from assay.filesets.reference import FilesetReference
from assay.jobs import logs
from assay.jobs.allowed import refuse_over_quota
from assay.jobs.models import Job, JobSecret
from assay.jobs.options import Options
from assay.jobs.wake import wake
from assay.platform.audit import record
from assay.platform.caller import Action
from assay.platform.errors import Conflict, NotFound
from assay.workspaces.lookup import need
from assay.workspaces.models import Workspace


def submit(
    workspace: Workspace,
    submission: Submission,
    *,
    name: str | None = None,
    description: str | None = None,
    project: str | None = None,
    ownership: Any = None,
    custom_fields: dict[str, Any] | None = None,
    output_location: str | None = None,
    principal: str = "",
) -> Job:
    """Return the saved job, in state ``created``.

    Secrets are looked up by name, not opened. Raises ``Conflict`` for a taken name or a missing secret, ``Invalid``
    for options in ``custom_fields`` that are none.
    """
    need(Action.WRITE, workspace)
    options = Options.of(custom_fields)
    name = name or generated_name()
    dataset = submission.dataset
    reference = dataset if isinstance(dataset, FilesetReference) else None
    fileset = _dataset_fileset(workspace, reference) if reference else None
    used = secrets_of(workspace, submission.secret_references)
    try:
        with transaction.atomic():
            refuse_over_quota(workspace)
            job = Job.objects.create(
                workspace=workspace,
                name=name,
                description=description,
                project=project,
                dialect=submission.dialect,
                spec=submission.spec,
                ownership=ownership,
                custom_fields=custom_fields or {},
                output_location=output_location,
                metrics=submission.metrics,
                dataset_fileset=fileset,
                dataset_fragment=reference.fragment if reference else "",
                dataset_revision=fileset.revision if fileset else "",
                parallelism=submission.parallelism,
                limit_samples=submission.limit_samples,
                result_fileset=_result_fileset(workspace, name),
                created_by=principal,
                **options.fields(),
            )
            JobSecret.objects.bulk_create(
                JobSecret(job=job, secret=secret, reference=reference) for reference, secret in used.items()
            )
            logs.write(job, f"Job '{workspace.name}/{name}' submitted.")
            frozen = {"dataset": str(fileset) if fileset else None, "revision": job.dataset_revision}
            record("job.submit", job, after={**frozen, "secrets": sorted(map(str, used.values()))})
            transaction.on_commit(lambda: wake(job.pk))
    except IntegrityError:
        raise Conflict(_clash(workspace, name)) from None
    return job


def _clash(workspace: Workspace, name: str) -> str:
    if Job.objects.filter(workspace=workspace, name=name).exists():
        return (
            f"Job '{name}' already exists in workspace '{workspace.name}'. Choose a different job name or delete the "
            "existing job before creating a new one."
        )
    if Fileset.objects.filter(workspace=workspace, name=f"job-fileset-{name}").exists():
        taken = f"{workspace.name}/job-fileset-{name}"
        return f"Fileset '{taken}' stands where the job's results would go. Choose a different job name."
    return "Something that the job refers to was deleted meanwhile. Look again before you repeat it."


def generated_name() -> str:
    alphabet = string.ascii_lowercase + string.digits
    return "nemo-evaluator-" + "".join(secrets.choice(alphabet) for _ in range(8))


def _dataset_fileset(workspace: Workspace, reference: FilesetReference) -> Fileset | None:
    """Return the referenced fileset; None for a missing one, which planning then reports."""
    try:
        return reference.resolve(workspace.name)
    except NotFound:
        return None


def _result_fileset(workspace: Workspace, job_name: str) -> Fileset:
    return Fileset.objects.create(
        workspace=workspace,
        name=f"job-fileset-{job_name}",
        description=f"Results of job {job_name}",
        storage_type=Storage.LOCAL,
        made_by_job=True,
    )
