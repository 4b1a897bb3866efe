"""The cells of the 2025 notebook in their order, against the composed platform, with plain requests."""

import base64
import json
import re
import time
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
from judge import JudgeProcess

from tests.platform_process import PlatformProcess

NAMESPACE = "custom-llm-as-a-judge-eval"
DATASET = "custom-llm-as-a-judge-eval-data"
FILES_URL = f"hf://datasets/{NAMESPACE}/{DATASET}"
TARGET_KEY, JUDGE_KEY = "nvapi-target-key-1", "sk-judge-key-2"
PROMPT = """
Rate from 0 to 4 how {quality} the summary is.
Explain yourself first, and end with a line "RATING: <number>".

Question: {{{{ item.content }}}}
Answer: {{{{ sample.output_text }}}}
"""


def judged_by(judge: JudgeProcess, quality: str) -> dict[str, Any]:
    params = {
        "model": {"api_endpoint": {"url": judge.url, "model_id": "judge-model", "api_key": JUDGE_KEY}},
        "template": {
            "messages": [
                {"role": "system", "content": "You are a judge."},
                {"role": "user", "content": PROMPT.format(quality=quality)},
            ]
        },
        "scores": {quality: {"type": "int", "parser": {"type": "regex", "pattern": r"RATING:\s*(\d+)"}}},
    }
    return {"type": "llm-judge", "params": params}


def evaluation(judge: JudgeProcess, target: JudgeProcess) -> dict[str, Any]:
    endpoint = {"url": f"{target.url}/chat/completions", "model_id": "target-model", "api_key": TARGET_KEY}
    task = {
        "type": "chat-completion",
        "params": {
            "template": {
                "messages": [{"role": "user", "content": "Summarise what was said:\n{{ item.content }}"}],
                "max_tokens": 200,
            }
        },
        "metrics": {quality: judged_by(judge, quality) for quality in ("completeness", "correctness")},
        "dataset": {"files_url": f"{FILES_URL}/", "limit": 25},
    }
    return {
        "namespace": NAMESPACE,
        "project": "custom-llm-as-a-judge-test",
        "target": {"type": "model", "model": {"api_endpoint": endpoint}},
        "config": {"type": "custom", "name": "summary_eval", "tasks": {"consult_summary_eval": task}},
    }


def wait_eval_job(api: httpx.Client, url: str, polling_interval: float) -> dict[str, Any]:
    """The notebook's own loop: ``progress`` is bound nowhere but in it, and only by these two words."""
    found = api.get(url).json()
    while found["status"] in {"pending", "created", "running"}:
        time.sleep(polling_interval)
        found = api.get(url).json()
        if found["status"] == "running":
            progress = found.get("status_details", {}).get("progress", 0)
        elif found["status"] == "completed":
            progress = 100
        print(f"Job status: {found['status']}, {progress}%")
    return found


