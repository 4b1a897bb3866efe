"""How a row score is kept: slim columns to fold and filter, and the whole row as one compressed record."""

import zlib
from typing import Any

import orjson

from assay.jobs.models import Job, RowScore
from assay_sdk.engine.result import RowScore as EngineRowScore
from assay_sdk.engine.result import Score, ScoreState


def to_stored(job: Job, row: EngineRowScore) -> RowScore:
    return RowScore(
        job=job,
        row_index=row.index,
        scored=row.scored,
        scores={key: [_slim(score) for score in scores] for key, scores in row.metrics.items()},
        error="; ".join(row.errors.values()),
        record=zlib.compress(orjson.dumps(row.to_wire()), 1),
    )


def from_stored(index: int, scores: dict[str, list[list[Any]]]) -> EngineRowScore:
    """Return the scores of a stored row as the engine's value, without its item and calls: enough to fold."""
    metrics = {
        key: [
            Score(name, value, label, ScoreState(state), reason, counts=tuple(counts[0]) if counts else ())
            for name, value, label, state, reason, *counts in entries
        ]
        for key, entries in scores.items()
    }
    return EngineRowScore(index=index, item={}, sample={}, metrics=metrics)


def _slim(score: Score) -> list[Any]:
    slim = [score.name, score.value, score.label, score.state.value, score.reason]
    return [*slim, list(score.counts)] if score.counts else slim
