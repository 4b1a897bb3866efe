"""The end of a job: fold what is stored, publish the results, and close it."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from assay.evaluator.models import EvalResult
from assay.jobs import logs, publish_v1, results
from assay.jobs.custom_results import fold
from assay.jobs.models import Dialect, Job, RowScore, Shard, ShardState, State
from assay.jobs.states import move
from assay_sdk.engine.aggregate import Summary


def all_shards_done(job: Job) -> bool:
    shards = Shard.objects.filter(job=job)
    return shards.exists() and not shards.exclude(state=ShardState.DONE).exists()


def fail(job: Job, message: str) -> None:
    """End the job in ``error`` with a message that says what to fix; its row scores stay."""
    with transaction.atomic():  # whoever sees the end finds its line
        if move(job, State.ERROR, error=message, message=message):
            logs.write(job, f"Failed: {message}")


def finish(job: Job) -> None:
    """Publish the results and complete the job. Doing it twice, or after a crash half way, gives the same."""
    failed_for = _nothing_but_failures(job)
    if failed_for:
        fail(job, failed_for)
        return
    summary = fold(job)
    results.write_artifacts(job, wire_summary(job, summary))
    if job.dialect == Dialect.CUSTOM:
        publish_v1.publish(job, summary)
    with transaction.atomic():
        message = _verdict(job)
        if move(job, State.COMPLETED, message=message):
            _keep_result(job, summary)
            logs.write(job, message)


def wire_summary(job: Job, summary: Summary) -> dict[str, Any]:
    """Return the aggregates in the shape that the submitting client's models take (platform-v2 section 8.5)."""
    return summary.to_wire(legacy=job.dialect != Dialect.PUBLICATION, prefix=job.dialect != Dialect.SINGLE)


def _verdict(job: Job) -> str:
    job.refresh_from_db(fields=["rows_done", "rows_failed"])
    if not job.rows_failed:
        return f"Completed: {job.rows_done} rows scored"
    return f"Completed: {job.rows_done - job.rows_failed} of {job.rows_done} rows scored, {job.rows_failed} unscored"


def _nothing_but_failures(job: Job) -> str | None:
    """Return why the job failed as a whole: not one row was judged, and its metrics do not ask to ignore that."""
    tolerant = any(definition.get("ignore_request_failure") for definition in job.metrics)
    if tolerant and job.dialect != Dialect.CUSTOM:
        return None
    stored = RowScore.objects.filter(job=job)
    if stored.filter(error="").exists() or (tolerant and _any_score(stored)):
        return None
    first = stored.order_by("row_index").values_list("error", flat=True).first()
    return f"No row could be judged. The first row's reason: {first}" if first else None


def _any_score(stored: QuerySet[RowScore]) -> bool:
    """Return whether any score of any row has a value: of several metrics one may work where another fails."""
    rows = stored.values_list("scores", flat=True).iterator(chunk_size=2000)
    return any(value is not None for scores in rows for listed in scores.values() for _, value, *_ in listed)


def _keep_result(job: Job, summary: Summary) -> None:
    dataset = job.spec["dataset"]
    EvalResult.objects.update_or_create(
        workspace=job.workspace,
        name=job.name,
        defaults={
            "project": job.project,
            "scores": summary.to_wire(legacy=False, prefix=True),
            "metric_types": sorted({definition["type"] for definition in job.metrics}),
            "dataset_ref": dataset if isinstance(dataset, str) else None,
            "bundle_ref": f"{job.result_fileset}#{results.path_of(job, results.fullest(job))}",
        },
    )
