"""How a row score is kept: slim columns to fold and filter, and the whole row as one compressed record."""

import zlib
from collections.abc import Sequence
from typing import Any

import orjson

from assay.jobs.models import Job, RowScore
from assay_sdk.engine.result import RowScore as EngineRowScore
from assay_sdk.engine.result import Score, ScoreState

TARGET = ""
"""In the place of a metric's key: the model that answers."""


def to_stored(job: Job, row: EngineRowScore, askers: Sequence[str] = ()) -> RowScore:
    """Return the row as it is kept; with ``askers``, which keys made its calls, each once, in the order of asking."""
    record = row.to_wire()
    if askers:
        record["calls"] = _calls(row, askers)
    return RowScore(
        job=job,
        row_index=row.index,
        scored=row.scored,
        scores={key: [_slim(score) for score in scores] for key, scores in row.metrics.items()},
        error="; ".join(row.errors.values()),
        record=zlib.compress(orjson.dumps(record), 1),
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


def _calls(row: EngineRowScore, askers: Sequence[str]) -> dict[str, Any]:
    """Return each asker's call: its place among the row's requests, or the request itself where nothing came of it."""
    calls = iter(row.calls)
    answered = 0
    found: dict[str, Any] = {}
    for asker in askers:
        states = {score.state for score in row.metrics.get(asker, ())}
        if states & {ScoreState.TEMPLATE, ScoreState.SKIPPED}:
            continue  # it had nothing to ask
        call = next(calls, None)
        if call is None:
            continue
        found[asker] = {"request": call.request} if call.response is None else answered
        answered += call.response is not None
    return found
