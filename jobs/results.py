"""The named outcomes of a job: files at ``results/<attempt>/<name>`` of its result fileset, streamed in and out."""

import gzip
import io
import tarfile
import tempfile
from collections.abc import Iterable
from typing import IO, Any, cast

import orjson
from django.conf import settings
from django.db.models import F, Q, QuerySet

from assay.filesets import local
from assay.filesets.blobs import Readable
from assay.jobs.joined import Joined
from assay.jobs.models import Dialect, Job, Result, State
from assay.jobs.packs import row_lines
from assay.platform.api import wire_time
from assay.platform.errors import NotFound

AGGREGATES = "aggregate-scores"
ROWS = "row-scores"
ARTIFACTS = "artifacts"
METADATA = "run-metadata"
EVALUATION = "evaluation-results"

GZIP_LEVEL = 3


def results_of(job: Job) -> QuerySet[Result]:
    """Return what the job came to, newest first; nothing unless it completed."""
    return _shown().filter(job=job).order_by("-created_at", "-pk")


def find_result(workspace: str, job: str, name: str) -> Result:
    """Return a result of a completed job; raises ``NotFound``, also where there is no such job."""
    found = _shown().filter(job__workspace__name=workspace, job__name=job, name=name).first()
    if found is None:
        raise NotFound(f"Result '{name}' for job '{job}' not found in workspace '{workspace}'.")
    return found


def _shown() -> QuerySet[Result]:
    # Published a moment before the job completes, they show with its last state and not before; those of a job whose
    # failed rows are judged again stay until they are replaced.
    of_before = Q(job__reruns__gt=0, created_at__lt=F("job__pending_at"))
    results = Result.objects.filter(Q(job__state=State.COMPLETED) | of_before)
    return results.select_related("job__workspace", "job__result_fileset").defer("job__spec", "job__metrics")


def path_of(job: Job, name: str) -> str:
    return f"results/{job.attempt_id}/{name}"


def fullest(job: Job) -> str:
    """Return the name of the result that holds, or refers to, everything that the job came to."""
    return EVALUATION if job.dialect == Dialect.PUBLICATION else ARTIFACTS


def publish(job: Job, name: str, content: Readable | bytes | Iterable[bytes]) -> Result:
    """Store ``content`` as the job's result ``name``, in the place of an earlier one. Memory stays flat."""
    local.put(job.result_fileset, path_of(job, name), readable(content))
    result, _ = Result.objects.get_or_create(job=job, name=name)
    return result


def write_artifacts(job: Job, aggregates: dict[str, Any]) -> None:
    """Publish everything that a completed job's client may ask for. Doing it again replaces it."""
    job.refresh_from_db(fields=["rows_total", "rows_done", "rows_failed", "forms"])
    metadata = orjson.dumps(_metadata(job), option=orjson.OPT_INDENT_2)
    summary = orjson.dumps(aggregates, option=orjson.OPT_INDENT_2)
    newest = job.dialect == Dialect.PUBLICATION
    if newest:
        whole = {
            "run_metadata": _metadata(job),
            "aggregate_scores": aggregates["scores"],
            "row_scores": _reference(job),
        }
        publish(job, EVALUATION, orjson.dumps(whole, option=orjson.OPT_INDENT_2))
    publish(job, AGGREGATES, summary)
    publish(job, ROWS, row_lines(job))
    if newest:
        publish(job, METADATA, metadata)
    with tempfile.TemporaryFile(dir=settings.DATA_DIR) as archive:
        _pack(job, archive, summary, metadata)
        archive.seek(0)
        publish(job, ARTIFACTS, archive)


def _metadata(job: Job) -> dict[str, Any]:
    dataset = job.spec["dataset"]
    return {
        "job": job.name,
        "id": job.uid,
        "workspace": job.workspace.name,
        "created_at": wire_time(job.created_at),
        "dataset": dataset if isinstance(dataset, str) else None,
        "dataset_revision": job.dataset_revision or None,
        "parallelism": job.parallelism,
        "limit_samples": job.limit_samples,
        "rows": job.rows_done,
        "rows_unscored": job.rows_failed,
        "metrics": [
            {"type": metric["type"], "model": (metric.get("model") or {}).get("name")} for metric in job.metrics
        ],
        "structured_output": job.forms,
    }


def _reference(job: Job) -> str:
    return f"{job.workspace.name}/{job.result_fileset.name}#{path_of(job, ROWS)}"


def _pack(job: Job, archive: IO[bytes], summary: bytes, metadata: bytes) -> None:
    """Write the tar of the artifacts; of the same job it is the same to the byte."""
    stored, rows = local.content(job.result_fileset, path_of(job, ROWS))
    metadata_name = "job.json" if job.dialect == Dialect.SINGLE else "run-metadata.json"
    with (
        gzip.GzipFile(fileobj=archive, mode="wb", compresslevel=GZIP_LEVEL, mtime=0) as squeezed,
        tarfile.open(fileobj=squeezed, mode="w|") as tar,
        rows.open("rb") as lines,
    ):
        _add(job, tar, "aggregate-scores.json", io.BytesIO(summary), len(summary))
        _add(job, tar, "row-scores.jsonl", lines, stored.size)
        _add(job, tar, metadata_name, io.BytesIO(metadata), len(metadata))


def _add(job: Job, tar: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    entry = tarfile.TarInfo(f"artifacts/{name}")
    entry.size, entry.mtime = size, int(job.created_at.timestamp())
    tar.addfile(entry, content)


def readable(content: Readable | bytes | Iterable[bytes]) -> Readable:
    if isinstance(content, bytes):
        return io.BytesIO(content)
    return cast(Readable, content) if hasattr(content, "read") else Joined(content)
