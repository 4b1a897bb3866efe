"""What is stored: secrets open, files and results are there, metrics can be used, hubs answer."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from pydantic import ValidationError

from assay.evaluator.metrics import UnusableBundle, inline_metric
from assay.evaluator.models import StoredMetric
from assay.evaluator.wire import Bundle
from assay.filesets import blobs
from assay.filesets.hub_errors import HubError
from assay.filesets.models import Blob, File, Fileset, HeldBlob, Storage
from assay.jobs.models import Job, JobInput, Result, RowBatch, RowPack, RowScore
from assay.jobs.results import path_of
from assay.operations.checks.finding import Depth, Found
from assay.platform.errors import BadRequest, Unavailable
from assay.secrets.models import Secret
from assay.secrets.vault import open_secret
from assay_sdk.engine.spec import parse_metric

SAMPLE = 2000
"""So many of a kind are looked at unless all are asked for."""
SHOWN = 5
"""Findings of a kind that are told one by one."""
AGAIN = "Submit the job again: its replies are kept, and it calls nobody. Or bring a backup back elsewhere."
BRING_BACK = "Bring it back from a backup: tar -xf BACKUP -C DATA_DIR blobs/{}/{}"


def secrets(depth: Depth) -> Found:
    """Every secret opens; what it holds is told to nobody."""
    why = "Judges, targets and hubs that need it cannot be called."
    key = settings.DATA_DIR / "keys" / "encryption.key"
    count = Secret.objects.count()
    if count and not settings.ENCRYPTION_KEYS and not key.exists():
        mend = f"Bring the key file back to {key}, or set ASSAY_ENCRYPTION_KEYS, before anything is sealed anew."
        yield f"There is no encryption key, and {count} secrets are sealed with one.", why, mend
        return
    unreadable = []
    for secret in Secret.objects.select_related("workspace").iterator(SAMPLE):
        try:
            open_secret(secret)
        except Unavailable as error:
            unreadable.append(str(error.detail))
    for text in unreadable[:SHOWN]:
        what, _, mend = text.partition(". ")
        yield f"{what}.", why, mend
    if len(unreadable) > SHOWN:
        yield (
            f"{len(unreadable) - SHOWN} more secrets cannot be opened.",
            why,
            "Do for them what is said of the others.",
        )


def files(depth: Depth) -> Found:
    """Contents that something refers to are there, in their size; with ``deep`` byte by byte."""
    bad = 0
    for sha256, size in _referred(depth):
        fault = _fault(blobs.place(sha256), sha256, size, depth)
        if not fault:
            continue
        bad += 1
        if bad <= SHOWN:
            why = f"It is {_use(sha256)}, which cannot be read."
            yield f"Content {sha256} {fault}.", why, BRING_BACK.format(sha256[:2], sha256)
    if bad > SHOWN:
        mend = "Bring them back from a backup as well; `manage.py doctor --deep` looks at all of them."
        yield f"{bad - SHOWN} more contents are missing or damaged.", "What uses them cannot be read.", mend


def _referred(depth: Depth) -> Iterator[tuple[str, int]]:
    """Yield the SHA-256 and size of contents in use: the newest and a random choice, or all of them."""
    used = Q()
    for relation in Blob._meta.related_objects:
        used |= Q(Exists(relation.related_model._base_manager.filter(**{relation.field.name: OuterRef("pk")})))
    columns = Blob.objects.filter(used).values_list("sha256", "size")
    if depth.deep:
        yield from columns.iterator(SAMPLE)
        return
    newest = list(columns.order_by("-created_at")[: SAMPLE // 2])
    yield from newest
    # Names are digests: those after a random one are a random choice.
    yield from columns.filter(sha256__gt=hashlib.sha256(repr(newest).encode()).hexdigest()).order_by("sha256")[
        : SAMPLE // 2
    ]


def _fault(path: Path, sha256: str, size: int, depth: Depth) -> str:
    try:
        there = path.stat().st_size
    except FileNotFoundError:
        return f"is not at {path}"
    if there != size:
        return f"has {there} bytes and not {size}"
    if depth.deep:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                return "is another one than its name says"
    return ""


def _use(sha256: str) -> str:
    """Return what the content is to those who use it, by the first of them."""
    file = File.objects.filter(blob=sha256).select_related("fileset__workspace").first()
    if file is not None:
        return f"the file {file}"
    pack = RowPack.objects.filter(blob=sha256).select_related("job__workspace").first()
    if pack is not None:
        return f"rows of the job {pack.job}"
    held = HeldBlob.objects.filter(blob=sha256).select_related("fileset__workspace").first()
    if held is not None:
        return f"part of the history of {held.fileset}"
    read = JobInput.objects.filter(blob=sha256).select_related("job__workspace").first()
    return f"read by the job {read.job}" if read is not None else "in use"


def rows(depth: Depth) -> Found:
    """With ``deep``: every scored row is found as a whole, in a batch or in a pack."""
    if not depth.deep:
        return
    batch = RowBatch.objects.filter(pk=OuterRef("batch_id"))
    lost = RowScore.objects.filter(~Exists(batch), batch_id__isnull=False)
    for job in _jobs_of(lost)[:SHOWN]:
        what = f"Rows of the job {job} are scored, and the rows themselves are not there."
        why = "Its results cannot be written or exported."
        yield what, why, AGAIN


def _jobs_of(lost: QuerySet[RowScore]) -> list[str]:
    keys = lost.values_list("job", flat=True).distinct()
    return [str(job) for job in Job.objects.filter(pk__in=keys).select_related("workspace").defer("spec")]


def results(depth: Depth) -> Found:
    """Named results of jobs are files of their result filesets."""
    newest = Result.objects.select_related("job__workspace", "job__result_fileset").defer("job__spec", "job__metrics")
    looked_at = newest.order_by("-pk") if depth.deep else newest.order_by("-pk")[:SAMPLE]
    shown = 0
    for result in looked_at.iterator(SAMPLE) if depth.deep else looked_at:
        path = path_of(result.job, result.name)
        if File.objects.filter(fileset=result.job.result_fileset, path=path).exists():
            continue
        shown += 1
        if shown > SHOWN:
            return
        yield (
            f"The result {result.name} of the job {result.job} has no file {path} in {result.job.result_fileset}.",
            "Its download fails.",
            AGAIN,
        )


def metrics(depth: Depth) -> Found:
    """Stored metrics can be used by a job that is submitted today."""
    for stored in StoredMetric.objects.select_related("workspace").iterator(SAMPLE):
        why = "A job that names it is refused."
        try:
            bundle = Bundle.model_validate(stored.bundle)
            parse_metric(inline_metric(bundle))
        except (UnusableBundle, ValidationError) as error:
            first = str(error).splitlines()[0]
            yield f"The stored metric {stored} cannot be used: {first}", why, f"Store it again, and delete {stored}."
            continue
        named = {name if "/" in name else f"{stored.workspace}/{name}" for name in bundle.secrets.values()}
        for name in sorted(named - _secrets_there(named)):
            mend = f"Make a secret of the name {name}, or delete the metric."
            yield f"The stored metric {stored} names the secret {name}, which is not there.", why, mend


def _secrets_there(named: set[str]) -> set[str]:
    wanted = Q(pk__in=())
    for reference in named:
        workspace, _, name = reference.rpartition("/")
        wanted |= Q(workspace__name=workspace, name=name)
    return {str(secret) for secret in Secret.objects.filter(wanted).select_related("workspace")}


def hubs(depth: Depth) -> Found:
    """With ``network``: every hub that a fileset is on answers for one of them."""
    if not depth.network:
        return
    from assay.filesets import huggingface  # the library takes long to load, and most platforms use no hub

    far = Fileset.objects.filter(storage_type=Storage.HUGGINGFACE).select_related(
        "workspace", "token_secret__workspace"
    )
    for endpoint, fileset in {fileset.storage["endpoint"]: fileset for fileset in far}.items():
        try:
            huggingface.resolve(huggingface.Repository.of(fileset))
        except (HubError, BadRequest, Unavailable) as error:
            what = str(getattr(error, "detail", error))
            why = f"Fileset {fileset}, and others at {endpoint}, can be read only as far as they are downloaded."
            yield what, why, "Look whether the hub is up, the token valid, and the address allowed (docs/operating.md)."
