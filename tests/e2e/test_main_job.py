"""The main job on the composed platform: real server, real worker, real judge process, over HTTP."""

import json
import time
from pathlib import Path

import httpx
import pytest
from judge import JudgeProcess
from rest import bundle, rows, scores, submit, wait


def test_an_uploaded_fileset_is_judged_from_end_to_end(api: httpx.Client, tmp_path: Path) -> None:
    with JudgeProcess(api_key="judge-key-1") as judge:
        secrets, files = "/apis/secrets/v2/workspaces/default/secrets", "/apis/files/v2/workspaces/default/filesets"
        api.post(secrets, json={"name": "judge-key", "value": "judge-key-1"}).raise_for_status()
        api.post(files, json={"name": "answers"}).raise_for_status()
        lines = "".join(json.dumps(row) + "\n" for row in rows(40))
        api.put(f"{files}/answers/-/data/rows.jsonl", content=lines).raise_for_status()
        spec = {
            "dataset": "default/answers#data/*.jsonl",
            "params": {"parallelism": 8},
            "metrics": [bundle(judge.url, secret="judge-key")],
        }
        submit(api, spec, "main-job")
        ended = wait(api, "main-job")
        assert ended["status"] == "completed", ended
        assert ended["status_details"]["progress"] == 100.0
        assert judge.stats()["calls"] == 40, "one judge call a row, probing included"
    aggregates, judged = scores(api, "main-job")
    assert [row["row_index"] for row in judged] == list(range(40))
    assert [row["item"] for row in judged] == rows(40)
    values = [row["metrics"]["llm-judge"][0]["value"] for row in judged]
    assert aggregates[0]["name"] == "llm-judge.helpfulness"
    assert aggregates[0]["count"] == 40
    assert aggregates[0]["mean"] == pytest.approx(sum(values) / 40)
    assert "judge-key-1" not in json.dumps(judged), "the key is never in a result"

    refused = api.delete("/apis/secrets/v2/workspaces/default/secrets/judge-key")
    assert refused.status_code == 409
    assert "main-job" in refused.json()["detail"]
    assert api.delete("/apis/files/v2/workspaces/default/filesets/answers").status_code == 409
    assert api.delete("/apis/jobs/v2/workspaces/default/jobs/main-job").status_code == 204
    assert api.delete("/apis/files/v2/workspaces/default/filesets/answers").status_code == 200
    assert api.delete("/apis/secrets/v2/workspaces/default/secrets/judge-key").status_code == 204


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"url": "http://no-such-host.invalid/v1"}, "no-such-host.invalid"),
        ({"url": "http://127.0.0.1:9/v1"}, "127.0.0.1:9"),
        ({"model": "refuse-key"}, "401"),
        ({"model": "missing-model"}, "missing-model"),
        ({"template": "{{item.nothing}}"}, "nothing"),
        ({"dataset": "default/not-there#x.jsonl"}, "Fileset 'default/not-there' not found"),
    ],
    ids=["unknown host", "nobody listens", "refused key", "missing model", "missing column", "missing fileset"],
)
def test_a_job_that_cannot_work_ends_and_says_what_to_fix(api: httpx.Client, fault: dict[str, str], words: str) -> None:
    with JudgeProcess() as judge:
        also = (
            {"prompt_template": {"messages": [{"role": "user", "content": fault["template"]}]}}
            if "template" in fault
            else {}
        )
        metric = bundle(fault.get("url", judge.url), model=fault.get("model", "any"), **also)
        name = "fault-" + words.lower().split("/")[0].translate(str.maketrans("'. :", "----")).strip("-").replace(
            "--", "-"
        )
        spec = {"dataset": fault.get("dataset", rows(12)), "params": {"parallelism": 2}, "metrics": [metric]}
        submit(api, spec, name)
        ended = wait(api, name)
        assert ended["status"] == "error"
        assert words in ended["error_details"]["message"]
        log = api.get(f"/apis/evaluator/v2/workspaces/default/evaluate/jobs/{name}/logs").json()["data"]
        assert any(words in line["message"] for line in log)
        assert judge.stats()["calls"] <= 12


