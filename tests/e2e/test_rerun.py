"""Rerun of failed rows on the composed platform: as many calls as rows were lost, and a clean run's aggregates."""

import threading
from typing import Any

import httpx
import pytest

from tests.ailing_judge import AilingJudge
from tests.judge import JudgeProcess
from tests.rest import bundle, rows, scores, submit, wait

JOBS = "/apis/evaluator/v2/workspaces/default/evaluate/jobs"
ROWS = 24
LOST = AilingJudge.ill(ROWS)


def spec(judge: AilingJudge | JudgeProcess, model: str, count: int = ROWS, **metric: Any) -> dict[str, Any]:
    # Whoever is only slow, on a busy machine, is not given up.
    inference = {"timeout": 2 if model == "hangs" else 60, **metric.pop("inference", {})}
    metrics = [bundle(judge.url, model=model, inference=inference, **metric)]
    return {"dataset": rows(count), "params": {"parallelism": 4}, "metrics": metrics}


def rerun(api: httpx.Client, name: str) -> httpx.Response:
    return api.post(f"{JOBS}/{name}/rerun-failed")


@pytest.mark.parametrize("illness", ["prose", "refuses", "hangs"])
def test_a_rerun_makes_a_call_for_each_lost_row_and_no_other(api: httpx.Client, illness: str) -> None:
    with AilingJudge(illness) as judge:
        submit(api, spec(judge, illness), illness)
        assert wait(api, illness)["status"] == "completed"
        assert [row["row_index"] for row in scores(api, illness)[1] if row["metrics"]["llm-judge"][0]["value"] == "NaN"]
        judge.healthy.set()
        judge.calls.clear()
        reply = rerun(api, illness)
        assert (reply.status_code, reply.json()["status"]) == (200, "pending"), reply.text
        ended = wait(api, illness)
        assert ended["status"] == "completed" and ended["status_details"]["message"] == f"Completed: {ROWS} rows scored"
        assert judge.calls == {(illness, row): 1 for row in LOST}
        again = rerun(api, illness)
        assert again.status_code == 409 and "nothing to judge again" in again.json()["detail"]

        clean = {"spec": spec(judge, illness), "custom_fields": {"assay": {"cache": False}}}
        api.post(JOBS, json={"name": f"{illness}-clean", **clean}).raise_for_status()
        assert wait(api, f"{illness}-clean")["status"] == "completed"
        assert judge.calls.total() == len(LOST) + ROWS, "it takes nothing from the cache"
    aggregates, judged = scores(api, illness)
    clean_aggregates, clean_judged = scores(api, f"{illness}-clean")
    assert aggregates == clean_aggregates
    assert [row["metrics"] for row in judged] == [row["metrics"] for row in clean_judged]


def test_of_several_judges_only_the_one_that_failed_is_asked_again(api: httpx.Client) -> None:
    with AilingJudge("prose") as judge:
        two = spec(judge, "moody")
        two["metrics"] += spec(judge, "steady")["metrics"]
        submit(api, two, "two-judges")
        wait(api, "two-judges")
        judge.healthy.set()
        judge.calls.clear()
        rerun(api, "two-judges").raise_for_status()
        wait(api, "two-judges")
        assert judge.calls == {("moody", row): 1 for row in LOST}
    assert all(score["nan_count"] == 0 for score in scores(api, "two-judges")[0])