def upload(api: httpx.Client, path: str, content: bytes) -> None:
    """Make a dataset repository and commit a file, as the Hub's client does."""
    created = api.post("/v1/hf/api/repos/create", json={"name": DATASET, "organization": NAMESPACE, "type": "dataset"})
    assert created.status_code in {200, 201}, created.text
    put = {"path": path, "content": base64.b64encode(content).decode(), "encoding": "base64"}
    lines = [{"key": "header", "value": {"summary": "Upload"}}, {"key": "file", "value": put}]
    committed = api.post(
        f"/v1/hf/api/datasets/{NAMESPACE}/{DATASET}/commit/main",
        content="\n".join(map(json.dumps, lines)),
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert committed.status_code == 200, committed.text


def test_the_cells_of_the_notebook_in_their_order(
    api: httpx.Client, platform: PlatformProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    assert api.post("/v1/namespaces", json={"id": NAMESPACE}).status_code == 200
    assert api.post("/v1/datastore/namespaces", data={"namespace": NAMESPACE}).status_code == 201
    assert api.get(f"/v1/namespaces/{NAMESPACE}").json()["id"] == NAMESPACE
    assert api.get(f"/v1/datastore/namespaces/{NAMESPACE}").json()["namespace"] == NAMESPACE
    again = [
        api.post("/v1/namespaces", json={"id": NAMESPACE}).status_code,
        api.post("/v1/datastore/namespaces", data={"namespace": NAMESPACE}).status_code,
    ]
    assert again == [409, 409]

    lines = (json.dumps({"ID": f"{n}", "content": f"Patient {n} has had a cough for {n} days."}) for n in range(60))
    upload(api, "doctor_consults.jsonl", "\n".join(lines).encode())
    about = {"name": DATASET, "namespace": NAMESPACE, "description": "LLM As a Judge Test"}
    registered = api.post("/v1/datasets", json={**about, "files_url": FILES_URL, "project": "p"})
    assert registered.status_code in {200, 201}, registered.text
    assert api.get(f"/v1/datasets/{NAMESPACE}/{DATASET}").json()["files_url"] == FILES_URL

    # Slow enough for the loop to see it on its way.
    with (
        JudgeProcess(api_key=JUDGE_KEY, latency_ms=60) as judge,
        JudgeProcess(api_key=TARGET_KEY, prose_every=1) as target,
    ):
        made = api.post("/v1/evaluation/jobs", json=evaluation(judge, target))
        assert made.status_code == 200, made.text
        job = made.json()
        assert job["status_details"] == {"message": None, "task_status": {}, "progress": None}
        url = f"/v1/evaluation/jobs/{job['id']}"
        assert api.get(f"{url}/status").json()["progress"] == 0.0
        began = time.monotonic()
        while (seen := api.get(url).json())["status"] == "created":
            assert time.monotonic() - began < 2, "an idle worker takes a job up well before the loop's first look"
        assert seen["status"] == "running"
        ended = wait_eval_job(api, url, 0.1)
        assert (judge.stats()["calls"], target.stats()["calls"]) == (50, 25)
    printed = capsys.readouterr().out.splitlines()
    said = [float(line.split()[-1].removesuffix("%")) for line in printed]
    assert said == sorted(said)
    assert said[-1] == 100
    assert len(set(said)) > 2
    assert all(progress % 4 == 0 for progress in said), "25 samples are steps of four percent"
    assert ended["status"] == "completed"
    details = {"task_status": {"consult_summary_eval": "completed"}, "progress": 100.0, "samples_processed": 25}
    assert ended["status_details"] == {"message": "Job completed successfully.", **details}
    assert ended["output_files_url"] == f"hf://datasets/evaluation-results/{job['id']}"
    assert ended["config"]["tasks"]["consult_summary_eval"]["dataset"]["limit"] == 25

    result = api.get(f"{url}/results").json()
    assert result["id"] == ended["result"]
    assert result["job"] == job["id"]
    metrics = result["tasks"]["consult_summary_eval"]["metrics"]
    assert set(metrics) == {"completeness", "correctness"}
    for name, metric in metrics.items():
        score = metric["scores"][name]
        assert set(score["stats"]) == {"count", "sum", "mean"}
        assert score["stats"]["count"] == 25
        assert score["value"] == score["stats"]["mean"] == pytest.approx(score["stats"]["sum"] / 25)
        assert isinstance(score["stats"]["sum"], float)
    _look_into_the_archive(api, job["id"], result)
    _look_for_keys(api, platform, job["id"])


def _look_into_the_archive(api: httpx.Client, job: str, result: dict[str, Any]) -> None:
    reply = api.get(f"/v1/evaluation/jobs/{job}/download-results", headers={"Accept": "application/zip"})
    assert reply.headers["content-type"] == "application/zip"
    assert f'"{job}.zip"' in reply.headers["content-disposition"]
    archive = ZipFile(BytesIO(reply.content))
    assert archive.testzip() is None
    samples = "consult_summary_eval/samples.jsonl"
    assert set(archive.namelist()) == {"config.json", "target.json", "results.json", "logs.txt", samples}
    assert json.loads(archive.read("results.json"))["tasks"] == result["tasks"]
    rows = [json.loads(line) for line in archive.read(samples).splitlines()]
    assert [row["index"] for row in rows] == list(range(25))
    first = rows[0]
    assert first["item"] == {"ID": "0", "content": "Patient 0 has had a cough for 0 days."}
    assert first["request"]["max_tokens"] == 200
    assert first["output_text"] == first["response"]["choices"][0]["message"]["content"]
    for name in ("completeness", "correctness"):
        asked = first["metrics"][name]["judge_request"]
        wanted = PROMPT.format(quality=name).replace("{{ item.content }}", first["item"]["content"])
        assert asked["messages"][1]["content"] == wanted.replace("{{ sample.output_text }}", first["output_text"])
        assert asked["max_tokens"] == 1024
        assert f"RATING: {first['metrics'][name]['scores'][name]:g}" in first["metrics"][name]["judge_output"]
    tree = api.get(f"/v1/hf/api/datasets/evaluation-results/{job}/tree/main?recursive=true").json()
    assert set(archive.namelist()) <= {entry["path"] for entry in tree}
    published = api.get(f"/v1/hf/datasets/evaluation-results/{job}/resolve/main/{samples}", follow_redirects=True)
    assert published.content == archive.read(samples)


def _look_for_keys(api: httpx.Client, platform: PlatformProcess, job: str) -> None:
    places = [f"/v1/evaluation/jobs/{job}{end}" for end in ("", "/status", "/results", "/logs")]
    places += ["/v1/evaluation/jobs", "/v1/evaluation/results", f"/v2/evaluation/jobs/{job.replace('eval-', 'job-')}"]
    places += [f"/apis/jobs/v2/workspaces/{NAMESPACE}/jobs/{job}"]
    newest = max(map(int, re.findall(r"/admin/tables/jobs/job/(\d+)/change/", api.get("/admin/tables/jobs/job/").text)))
    places += ["/admin/tables/jobs/job/", f"/admin/tables/jobs/job/{newest}/change/"]
    assert job in api.get(places[-1]).text
    for place in places:
        reply = api.get(place)
        assert reply.status_code == 200, place
        assert TARGET_KEY not in reply.text
        assert JUDGE_KEY not in reply.text
    assert api.get(places[0]).json()["target"]["model"]["api_endpoint"]["api_key"] == "******"
    for path in [platform.log, *Path(platform.data_dir).rglob("*")]:
        if path.is_file() and path.stat().st_size:
            content = path.read_bytes()
            assert TARGET_KEY.encode() not in content, path
            assert JUDGE_KEY.encode() not in content, path


def test_a_reply_without_a_rating_is_left_out_of_the_mean(api: httpx.Client) -> None:
    """Continues the notebook: its data are there."""
    with (
        JudgeProcess(api_key=JUDGE_KEY, prose_every=25) as judge,
        JudgeProcess(api_key=TARGET_KEY, prose_every=1) as target,
    ):
        body = evaluation(judge, target)
        task = body["config"]["tasks"]["consult_summary_eval"]
        del task["metrics"]["correctness"]
        job = api.post("/v1/evaluation/jobs", json=body).json()
        ended = wait_over(api, job["id"])
        assert judge.stats()["calls"] == 25, "a row is asked about once, also one whose reply cannot be read"
    assert ended["status"] == "completed"
    score = api.get(f"/v1/evaluation/jobs/{job['id']}/results").json()["tasks"]["consult_summary_eval"]["metrics"]
    stats = score["completeness"]["scores"]["completeness"]["stats"]
    assert (stats["count"], stats["nan_count"]) == (24, 1)
    assert stats["mean"] == pytest.approx(stats["sum"] / 24)


def wait_over(api: httpx.Client, job: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while (found := api.get(f"/v1/evaluation/jobs/{job}").json())["status"] not in {"completed", "failed", "cancelled"}:
        assert time.monotonic() < deadline, found["status_details"]
        time.sleep(0.03)
    return dict(found)
