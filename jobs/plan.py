"""Turn a submitted job into shards: which files it reads, pinned, and which rows each shard judges."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.db import transaction
from pydantic import ValidationError

from assay.filesets import rows
from assay.jobs import logs
from assay.jobs.leases import shards_at_once
from assay.jobs.models import Job, JobInput, Shard, State
from assay.jobs.states import move
from assay.jobs.wake import wake
from assay_sdk.engine.mapping import Unmapped
from assay_sdk.engine.spec import FieldMapping

SHARD_ROWS = 2000


class Unplannable(Exception):
    """The job cannot be run; the message says what to fix."""


def plan(job: Job) -> bool:
    """Plan the job and move it to ``pending``; returns whether this call did. Raises ``Unplannable``."""
    inputs = _inputs(job)
    total = min(sum(found.rows for found in inputs), job.limit_samples or 2**62) if inputs else _inline_rows(job)
    if not total:
        raise Unplannable("The dataset holds no rows.")
    ranges = [(start, min(start + SHARD_ROWS, total)) for start in range(0, total, SHARD_ROWS)]
    with transaction.atomic():
        waiting = f"Waiting for a worker to judge {total} rows"
        if not move(job, State.PENDING, only=State.CREATED, rows_total=total, message=waiting):
            return False
        JobInput.objects.bulk_create(
            JobInput(job=job, position=position, path=found.path, blob=found.blob, rows=found.rows)
            for position, found in enumerate(inputs)
        )
        Shard.objects.bulk_create(
            Shard(job=job, index=index, start=start, stop=stop) for index, (start, stop) in enumerate(ranges)
        )
        files = ", ".join(found.path for found in inputs[:5]) or "the request"
        logs.write(job, f"Planned {total} rows of {files} in {len(ranges)} shard(s).", step="dataset-download")
        helpers = shards_at_once(job.parallelism, len(ranges)) - 1
        if helpers:
            transaction.on_commit(lambda: wake(job.pk, helpers))
    return True


def _inputs(job: Job) -> list[rows.PlannedInput]:
    dataset = job.spec["dataset"]
    if isinstance(dataset, list):
        return []
    if job.dataset_fileset is None:
        name = dataset.partition("#")[0]
        name = name if "/" in name else f"{job.workspace.name}/{name}"
        raise Unplannable(f"Fileset '{name}' not found. Create the fileset, then submit the job again.")
    try:
        fileset, revision, fragment = job.dataset_fileset, job.dataset_revision, job.dataset_fragment
        return rows.plan_inputs(fileset, revision, fragment, job.limit_samples, _mapping(job))
    except rows.RowsUnreadable as error:
        raise Unplannable(str(error)) from None


def _inline_rows(job: Job) -> int:
    inline = job.spec["dataset"][: job.limit_samples]
    unmapped = Unmapped(_mapping(job))
    unmapped.see(inline)
    if inline and unmapped:
        raise Unplannable(str(unmapped))
    return len(inline)


def _mapping(job: Job) -> FieldMapping:
    try:
        return FieldMapping.model_validate(job.spec.get("field_mapping") or {})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, ("field_mapping", *first["loc"])))
        raise Unplannable(f"{where}: {first['msg']}") from None


def read_rows(job: Job, start: int, stop: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (index, item) for the job's rows from ``start`` up to ``stop``, from the inputs pinned by the plan."""
    if job.dataset_fileset is None:
        yield from islice(enumerate(job.spec["dataset"]), start, stop)
        return
    pinned = list(job.inputs.order_by("position").select_related("blob"))
    yield from rows.stream(job.dataset_fileset, job.dataset_revision, pinned, start, stop)