def test_of_two_callers_at_once_one_reruns(api: httpx.Client) -> None:
    with AilingJudge("prose") as judge:
        submit(api, spec(judge, "twice"), "asked-twice")
        wait(api, "asked-twice")
        judge.healthy.set()
        judge.calls.clear()
        replies: list[int] = []
        callers = [
            threading.Thread(
                target=lambda: replies.append(httpx.post(f"{api.base_url}{JOBS}/asked-twice/rerun-failed").status_code)
            )
            for _ in range(4)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert sorted(replies) == [200, 409, 409, 409]
        wait(api, "asked-twice")
        assert judge.calls.total() == len(LOST)


def test_a_cancelled_job_goes_on_with_the_rows_it_never_came_to(api: httpx.Client) -> None:
    count = 120
    with JudgeProcess(latency_ms=50) as judge:
        submit(api, spec(judge, "stopped", count), "stopped")
        wait(api, "stopped", {"active"})
        api.post(f"{JOBS}/stopped/cancel").raise_for_status()
        assert wait(api, "stopped")["status"] == "cancelled"
        before = judge.stats()["calls"]
        assert before < count
        rerun(api, "stopped").raise_for_status()
        assert wait(api, "stopped")["status"] == "completed"
        assert judge.stats()["calls"] <= count + 4, "but for the calls in flight nothing is asked twice"
    assert len(scores(api, "stopped")[1]) == count


def test_a_job_that_could_not_work_works_once_its_fault_is_mended(api: httpx.Client) -> None:
    secrets = "/apis/secrets/v2/workspaces/default/secrets"
    with JudgeProcess(api_key="right") as judge:
        api.post(secrets, json={"name": "the-key", "value": "wrong"}).raise_for_status()
        metrics = [bundle(judge.url, secret="the-key")]
        submit(api, {"dataset": rows(12), "params": {"parallelism": 2}, "metrics": metrics}, "wrong-key")
        assert wait(api, "wrong-key")["status"] == "error"
        api.patch(f"{secrets}/the-key", json={"value": "right"}).raise_for_status()
        reply = rerun(api, "wrong-key").raise_for_status().json()
        assert reply["error_details"] is None
        ended = wait(api, "wrong-key")
        assert ended["status"] == "completed", ended
    assert scores(api, "wrong-key")[0][0]["count"] == 12


def test_a_job_of_the_v1_api_publishes_its_results_anew(api: httpx.Client) -> None:
    ask = {"messages": [{"role": "user", "content": "Rate 0-4.\n{{item.prompt}}\n{{item.response}}"}]}
    with AilingJudge("breaks") as judge:
        judging = {
            "model": {"api_endpoint": {"url": judge.url, "model_id": "v1"}},
            "template": ask,
            "scores": {"good": {"type": "int", "parser": {"type": "regex", "pattern": r'"helpfulness": (\d)'}}},
        }
        task = {"type": "data", "metrics": {"good": {"type": "llm-judge", "params": judging}}}
        config = {"type": "custom", "params": {"parallelism": 4, "max_retries": 0}, "tasks": {"t": task}}
        body = {"config": config, "target": {"type": "rows", "rows": rows(ROWS)}}
        job = api.post("/v1/evaluation/jobs", json=body).raise_for_status().json()["id"]
        wait(api, job)
        assert stats(api, job) == {"count": ROWS - len(LOST), "nan_count": len(LOST)}
        judge.healthy.set()
        judge.calls.clear()
        rerun(api, job).raise_for_status()
        assert wait(api, job)["status"] == "completed"
        assert judge.calls == {("v1", row): 1 for row in LOST}
    assert stats(api, job) == {"count": ROWS, "nan_count": None}
    values = [n % 5 for n in range(ROWS)]
    found = api.get(f"/v1/evaluation/jobs/{job}/results").json()["tasks"]["t"]["metrics"]["good"]["scores"]["good"]
    assert found["value"] == pytest.approx(sum(values) / ROWS)


def stats(api: httpx.Client, job: str) -> dict[str, Any]:
    """Return the counts in the results that the job published."""
    files = f"/apis/files/v2/workspaces/evaluation-results/filesets/{job}/-/results.json"
    tree = api.get(files).raise_for_status().json()
    found = tree["tasks"]["t"]["metrics"]["good"]["scores"]["good"]["stats"]
    return {"count": found["count"], "nan_count": found.get("nan_count")}
