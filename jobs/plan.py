"""Turn a submitted job into shards: which files each part reads, pinned, and which rows each shard judges."""

from dataclasses import dataclass, replace

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from assay.filesets import history, rows
from assay.filesets.models import Storage
from assay.filesets.store import filesets_at_hand
from assay.jobs import logs
from assay.jobs.allowed import most_rows
from assay.jobs.leases import shards_at_once
from assay.jobs.models import Dialect, Job, JobInput, JobPart, Shard, State
from assay.jobs.parts import BadMapping, Part, hub_fileset, parts_of
from assay.jobs.states import move
from assay.jobs.wake import wake
from assay.platform import egress
from assay.platform.errors import Refusal
from assay_sdk.engine.glance import Glance
from assay_sdk.engine.mapping import Unmapped

SHARD_ROWS = 2000
LOOK_SECONDS = 10.0
LOOK_BYTES = 256 << 20


class Unplannable(Exception):
    """The job cannot be run; the message says what to fix."""


@dataclass(frozen=True)
class Found:
    """What a part turned out to read."""

    part: Part
    inputs: list[rows.PlannedInput]
    rows: int

    @property
    def files(self) -> str:
        return ", ".join(found.path for found in self.inputs[:5]) or "the request"


def plan(job: Job) -> bool:
    """Plan the job and move it to ``pending``; returns whether this call did. Raises ``Unplannable``."""
    if job.dialect == Dialect.CUSTOM:
        for stored in job.parts.filter(rows__isnull=True).select_related("fileset").order_by("index"):
            stored.job = job
            pin(stored)
    most = most_rows(job)
    found = [find_rows(part, most=None if most is None else most + 1) for part in parts_of(job)]
    total = sum(each.rows for each in found)
    if most is not None and total > most:
        raise Unplannable(
            f"The job has more rows than the {most} that a job of workspace '{job.workspace}' may have. Limit the "
            "samples, or ask an administrator for more."
        )
    shards = _shards(job, found)
    with transaction.atomic():
        waiting = f"Waiting for a worker to judge {total} rows"
        if not move(job, State.PENDING, only=State.CREATED, rows_total=total, message=waiting):
            return False
        inputs = [(each.part.index, planned) for each in found for planned in each.inputs]
        JobInput.objects.bulk_create(
            JobInput(job=job, part=part, position=position, path=planned.path, blob=planned.blob, rows=planned.rows)
            for position, (part, planned) in enumerate(inputs)
        )
        Shard.objects.bulk_create(shards)
        for each in found:
            task = f"task={each.part.name} " if each.part.name else ""
            count = sum(shard.part == each.part.index for shard in shards)
            logs.write(
                job, f"{task}Planned {each.rows} rows of {each.files} in {count} shard(s).", step="dataset-download"
            )
        helpers = shards_at_once(job.parallelism, len(shards)) - 1
        if helpers:
            transaction.on_commit(lambda: wake(job.pk, helpers))
    return True


def _shards(job: Job, found: list[Found]) -> list[Shard]:
    """Return ranges of the job's rows, none of which spans two parts."""
    shards: list[Shard] = []
    first = 0
    for each in found:
        after = first + each.rows
        for start in range(first, after, SHARD_ROWS):
            stop = min(start + SHARD_ROWS, after)
            shards.append(Shard(job=job, index=len(shards), part=each.part.index, start=start, stop=stop))
        first = after
    return shards


def find_rows(part: Part, *, most: int | None = None) -> Found:
    """Return what the part reads, its rows counted and looked at, no further than ``most`` rows.

    Raises ``Unplannable``.
    """
    try:
        mapping = part.mapping
    except BadMapping as error:
        raise Unplannable(str(error)) from None
    if part.inline is not None:
        inline = part.inline[: part.limit]
        unmapped = Unmapped(mapping)
        unmapped.see(inline)
        if inline and unmapped:
            raise Unplannable(str(unmapped))
        inputs, count = [], len(inline)
    else:
        inputs = _inputs(part, most)
        count = max(0, sum(found.rows for found in inputs) - part.offset)
        count = count if part.limit is None else min(count, part.limit)
    if not count:
        raise Unplannable(_about(part, "The dataset holds no rows."))
    return Found(part, inputs, count)


def _inputs(part: Part, most: int | None) -> list[rows.PlannedInput]:
    job = part.job
    if part.fileset is None:
        name = job.spec["dataset"].partition("#")[0]
        name = name if "/" in name else f"{job.workspace.name}/{name}"
        raise Unplannable(f"Fileset '{name}' not found. Create the fileset, then submit the job again.")
    limits = [limit + part.offset for limit in (part.limit, most) if limit is not None]
    # Who wants the first few rows only is waiting for them.
    reading = part.reading if most is None else replace(part.reading, glance=Glance(LOOK_SECONDS, LOOK_BYTES))
    try:
        return rows.plan_inputs(
            part.fileset,
            part.revision,
            part.fragment,
            min(limits, default=None),
            part.mapping,
            named=part.named,
            reading=reading,
        )
    except rows.RowsUnreadable as error:
        raise Unplannable(_about(part, str(error))) from None


# What a v1 job is about is named by a URL, which may lead here or to another hub.


def pin(stored: JobPart) -> None:
    """Find the task's data and note the commit that it is read at; raises ``Unplannable``."""
    dataset = stored.dataset
    asked = dataset.get("revision") or ""
    try:
        elsewhere = hub_fileset(stored)
        if elsewhere is not None:
            from assay.filesets import huggingface

            egress.check(dataset["hf_endpoint"])
            stored.revision = huggingface.resolve(huggingface.Repository.of(elsewhere, asked or "main"))
        else:
            here = filesets_at_hand().filter(workspace__name=dataset["namespace"], name=dataset["repository"])
            if settings.AUTH and stored.pk is not None:
                # A worker sees more than whoever submitted it: elsewhere only what was found for them then.
                here = here.filter(Q(workspace=stored.job.workspace_id) | Q(pk=stored.fileset_id))
            stored.fileset = here.first()
            if stored.fileset is None:
                raise Unplannable(f"Nothing was found at {dataset['files_url']}.")
            if stored.fileset.storage_type == Storage.LOCAL:
                stored.revision = history.resolve(stored.fileset, asked or history.MAIN).oid
            else:
                stored.revision = stored.fileset.revision
    except Refusal as error:
        raise Unplannable(f"Nothing was found at {dataset['files_url']}: {error}") from None
    if stored.pk is not None:
        JobPart.objects.filter(pk=stored.pk).update(fileset=stored.fileset, revision=stored.revision)


def _about(part: Part, why: str) -> str:
    """Return a reason with the URL of the data, where that is how the user named it."""
    return f"Task '{part.name}', {part.url}: {why}" if part.url else why
