"""A job steered while it runs: watched, sped up, held to a budget, its log followed, on the composed platform."""

import json
import socket
from typing import Any

import httpx

from tests.ailing_judge import AilingJudge
from tests.chaos.trial import until
from tests.judge import JudgeProcess
from tests.rest import bundle, rows, submit, wait

JOBS = "/apis/evaluator/v2/workspaces/default/evaluate/jobs"


def progress(api: httpx.Client, name: str, **query: Any) -> dict[str, Any]:
    return dict(api.get(f"{JOBS}/{name}/progress", params=query).raise_for_status().json())


def spec(judge: JudgeProcess | AilingJudge, count: int, parallelism: int, model: str = "m") -> dict[str, Any]:
    params = {"parallelism": parallelism}
    return {"dataset": rows(count), "params": params, "metrics": [bundle(judge.url, model=model)]}


def test_it_is_watched_and_sped_up_while_it_runs(api: httpx.Client) -> None:
    with JudgeProcess(latency_ms=100) as judge:
        submit(api, spec(judge, 300, 1), "watched")
        until(lambda: progress(api, "watched")["rows_done"] >= 5, 20, "rows")
        seen = progress(api, "watched")
        assert seen["state"] == "active" and seen["rows_total"] == 300
        assert seen["rows_per_second"] > 1 and seen["eta_seconds"] > 1
        assert seen["waiting"]["why"] == "Judging 300 rows"
        assert seen["aggregates"]["scores"][0]["count"] >= 5
        assert seen["usage_total"]["calls"] >= 5 and seen["usage_total"]["tokens_in"] > 0
        assert judge.stats()["max_in_flight"] == 1
        api.patch(f"{JOBS}/watched", json={"parallelism": 24}).raise_for_status()
        assert wait(api, "watched", seconds=20)["status"] == "completed"
        assert judge.stats()["max_in_flight"] > 12
    ended = progress(api, "watched")
    assert (ended["rows_left"], ended["waiting"], ended["parallelism"]) == (0, None, 24)


def test_a_budget_pauses_it_until_there_is_more(api: httpx.Client) -> None:
    """Each reply of this judge takes 15 tokens."""
    with AilingJudge("prose") as judge:
        judge.healthy.set()
        body = {"spec": spec(judge, 40, 4, "counted"), "custom_fields": {"assay": {"budget": {"tokens": 150}}}}
        api.post(JOBS, json={"name": "budgeted", **body}).raise_for_status()
        paused = wait(api, "budgeted", {"paused"}, seconds=20)
        assert "its budget is used up" in paused["status_details"]["message"]
        seen = progress(api, "budgeted")
        assert 150 <= seen["usage_total"]["tokens_in"] + seen["usage_total"]["tokens_out"] <= 150 + 4 * 15
        assert seen["budget"]["tokens_left"] == 0
        assert seen["waiting"]["why"].startswith("Paused: its budget is used up")
        assert api.post(f"{JOBS}/budgeted/resume").status_code == 409
        api.patch(f"{JOBS}/budgeted", json={"budget": None}).raise_for_status()
        api.post(f"{JOBS}/budgeted/resume").raise_for_status()
        assert wait(api, "budgeted", seconds=20)["status"] == "completed"
        assert judge.calls.total() == 40, "nothing was paid for twice"


def test_a_log_is_followed_until_the_job_ends(api: httpx.Client) -> None:
    with JudgeProcess(latency_ms=50) as judge:
        submit(api, spec(judge, 60, 2, "followed"), "followed")
        with api.stream("GET", f"{JOBS}/followed/logs", params={"follow": "true"}) as reply:
            assert reply.headers["Content-Type"] == "application/x-ndjson"
            lines = [json.loads(line) for line in reply.iter_lines() if line]
    messages = [line["message"] for line in lines]
    assert messages[0].endswith("submitted.") and messages[-1] == "Completed: 60 rows scored"
    paged = api.get(f"{JOBS}/followed/logs").json()["data"]
    assert messages == [line["message"] for line in paged]
    rest = api.get(f"{JOBS}/followed/logs", params={"follow": "true", "page_cursor": lines[0]["page_cursor"]})
    assert [json.loads(line)["message"] for line in rest.text.splitlines() if line] == messages[1:]
    tail = api.get(f"{JOBS}/followed/logs", params={"follow": "true", "tail": 1})
    assert json.loads(tail.text)["message"] == messages[-1]


def test_so_many_follow_and_no_more_and_who_hangs_up_makes_room(api: httpx.Client) -> None:
    submit(api, {"dataset": rows(4), "metrics": [bundle("http://127.0.0.1:9/v1")]}, "idle")
    api.post(f"{JOBS}/idle/pause").raise_for_status()
    host, port = api.base_url.host, api.base_url.port or 80
    request = f"GET {JOBS}/idle/logs?follow=true HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    followers = [socket.create_connection((host, port)) for _ in range(6)]
    try:
        for follower in followers:
            follower.sendall(request)
            assert b"200" in follower.recv(15)
        refused = api.get(f"{JOBS}/idle/logs", params={"follow": "true"})
        assert refused.status_code == 503 and refused.headers["Retry-After"]
        assert api.get(f"{JOBS}/idle/logs").status_code == 200, "pages are read as ever"
    finally:
        for follower in followers:
            follower.close()

    def room() -> bool:
        with api.stream("GET", f"{JOBS}/idle/logs", params={"follow": "true"}) as reply:
            return reply.status_code == 200

    until(room, 20, "room for another follower")
