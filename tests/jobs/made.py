"""Jobs as they stand in the database at some point of their life, without a worker to bring them there."""

import copy
import zlib
from typing import Any

import orjson
from django.utils import timezone

from assay.filesets.models import Fileset
from assay.jobs import results
from assay.jobs.models import Job, RowBatch, RowScore, Shard, ShardState, State
from assay.workspaces.models import Workspace
from tests.contract.replay import exchanges

_TUTORIAL = [each for each in exchanges("evaluate-job-0.6.jsonl", path="/evaluate/jobs$") if each["method"] == "POST"]
_OLDEST = list(exchanges("evaluate-job-0.1.jsonl", server="0.1.0", path="/evaluate/jobs$"))

PUBLICATION_SPEC: dict[str, Any] = _TUTORIAL[0]["response"]["spec"]
"""As the tutorial of client 0.6.0 submits it: a fileset, and a secret."""
BUNDLES_SPEC: dict[str, Any] = {key: value for key, value in PUBLICATION_SPEC.items() if key != "publication"}
SINGLE_SPEC: dict[str, Any] = _OLDEST[0]["response"]["spec"]
SPECS = {"publication": PUBLICATION_SPEC, "bundles": BUNDLES_SPEC, "single": SINGLE_SPEC}

ROWS = [{"prompt": "a", "response": "b"}, {"prompt": "c", "response": "d"}]
AGGREGATES: dict[str, Any] = {"scores": [{"name": "llm-judge.helpfulness", "count": 2, "nan_count": 0, "mean": 2.5}]}


def job_in(workspace: Workspace, name: str = "j-one", *, dialect: str = "publication", **fields: Any) -> Job:
    """Return a saved job over two rows that came with it, in state ``created`` unless ``fields`` say otherwise."""
    spec = {**copy.deepcopy(SPECS[dialect]), "dataset": ROWS, **fields.pop("spec", {})}
    metrics = [spec["metric"]] if dialect == "single" else [entry["payload"]["metric"] for entry in spec["metrics"]]
    fileset = Fileset.objects.create(workspace=workspace, name=f"job-fileset-{name}", made_by_job=True)
    defaults = {"spec": spec, "metrics": metrics, "result_fileset": fileset, "dialect": dialect}
    return Job.objects.create(workspace=workspace, name=name, **{**defaults, **fields})


def active(job: Job, *, done: int = 0) -> Job:
    """Bring the job to where a worker holds its only shard and has judged ``done`` rows of two."""
    Shard.objects.create(job=job, index=0, start=0, stop=2, state=ShardState.RUNNING)
    return _set(job, state=State.ACTIVE, rows_total=2, rows_done=done, active_at=timezone.now(), message="Judging")


def judged(job: Job, index: int, **also: Any) -> None:
    record = {
        "row_index": index,
        "item": ROWS[index % 2],
        "sample": {},
        "metrics": {"llm-judge": [{"name": "helpfulness", "value": 1.0}]},
        "requests": [{"request": {}, "response": {"model": "a-judge"}}],
        "metric_errors": None,
        "metric_diagnostics": None,
        **also,
    }
    shard, _ = Shard.objects.get_or_create(job=job, index=0, defaults={"start": 0, "stop": 2, "state": ShardState.DONE})
    if index >= shard.stop:
        shard.stop = index + 1
        shard.save()
    line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    batch = RowBatch.objects.create(job=job, shard=shard, rows=[index], content=zlib.compress(line))
    RowScore.objects.create(
        job=job,
        row_index=index,
        scored=True,
        scores={"llm-judge": [["helpfulness", 1.0, None, "scored", None]]},
        batch=batch,
    )


def completed(job: Job, aggregates: dict[str, Any] | None = None) -> Job:
    """Bring the job to its end: two rows judged, results published."""
    for index in range(2):
        judged(job, index)
    _set(job, rows_total=2, rows_done=2, active_at=timezone.now())
    results.write_artifacts(job, aggregates or AGGREGATES)
    return _set(job, state=State.COMPLETED, finished_at=timezone.now(), message="Completed: 2 rows scored")


def _set(job: Job, **fields: Any) -> Job:
    Job.objects.filter(pk=job.pk).update(**fields)
    job.refresh_from_db()
    return job