def test_with_ignore_request_failure_the_rows_fail_and_the_job_completes(api: httpx.Client) -> None:
    spec = {"dataset": rows(6), "metrics": [bundle("http://127.0.0.1:9/v1", ignore_request_failure=True)]}
    submit(api, spec, "all-ignored")
    assert wait(api, "all-ignored")["status"] == "completed"
    aggregates, judged = scores(api, "all-ignored")
    assert (aggregates[0]["count"], aggregates[0]["nan_count"]) == (0, 6)
    assert [row["metrics"]["llm-judge"][0]["value"] for row in judged] == ["NaN"] * 6
    assert "127.0.0.1:9" in judged[0]["metric_errors"]["llm-judge"]


def test_cancel_takes_effect_within_two_seconds(api: httpx.Client) -> None:
    with JudgeProcess(latency_ms=300) as judge:
        spec = {"dataset": rows(400), "params": {"parallelism": 4}, "metrics": [bundle(judge.url)]}
        submit(api, spec, "to-cancel")
        wait(api, "to-cancel", {"active"})
        started = time.monotonic()
        api.post("/apis/evaluator/v2/workspaces/default/evaluate/jobs/to-cancel/cancel").raise_for_status()
        assert wait(api, "to-cancel")["status"] == "cancelled"
        assert time.monotonic() - started < 2
        calls = judge.stats()["calls"]
    assert calls < 400


def test_pause_keeps_what_is_judged_and_resume_judges_only_the_rest(api: httpx.Client) -> None:
    with JudgeProcess(latency_ms=50) as judge:
        spec = {"dataset": rows(120), "params": {"parallelism": 4}, "metrics": [bundle(judge.url)]}
        submit(api, spec, "to-pause")
        wait(api, "to-pause", {"active"})
        api.post("/apis/jobs/v2/workspaces/default/jobs/to-pause/pause").raise_for_status()
        paused = wait(api, "to-pause", {"paused"})
        assert api.delete("/apis/jobs/v2/workspaces/default/jobs/to-pause").status_code == 409
        assert judge.stats()["calls"] == paused["status_details"]["samples_processed"], "calls in flight came home"
        api.post("/apis/jobs/v2/workspaces/default/jobs/to-pause/resume").raise_for_status()
        assert wait(api, "to-pause")["status"] == "completed"
        assert judge.stats()["calls"] == 120
    assert [row["row_index"] for row in scores(api, "to-pause")[1]] == list(range(120))


def test_a_target_model_answers_and_the_judge_rates_its_answers(api: httpx.Client) -> None:
    with JudgeProcess() as judge, JudgeProcess(api_key="target-key-1") as target:
        api.post(
            "/apis/secrets/v2/workspaces/default/secrets", json={"name": "target-key", "value": "target-key-1"}
        ).raise_for_status()
        prompt = {"messages": [{"role": "user", "content": "Rate 0-4.\n{{item.prompt}}\n{{sample.output_text}}"}]}
        spec = {
            "dataset": [{"prompt": f"What is {n} plus {n}?"} for n in range(10)],
            "target": {"url": f"{target.url}/chat/completions", "name": "answers", "api_key_secret": "target-key"},
            "prompt_template": {"messages": [{"role": "user", "content": "{{item.prompt}}"}]},
            "params": {"parallelism": 4, "request_timeout": 20},
            "metrics": [bundle(judge.url, prompt_template=prompt)],
        }
        submit(api, spec, "online")
        assert wait(api, "online")["status"] == "completed"
        assert (judge.stats()["calls"], target.stats()["calls"]) == (10, 10)
    aggregates, judged = scores(api, "online")
    assert aggregates[0]["count"] == 10
    assert all(row["sample"]["output_text"] and len(row["requests"]) == 2 for row in judged)
    assert "target-key-1" not in json.dumps(judged)
    gone = api.delete("/apis/secrets/v2/workspaces/default/secrets/target-key")
    assert gone.status_code == 409, "the job refers to the target's key"
