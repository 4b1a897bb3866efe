"""The golden vectors of the metrics that are computed: texts, numbers, tool calls, and services of one's own."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError

from assay_sdk.engine.aggregate import Summary
from assay_sdk.engine.result import Row, RowScore
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import Metric, RunConfig, parse_metric
from assay_sdk.engine.transport import HTTPReply
from tests.engine.deviations import METRICS, Deviation
from tests.engine.golden import cases, differences
from tests.engine.played import NO_WAITING
from tests.engine.test_golden_judge import without_nulls

FILES = ("exact_match", "f1", "bleu", "rouge", "string_check", "number_check", "tool_calling", "remote")

# Our states for the kinds of row errors in the vectors.
STATES = {
    "template": "template",
    "not_text": "template",
    "no_candidate": "template",
    "bad_reference": "template",
    "bad_response": "template",
    "not_a_number": "unparseable",
    "request_rejected": "refused",
    "retries_exhausted": "transport",
}


class Service:
    """A Transport: a remote scorer that gives the recorded replies and keeps what it was sent."""

    def __init__(self, replies: list[Any]) -> None:
        self.requests: list[dict[str, Any]] = []
        self._replies = list(replies)

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float) -> HTTPReply:
        self.requests.append({"path": urlsplit(url).path, "body": json.loads(body)})
        reply = self._replies.pop(0)
        status = reply.get("__status__", 200) if isinstance(reply, dict) else 200
        return HTTPReply(status, {"content-type": "application/json"}, json.dumps(reply).encode())


async def play(case: dict[str, Any]) -> tuple[Metric, Service, list[RowScore]]:
    metric = parse_metric(case["metric"])
    samples = case.get("samples") or [None] * len(case["rows"])
    rows = [Row(i, item, sample) for i, (item, sample) in enumerate(zip(case["rows"], samples, strict=True))]
    service = Service(case.get("remote_replies", []))
    run = evaluate(rows, [metric], config=RunConfig(parallelism=1), transport=service, retry=NO_WAITING)
    return metric, service, [row_score async for row_score in run]


@pytest.mark.parametrize("case", cases(*FILES))
def test_metric(case: dict[str, Any]) -> None:
    ours = METRICS.get(case["id"], Deviation(0))
    expected = case["expected"]
    if ours.refused or "definition_error" in expected:
        with pytest.raises(ValidationError):
            parse_metric(case["metric"])
        return
    metric, service, row_scores = asyncio.run(play(case))
    for i, (row_score, row) in enumerate(zip(row_scores, expected["row_scores"], strict=True)):
        scores = row_score.metrics[metric.type]
        outputs = {score.name: "NaN" if score.value is None else score.value for score in scores}
        assert not differences(outputs, ours.outputs[i] if ours.outputs else row["outputs"])
        assert all((score.value is None) == (score.reason is not None) for score in scores), "unscored, but why?"
        if ours.states:
            assert scores[0].state == ours.states[i]
        elif row["error"] and not ours.outputs:
            assert scores[0].state == STATES[row["error"]["kind"]]
    check_aggregates(metric, row_scores, expected["aggregate_scores"], ours)
    assert service.requests == expected.get("requests", [])


def check_aggregates(
    metric: Metric, row_scores: list[RowScore], expected: list[dict[str, Any]], ours: Deviation
) -> None:
    """Whole and split in two, the aggregates are as recorded; where the rows differ, they are those of our rows."""
    whole, first, second = Summary([metric]), Summary([metric]), Summary([metric])
    for row_score in row_scores:
        whole.add(row_score)
        (first if row_score.index % 2 else second).add(row_score)
    first.merge(second)
    aggregates = [without_nulls(score) for score in whole.to_wire(prefix=False)["scores"]]
    assert [without_nulls(score) for score in first.to_wire(prefix=False)["scores"]] == aggregates
    by_name = {aggregate["name"]: aggregate for aggregate in aggregates}
    if ours.outputs:
        for name in ours.outputs[0]:
            numbers = [row[name] for row in ours.outputs if row[name] != "NaN"]
            assert by_name[name]["count"] == len(numbers)
            assert by_name[name].get("sum", 0) == pytest.approx(sum(numbers))
        return
    recorded = {aggregate["name"]: aggregate for aggregate in expected}
    for name, stated in (ours.aggregates or {}).items():
        if isinstance(stated, list):  # the bins
            bins = by_name[name].pop("histogram")["bins"]
            assert [each["count"] for each in bins] == stated
            assert bins[-1]["upper_bound"] == by_name[name]["max"]
            recorded[name] = {key: value for key, value in recorded[name].items() if key != "histogram"}
        else:  # the score of a corpus
            changed, as_recorded = by_name.pop(name), recorded.pop(name)
            assert changed.keys() == as_recorded.keys()
            assert {changed[key] for key in ("sum", "mean", "min", "max")} == {stated}
    assert not differences(by_name, recorded)
