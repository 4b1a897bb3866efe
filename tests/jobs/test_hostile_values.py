"""Whatever is in a row, or a judge's server says of itself, is stored: it never costs a job more than that row."""

import io
import json
import time
from typing import Any

import orjson
import pytest

from assay.filesets import local
from assay.filesets.models import Fileset
from assay.jobs import logs
from assay.jobs.exports import csv_pieces
from assay.jobs.governor_headers import windows_of
from assay.jobs.models import Job, LogLine, RowScore, Shard, State
from assay.jobs.packs import whole_rows
from assay.jobs.plan import plan
from assay.jobs.states import move
from assay.jobs.stored import to_batch, to_stored
from assay.workspaces.models import Workspace
from assay_sdk.engine.result import Call, Failure, Score, ScoreState
from assay_sdk.engine.result import RowScore as EngineRowScore
from tests.jobs.made import active, job_in


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


HOSTILE = {
    "more than 64 bits": 10**40,
    "nested": nested(300),
    "NUL": "a\x00b",
    "half a character": "a\ud800b",
    "no number": [float("nan"), float("inf")],
    "keys": {"\ud800": {"\x00": 1}},
}


@pytest.mark.django_db
@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_any_row_is_stored_and_read(workspace: Workspace, value: Any) -> None:
    job = active(job_in(workspace))
    shard = Shard.objects.get(job=job)
    reason = value if isinstance(value, str) else "it was odd"
    row = EngineRowScore(
        index=0,
        item={"v": value, "plain": "ü"},
        sample={"output_text": value},
        metrics={"llm-judge": [Score("helpfulness", None, None, ScoreState.UNPARSEABLE, reason)]},
        calls=[Call({"messages": [value]}, {"choices": [value]}, 1, 0.1)],
        failures={"llm-judge": Failure(ScoreState.TRANSPORT, reason)},
    )
    batch = to_batch(shard, [row])
    batch.save()
    stored = to_stored(job, row, batch)
    stored.save()
    ((_, _, line),) = whole_rows(job, "scores")
    found = orjson.loads(line)
    assert found["item"]["plain"] == "ü"
    if value == 10**40:
        assert json.loads(line)["item"]["v"] == 10**40, "to the last digit"
    error = RowScore.objects.get().error
    assert "\x00" not in error and error.encode()
    assert b"plain" in b"".join(csv_pieces(job))


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"])
def test_any_text_is_stored(workspace: Workspace, text: str) -> None:
    job = job_in(workspace)
    assert move(job, State.ERROR, error=text, message=text)
    logs.write(job, text)
    stored = {Job.objects.get().message, Job.objects.get().error, LogLine.objects.get().message}
    assert not stored & {text} and all("\x00" not in each and each.encode() for each in stored)


@pytest.mark.django_db
@pytest.mark.parametrize("column", ["a\x00b", "x" * 100_000, "<script>", "=cmd"])
def test_column_of_any_name_does_not_stop_a_plan(workspace: Workspace, column: str) -> None:
    data = Fileset.objects.create(workspace=workspace, name="data")
    local.put(data, "a.jsonl", io.BytesIO(json.dumps({column: 1}).encode()))
    job = job_in(workspace, dataset_fileset=data, spec={"dataset": "w-one/data"})
    assert plan(job)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ratelimit-limit-requests": "100"},
        {"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": ""},
        {"x-ratelimit-limit-requests": "inf", "x-ratelimit-remaining-requests": "1"},
        {"x-ratelimit-limit-requests": "nan", "x-ratelimit-remaining-requests": "nan"},
        {"x-ratelimit-limit-requests": "9" * 400, "x-ratelimit-remaining-requests": "1"},
        {
            "x-ratelimit-limit-tokens": "5",
            "x-ratelimit-remaining-tokens": "5",
            "x-ratelimit-reset-tokens": "9" * 400 + "s",
        },
        {"ratelimit": '"d";r=1;t=2', "ratelimit-policy": '"d";q=5;w=' + "9" * 400},
        {"ratelimit": '"d";r=1;t=' + "9" * 30, "ratelimit-policy": '"d";q=5;w=5'},
        {"ratelimit-limit": "x", "ratelimit-remaining": "1"},
    ],
)
def test_limits_that_make_no_sense_are_none(headers: dict[str, str]) -> None:
    assert windows_of(headers) == {}


def test_header_of_any_length_is_read_soon() -> None:
    said = {"x-ratelimit-limit-requests": "5", "x-ratelimit-remaining-requests": "5"}
    began = time.thread_time()
    windows_of(said | {"x-ratelimit-reset-requests": "1" * 60_000})
    assert time.thread_time() - began < 1
