"""The golden vectors of the aggregates."""

from typing import Any

import pytest

from assay_sdk.engine.aggregate import Summary
from assay_sdk.engine.result import RowScore, Score, ScoreState
from assay_sdk.engine.spec import parse_metric
from tests.engine.deviations import AGGREGATE, Deviation
from tests.engine.golden import cases, differences
from tests.engine.test_golden_judge import without_nulls


def summary_of(score: dict[str, Any], rows: list[dict[str, Any]]) -> Summary:
    model = {"url": "http://judge.example/v1", "name": "judge"}
    summary = Summary([parse_metric({"type": "llm-judge", "model": model, "scores": [score]})])
    for index, row in enumerate(rows):
        value = float(row["value"])
        state = ScoreState.UNPARSEABLE if value != value else ScoreState.SCORED
        scored = Score(score["name"], None if value != value else value, row.get("label"), state)
        summary.add(RowScore(index, {}, {}, {"llm-judge": [scored]}))
    return summary


@pytest.mark.parametrize("case", cases("aggregate"))
def test_aggregate(case: dict[str, Any]) -> None:
    aggregates = summary_of(case["metric"]["score"], case["rows"]).to_wire(prefix=False)["scores"]
    ours = AGGREGATE.get(case["id"], Deviation(0)).aggregates
    expected = case["expected"].get("aggregate_scores", [])
    if ours is None:
        assert not differences([without_nulls(aggregate) for aggregate in aggregates], expected)
        return
    (aggregate,) = aggregates
    stated = {name: aggregate[name] for name in ours if name != "bins"}
    assert not differences(stated, {name: value for name, value in ours.items() if name != "bins"})
    if "bins" in ours:
        bins = aggregate["histogram"]["bins"]
        assert [b["count"] for b in bins] == ours["bins"]
        assert bins[-1]["upper_bound"] == aggregate["max"]
    if expected and case["id"] not in ("agg-infinity", "agg-both-infinities"):
        recorded = {name: value for name, value in expected[0].items() if name not in ours and name != "histogram"}
        assert not differences({name: aggregate[name] for name in recorded}, recorded)
