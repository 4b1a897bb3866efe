"""Jobs with judged rows, stored as a worker stores them."""

from collections.abc import Mapping, Sequence
from typing import Any

from assay.jobs.models import Job, RowScore
from assay.jobs.stored import to_batch, to_stored
from assay.workspaces.models import Workspace
from assay_sdk.engine.result import Call, Score, ScoreState
from assay_sdk.engine.result import RowScore as Judged
from tests.jobs.made import active, job_in

RUBRIC = {"poor": 0, "fair": 1, "good": 2}


def scored_job(
    workspace: Workspace,
    name: str,
    values: Sequence[float | None],
    items: Sequence[Mapping[str, Any]],
    **fields: Any,
) -> Job:
    """Return a job under way whose rows so far have these values of its score ``helpfulness``."""
    job = active(job_in(workspace, name, **fields))
    rows = [
        Judged(index, dict(item), {}, {"llm-judge": [_score(value)]}, [Call({"model": "m"}, {"id": "r"}, 1, 0.1)])
        for index, (value, item) in enumerate(zip(values, items, strict=True))
    ]
    _store(job, rows)
    return _counted(job, len(rows))


def _store(job: Job, rows: Sequence[Judged]) -> None:
    shard = job.shards.get()
    shard.stop = max(shard.stop, len(rows))
    shard.save()
    batch = to_batch(shard, rows)
    batch.save()
    RowScore.objects.bulk_create(to_stored(job, row, batch) for row in rows)


def graded_job(
    workspace: Workspace, name: str, grades: Sequence[str | None], items: Sequence[Mapping[str, Any]]
) -> Job:
    """Return a job under way whose rows so far have these grades of a rubric, poor, fair and good."""
    rubric = [{"label": label, "value": RUBRIC[label]} for label in ("good", "poor", "fair")]
    job = active(job_in(workspace, name))
    [metric] = job.metrics
    metric["scores"] = [{"name": "tone", "rubric": rubric, "parser": {"type": "json", "json_path": "tone"}}]
    metric["structured_output"] = None
    job.save()
    rows = [
        Judged(index, dict(item), {}, {"llm-judge": [_grade(label)]})
        for index, (label, item) in enumerate(zip(grades, items, strict=True))
    ]
    _store(job, rows)
    return _counted(job, len(rows))


def _score(value: float | None) -> Score:
    state = ScoreState.UNPARSEABLE if value is None else ScoreState.SCORED
    return Score("helpfulness", value, None, state)


def _grade(label: str | None) -> Score:
    if label is None:
        return Score("tone", None, "", ScoreState.EMPTY)
    return Score("tone", RUBRIC[label], label, ScoreState.SCORED)


def _counted(job: Job, rows: int) -> Job:
    job.rows_done, job.rows_total = rows, rows + 100
    job.save()
    return job
