"""The golden vectors of online runs: what the target is asked, and what becomes of its answer."""

import asyncio
from typing import Any

import pytest

from assay_sdk.engine.result import Row, RowScore
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import LLMJudgeMetric, Model, RunConfigOnlineModel, parse_metric
from tests.engine.deviations import ONLINE
from tests.engine.golden import cases, differences
from tests.engine.played import NO_WAITING, Played
from tests.engine.test_golden_judge import worded


async def play(case: dict[str, Any]) -> tuple[Played, list[RowScore]]:
    target = case["target"]
    replies = case["judge_replies"]
    if case["id"] in ONLINE and ONLINE[case["id"]].point == 7:
        replies = replies[1:]  # the first one is for a question that we do not ask
    server = Played({"target.example": case["target_replies"], "judge.example": replies})
    metric = parse_metric(case["metric"])
    if isinstance(metric, LLMJudgeMetric):
        metric = metric.model_copy(update={"retries_unscored": 0})  # the vectors have one reply a row
    run = evaluate(
        [Row(index, item) for index, item in enumerate(case["rows"])],
        [metric],
        config=RunConfigOnlineModel(**{"parallelism": 1, **target["config"]}),
        transport=server,
        target=Model(url=target["url"], name="target"),
        prompt_template=target["prompt_template"],
        retry=NO_WAITING,
    )
    return server, [row_score async for row_score in run]


@pytest.mark.parametrize("case", cases("online"))
def test_online(case: dict[str, Any]) -> None:
    metric = case["metric"]["type"]
    server, row_scores = asyncio.run(play(case))
    ours = ONLINE.get(case["id"])
    expected = case["expected"]
    for i, row in enumerate(expected.get("row_scores", [])):
        row_score = row_scores[i]
        assert sorted(row_score.sample) == row["sample_keys"]
        assert row_score.sample.get("output_text") == row["sample_output_text"]
        wanted = ours.outputs[i] if ours and ours.outputs else row["outputs"]
        outputs = {output["name"]: output["value"] for output in row_score.to_wire()["metrics"][metric]}
        assert not differences(outputs, {name: wanted.get(name, "") for name in outputs})
        unasked = ours is not None and ours.judge_contents is not None and ours.point == 7 and i == 0
        assert len(row_score.to_wire()["requests"]) == row["requests_logged"] - unasked
    if ours:
        failures = [row_score.failure for row_score in row_scores]
        assert [failure and failure.kind.value for failure in failures] == ours.failures
    asked = {"target": [], "judge": []}  # type: dict[str, list[dict[str, Any]]]
    for host, _, body in server.requests:
        asked[host.partition(".")[0]].append({key: value for key, value in body.items() if key != "model"})
    recorded = {
        name: [worded({"path": "", **r})["body"] for r in expected["requests"] if r["to"] == name] for name in asked
    }
    if ours and ours.target_contents:
        assert [request["messages"][-1]["content"] for request in asked["target"]] == ours.target_contents
    elif ours and ours.target_requests:
        assert len(asked["target"]) == ours.target_requests
    else:
        assert not differences(asked["target"], recorded["target"])
    if ours and ours.judge_contents:
        assert [request["messages"][-1]["content"] for request in asked["judge"]] == ours.judge_contents
    else:
        assert not differences(asked["judge"], recorded["judge"])


def test_a_failed_target_is_told_of_where_the_scores_are_missing() -> None:
    case = next(param.values[0] for param in cases("online") if param.values[0]["id"].startswith("online-judge-sees"))
    assert isinstance(case, dict)
    _, (failed, scored) = asyncio.run(play(case))
    assert "400" in failed.to_wire()["metric_errors"]["llm-judge"]
    assert failed.sample["inference_error"] == failed.errors["llm-judge"]
    assert scored.scored and scored.failure is None
