"""How row scores are kept: slim columns to fold and filter, and whole rows together, compressed."""

import json
import zlib
from collections.abc import Sequence
from typing import Any

import orjson

from assay.jobs.models import Job, RowBatch, RowScore, Shard
from assay.platform.texts import storable
from assay_sdk.engine.result import RowScore as EngineRowScore
from assay_sdk.engine.result import Score, ScoreState
from assay_sdk.engine.sound import sound

TARGET = ""
"""In the place of a metric's key: the model that answers."""


def to_batch(shard: Shard, rows: Sequence[EngineRowScore], askers: Sequence[str] = ()) -> RowBatch:
    """Return rows of a shard that landed together as they are kept.

    With ``askers`` each tells which keys made its calls, each once, in the order of asking.
    """
    records = [row.to_wire() | ({"calls": _calls(row, askers)} if askers else {}) for row in rows]
    lines = b"".join(map(_line, records))
    return RowBatch(job_id=shard.job_id, shard=shard, rows=[row.index for row in rows], content=zlib.compress(lines, 1))


def _line(record: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # whole numbers beyond 64 bits, which keep their digits, or what a template made
        return json.dumps(sound(record), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def to_stored(job: Job, row: EngineRowScore, batch: RowBatch) -> RowScore:
    """Return the scores of a row as they are kept, beside the whole row in ``batch``."""
    return RowScore(
        job=job,
        row_index=row.index,
        scored=row.scored,
        scores={key: [_slim(score) for score in scores] for key, scores in row.metrics.items()},
        error=storable("; ".join(row.errors.values())),
        batch=batch,
        doubtful=b"".join(row.doubtful),
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
    slim = [score.name, score.value, score.label, score.state.value, score.reason and storable(score.reason)]
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
