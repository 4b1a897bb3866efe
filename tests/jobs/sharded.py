"""Jobs of several shards, their rows stored as workers store them: a few at a time, and in no order."""

import random
from collections.abc import Iterable
from typing import Any

from assay.jobs.models import Job, RowScore, Shard, ShardState, State
from assay.jobs.stored import to_batch, to_stored
from assay.workspaces.models import Workspace
from assay_sdk.engine.bleu import bleu, counts_of
from assay_sdk.engine.result import Call, Failure, Score, ScoreState
from assay_sdk.engine.result import RowScore as Judged
from tests.jobs.made import job_in

ROWS, SHARD_ROWS, BATCH_ROWS = 30, 10, 4
RUBRIC = [{"label": "poor", "value": 0}, {"label": "good", "value": 1}]


def sharded_job(
    workspace: Workspace, name: str = "j-one", *, landed: Iterable[int] = range(ROWS), **fields: Any
) -> Job:
    """Return a job under way, of three shards of ten rows each, with a judge's two scores and BLEU."""
    job = job_in(workspace, name)
    [judge] = job.metrics
    judge["structured_output"] = None
    judge["scores"] = [{"name": "helpfulness", "minimum": 0, "maximum": 4}, {"name": "tone", "rubric": RUBRIC}]
    job.metrics = [judge, {"type": "bleu", "references": ["{{item.prompt}}"], "candidate": "{{item.response}}"}]
    job.state, job.rows_total = State.ACTIVE, ROWS
    for field, value in fields.items():
        setattr(job, field, value)
    job.save()
    for index, start in enumerate(range(0, ROWS, SHARD_ROWS)):
        Shard.objects.create(job=job, index=index, start=start, stop=start + SHARD_ROWS, state=ShardState.DONE)
    land(job, landed)
    return job


def land(job: Job, indexes: Iterable[int], *, word: str = "") -> None:
    """Store these rows; ``word`` tells them apart from those that were judged before."""
    for shard in job.shards.order_by("start"):
        mine = [index for index in indexes if shard.start <= index < shard.stop]
        random.Random(7).shuffle(mine)
        for first in range(0, len(mine), BATCH_ROWS):
            rows = [judged_row(index, word) for index in mine[first : first + BATCH_ROWS]]
            batch = to_batch(shard, rows)
            batch.save()
            RowScore.objects.bulk_create(to_stored(job, row, batch) for row in rows)
    job.rows_done = RowScore.objects.filter(job=job).count()
    job.save(update_fields=["rows_done"])


def judged_row(index: int, word: str = "") -> Judged:
    """Return a row; every seventh one failed, unless it has a ``word``."""
    item = {"prompt": f"the {index} cats sat on a mat", "response": f"the {index * 2} cats sat {word}", "n": index / 4}
    failed = index % 7 == 3 and not word
    counts = counts_of(item["response"], [item["prompt"]])
    state, reason = (ScoreState.TRANSPORT, "no reply") if failed else (ScoreState.SCORED, None)
    label = ("poor", "good")[index % 2]
    scores = {
        "llm-judge": [
            Score("helpfulness", None if failed else index * 0.1, None, state, reason),
            Score("tone", None if failed else float(index % 2), "" if failed else label, state, reason),
        ],
        "bleu": [Score("sentence", bleu(counts), None, ScoreState.SCORED, counts=counts)],
    }
    usage = {"usage": {"prompt_tokens": 10, "completion_tokens": index}}
    calls = [] if failed else [Call({"model": "m"}, {"id": f"r{index}{word}"} | usage, 1, 0.1)]
    failures = {"llm-judge": Failure(ScoreState.TRANSPORT, f"Row {index}: no reply")} if failed else {}
    return Judged(index, item, {"output_text": word or None}, scores, calls, failures)


def finished(job: Job) -> Job:
    """Bring the job to its end, without results."""
    Job.objects.filter(pk=job.pk).update(state=State.COMPLETED, finished_at="2020-01-01T00:00:00Z")
    job.refresh_from_db()
    return job
