"""What was asked once is not paid for twice: the durable store of replies, seen from outside over real processes."""

import time
from typing import Any

import httpx
import pytest
from judge import JudgeProcess
from rest import TERMINAL, bundle, rows, scores, submit, wait

ROWS = 30


def judged(
    api: httpx.Client, judge: JudgeProcess, name: str, dataset: list[dict[str, Any]], **metric: Any
) -> tuple[int, list[dict[str, Any]]]:
    """Run a job to its end; return how many calls it made, and its aggregates."""
    before = judge.stats()["calls"]
    submit(api, {"dataset": dataset, "params": {"parallelism": 8}, "metrics": [bundle(judge.url, **metric)]}, name)
    ended = wait(api, name)
    assert ended["status"] == "completed", ended
    aggregates, judged_rows = scores(api, name)
    assert len(judged_rows) == len(dataset)
    return judge.stats()["calls"] - before, aggregates


def test_a_second_identical_run_makes_no_call(api: httpx.Client) -> None:
    with JudgeProcess() as judge:
        calls, aggregates = judged(api, judge, "first", rows(ROWS))
        assert calls == ROWS
        assert judged(api, judge, "second", rows(ROWS)) == (0, aggregates)
        # Neither the order nor the number of the rows is part of a question.
        assert judged(api, judge, "turned", rows(ROWS + 2)[::-1])[0] == 2


@pytest.mark.parametrize(
    "change",
    [
        {
            "prompt_template": {
                "messages": [{"role": "user", "content": "Rate it.\n{{item.prompt}}\n{{item.response}}"}]
            }
        },
        {"model": "another"},
        {"inference": {"temperature": 0.5}},
        {"scores": [{"name": "helpfulness", "minimum": 0, "maximum": 3}]},
    ],
    ids=["prompt", "model", "parameter", "schema"],
)
def test_whatever_changes_the_question_misses(
    api: httpx.Client, change: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    case = request.node.callspec.id
    with JudgeProcess() as judge:
        assert judged(api, judge, f"{case}-before", rows(4))[0] == 4
        assert judged(api, judge, f"{case}-after", rows(4), **change)[0] == 4


def test_rows_that_ask_the_same_are_draws_of_their_own(api: httpx.Client) -> None:
    same = rows(1) * 12
    with JudgeProcess() as judge:
        assert judged(api, judge, "draws", same)[0] == 12
        assert judged(api, judge, "draws-again", same)[0] == 0
        assert judged(api, judge, "more-draws", rows(1) * 15)[0] == 3


def test_what_a_server_refuses_is_not_tried_again_in_a_second_run(api: httpx.Client) -> None:
    with JudgeProcess(refuse_response_format=True) as judge:
        calls, aggregates = judged(api, judge, "refused", rows(6))
        assert calls > 6, "it had to be learned what the server takes"
        assert judged(api, judge, "refused-again", rows(6)) == (0, aggregates)


def test_another_workspace_is_told_nothing(api: httpx.Client) -> None:
    with JudgeProcess() as judge:
        assert judged(api, judge, "here", rows(3))[0] == 3
        api.post("/apis/entities/v2/workspaces", json={"name": "elsewhere"}).raise_for_status()
        jobs = "/apis/evaluator/v2/workspaces/elsewhere/evaluate/jobs"
        spec = {"dataset": rows(3), "params": {}, "metrics": [bundle(judge.url)]}
        api.post(jobs, json={"name": "there", "spec": spec}).raise_for_status()
        deadline = time.monotonic() + 30
        while (now := api.get(f"{jobs}/there/status").json())["status"] not in TERMINAL:
            assert time.monotonic() < deadline, now
            time.sleep(0.05)
        assert now["status"] == "completed"
        assert judge.stats()["calls"] == 6
