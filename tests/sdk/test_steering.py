"""Jobs steered while they run and after: progress, changes, reruns, rows, exports, a log as it comes."""

import json
from pathlib import Path
from typing import Any

import pytest

from assay_sdk import ConflictError, RangeScore
from assay_sdk.engine.spec import LLMJudgeMetric, Model
from tests.sdk.conftest import TIME, Either
from tests.sdk.stub import Asked, Reply, Stub, reply

JOB = "/apis/jobs/v2/workspaces/default/jobs/j1"
EVALUATION = "/apis/evaluator/v2/workspaces/default/evaluate/jobs/j1"
INFO = {"id": "platform-job-x", "name": "j1", "workspace": "default", "status": "created", "spec": {}}
INFO |= {"created_at": TIME, "updated_at": TIME}
METRIC = LLMJudgeMetric(
    model=Model(url="http://judge.example/v1", name="m"),
    scores=[RangeScore(name="s", minimum=0, maximum=4)],
    prompt_template="Rate {{item.a}}",
)


@pytest.fixture
def job(stub: Stub, either: Either) -> Any:
    stub.on("GET", JOB, reply(INFO))
    return either("jobs.retrieve", "j1")


def row(index: int) -> dict[str, Any]:
    return {"row_index": index, "item": {"q": index}, "sample": {}, "metrics": {"m": [{"name": "s", "value": 1.0}]}}


def test_progress_is_a_value(stub: Stub, either: Either, job: Any) -> None:
    line = {"model": "m", "address": "http://j", "calls": 3, "tokens_in": 7, "cost_usd": 0.5}
    wire = {
        "name": "j1", "state": "active", "message": "Judging 10 rows", "rows_done": 4, "rows_left": 6, "rows_total": 10,
        "rows_per_second": 2.5, "eta_seconds": 2.4, "usage": [line], "usage_total": line, "parallelism": 8,
        "waiting": {"why": "Judging 10 rows", "next_look_at": TIME}, "newer": "than this client",
        "budget": {"tokens": 100, "tokens_left": 93, "cost_usd": None, "cost_usd_left": None},
        "aggregates": {"scores": [{"name": "m.s", "count": 4, "mean": 1.5}]},
    }  # fmt: skip
    stub.on("GET", f"{EVALUATION}/progress", reply(wire))
    seen = either.settle(lambda: job.progress(aggregates=True))
    assert (seen.rows_per_second, seen.eta_seconds, seen.budget.tokens_left) == (2.5, 2.4, 93)
    assert seen.usage[0].calls == 3 and seen.usage_total.cost_usd == 0.5
    assert seen.waiting.why == "Judging 10 rows" and seen.waiting.next_look_at.tzinfo
    assert seen.scores[0].mean == 1.5
    assert stub.asked[-1].query == {"aggregates": "true"}
    stub.on("GET", f"{EVALUATION}/progress", reply({**wire, "aggregates": None, "waiting": None}))
    again = either.settle(job.progress)
    assert (again.scores, again.waiting) == ((), None)
    assert stub.asked[-1].query == {"aggregates": "false"}


def test_what_is_left_out_of_a_change_is_not_sent(stub: Stub, either: Either, job: Any) -> None:
    stub.on("PATCH", EVALUATION, reply(INFO))
    either.settle(lambda: job.update(parallelism=32))
    either.settle(lambda: job.update(budget={"tokens": None, "cost_usd": 2.5}, cache=False))
    assert [asked.json for asked in stub.asked[1:]] == [
        {"parallelism": 32},
        {"budget": {"tokens": None, "cost_usd": 2.5}, "cache": False},
    ]


def test_a_rerun_that_has_nothing_to_do_is_a_conflict(stub: Stub, either: Either, job: Any) -> None:
    stub.on("POST", f"{EVALUATION}/rerun-failed", reply(INFO), reply({"detail": "nothing to judge again"}, 409))
    either.settle(job.rerun_failed)
    with pytest.raises(ConflictError, match="nothing to judge again"):
        either.settle(job.rerun_failed)


def test_rows_come_page_by_page(stub: Stub, either: Either, job: Any) -> None:
    def page(asked: Asked) -> Reply:
        first = "page_cursor" not in asked.query
        rows = [row(0), row(1)] if first else [row(2)]
        return reply({"data": rows, "next_page": "two" if first else None, "prev_page": None})

    stub.on("GET", f"{EVALUATION}/rows", page)
    assert [found.index for found in either.settle(lambda: job.rows(scored=False))] == [0, 1, 2]
    assert [asked.query.get("page_cursor") for asked in stub.asked[1:]] == [None, "two"]
    assert stub.asked[-1].query["scored"] == "false"
    stub.on("GET", f"{EVALUATION}/rows/2", reply(row(2)))
    assert either("jobs.row", "j1", 2).item == {"q": 2}


def test_an_export_is_stored(stub: Stub, either: Either, job: Any, tmp_path: Path) -> None:
    stub.on("GET", f"{EVALUATION}/export", Reply(body=b"a,b\n1,2\n"))
    stored = either.settle(lambda: job.export(tmp_path, format="csv"))
    assert stored == tmp_path / "j1.csv" and stored.read_bytes() == b"a,b\n1,2\n"
    assert stub.asked[-1].query == {"format": "csv"}


def entry(number: int) -> bytes:
    line = {"timestamp": TIME, "job": "j1", "job_step": "evaluate", "job_task": "t", "message": f"line {number}"}
    return json.dumps({**line, "page_cursor": f"after {number}"}).encode() + b"\n"


def test_a_log_is_taken_up_where_the_stream_broke_off(stub: Stub, either: Either, job: Any) -> None:
    def stream(asked: Asked) -> Reply:
        if "page_cursor" not in asked.query:
            body = entry(1) + b"\n" + entry(2)
            return Reply(body=body + entry(3), cut=len(body))
        return Reply(body=entry(3) + b"\n")

    status = {"name": "j1", "id": "x", "status_details": {}, "error_details": None}
    stub.on("GET", f"{JOB}/status", *(reply({**status, "status": word}) for word in ("active", "completed")))
    stub.on("GET", f"{EVALUATION}/logs", stream)
    assert [line.message for line in either.settle(job.follow_logs)] == ["line 1", "line 2", "line 3"]
    streams = [asked.query for asked in stub.asked if asked.path.endswith("/logs")]
    assert streams == [{"follow": "true"}, {"follow": "true", "page_cursor": "after 2"}]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, None),
        ({"cache": False}, {"assay": {"cache": False}}),
        ({"budget": {"tokens": 9}, "custom_fields": {"t": 1}}, {"t": 1, "assay": {"budget": {"tokens": 9}}}),
        ({"cache": True, "custom_fields": {"assay": {"cache": False}}}, {"assay": {"cache": True}}),
    ],
    ids=["none", "cache", "budget", "argument wins"],
)  # fmt: skip
def test_options_travel_in_the_custom_fields(stub: Stub, either: Either, given: Any, sent: Any) -> None:
    stub.on("POST", EVALUATION.removesuffix("/j1"), reply(INFO, 201))
    either("evaluator.submit", METRIC, [{"a": "b"}], **given)
    assert stub.asked[-1].json.get("custom_fields") == sent
