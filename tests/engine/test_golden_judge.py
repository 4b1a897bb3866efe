"""The golden vectors of the LLM judge: what is asked, and what is read from the replies."""

import asyncio
import json
from typing import Any

import pytest
from pydantic import ValidationError

from assay_sdk.engine.aggregate import Summary
from assay_sdk.engine.forms import SCHEMA_INSTRUCTION
from assay_sdk.engine.prompt import INTRO
from assay_sdk.engine.result import Row, RowScore
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import LLMJudgeMetric, RunConfig, parse_metric
from tests.engine.deviations import JUDGE, Deviation
from tests.engine.golden import cases, differences
from tests.engine.played import NO_WAITING, Played

# Our states for the kinds of row errors in the vectors. None: no error text, but perhaps NaN.
STATES = {
    "template": {"template"},
    "request_is_a_list": {"template"},
    "request_rejected": {"refused"},
    "retries_exhausted": {"transport"},
    "no_text": {"empty"},
    "not_a_number": {"unparseable"},
    "not_a_label": {"unparseable"},
    "output_missing": {"unparseable", "empty"},
}


async def play(case: dict[str, Any]) -> tuple[LLMJudgeMetric, Played, list[RowScore]]:
    metric = parse_metric(case["metric"])
    assert isinstance(metric, LLMJudgeMetric)
    samples = case.get("samples") or [None] * len(case["rows"])
    rows = [Row(i, item, sample) for i, (item, sample) in enumerate(zip(case["rows"], samples, strict=True))]
    server = Played({"judge.example": case["judge_replies"]}, case.get("judge_honours"))
    metric = metric.model_copy(update={"retries_unscored": 0})  # the vectors have one reply a row
    run = evaluate(rows, [metric], config=RunConfig(parallelism=1), transport=server, retry=NO_WAITING)
    return metric, server, [row_score async for row_score in run]


@pytest.mark.parametrize(
    "case", cases("judge_json", "judge_regex", "judge_rubric", "judge_templates", "judge_requests")
)
def test_judge(case: dict[str, Any]) -> None:
    ours = JUDGE.get(case["id"], Deviation(0))
    expected = case["expected"]
    if ours.refused or "definition_error" in expected:
        with pytest.raises(ValidationError):
            parse_metric(case["metric"])
        return
    metric, server, row_scores = asyncio.run(play(case))
    check_rows(row_scores, expected["row_scores"], ours)
    check_aggregates(metric, row_scores, expected["aggregate_scores"], ours)
    if ours.requests is not None:
        wanted = [{"path": path, "body": body} for path, body in ours.requests]
    elif "requests" in expected:
        wanted = expected["requests"]
    else:
        return
    assert not differences(sent(server), [worded(request) for request in wanted])


def check_rows(row_scores: list[RowScore], expected: list[dict[str, Any]], ours: Deviation) -> None:
    assert len(row_scores) == len(expected)
    for i, (row_score, row) in enumerate(zip(row_scores, expected, strict=True)):
        outputs = {output["name"]: output["value"] for output in row_score.to_wire()["metrics"]["llm-judge"]}
        scores = row_score.metrics["llm-judge"]
        wanted = ours.outputs[i] if ours.outputs else row["outputs"]
        if not ours.outputs and row["error"]:  # the contract leaves the label of a failed row out; ours is empty
            wanted = {name: wanted.get(name, "") for name in outputs}
        assert not differences(outputs, wanted)
        assert all((score.value is None) == (score.reason is not None) for score in scores), "unscored, but why?"
        if ours.states:
            assert scores[0].state == ours.states[i]
        elif row["error"] and not ours.outputs:
            assert scores[0].state in STATES[row["error"]["kind"]]


def check_aggregates(
    metric: LLMJudgeMetric, row_scores: list[RowScore], expected: list[dict[str, Any]], ours: Deviation
) -> None:
    summary = Summary([metric])
    for row_score in row_scores:
        summary.add(row_score)
    aggregates = [without_nulls(score) for score in summary.to_wire(prefix=False)["scores"]]
    if ours.outputs:  # then the recorded statistics are of other values
        for aggregate in aggregates:
            values = [row.get(aggregate["name"]) for row in ours.outputs]
            numbers = [value for value in values if value != "NaN"]
            assert (aggregate["count"], aggregate["nan_count"]) == (len(numbers), len(values) - len(numbers))
            assert aggregate.get("sum", 0) == sum(numbers)
        return
    first, *others = expected or [{}]
    changed = [first | (ours.aggregates or {}), *others] if expected else []
    assert not differences(aggregates, changed)


def without_nulls(score: dict[str, Any]) -> dict[str, Any]:
    """The vectors leave absent statistics out, and the descriptions of a rubric's labels (see point 35)."""
    kept = {name: value for name, value in score.items() if value is not None}
    if "rubric_distribution" in kept:
        kept["rubric_distribution"] = [
            {key: value for key, value in grade.items() if key != "description"}
            for grade in kept["rubric_distribution"]
        ]
    return kept


def sent(server: Played) -> list[dict[str, Any]]:
    return [
        {"path": path, "body": {key: value for key, value in body.items() if key != "model"}}
        for _, path, body in server.requests
    ]


def worded(request: dict[str, Any]) -> dict[str, Any]:
    """A recorded request with our wording in the places that the contract leaves to us."""
    schema = json.dumps(request.get("instruction_schema"), separators=(",", ":"))
    instruction = json.dumps(f"{SCHEMA_INSTRUCTION} {schema}")[1:-1]
    body = json.dumps(request["body"]).replace("<SCHEMA_INSTRUCTION>", instruction).replace("<DEFAULT_INTRO>", INTRO)
    return {"path": request["path"], "body": json.loads(body)}
