"""Makes a data folder with one of everything, by the code that it stands beside: ``python -m tests.upgrade.make OUT``.

Run on the last landed code, it makes what `test_upgrade.py` migrates: ``landed.tar.gz``.
"""

import base64
import json
import shutil
import sqlite3
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from tests.judge import JudgeProcess
from tests.platform_process import PlatformProcess

JUDGE_PORT = 28431
"""A job keeps the address of its judge; the one that is paused goes on after the upgrade."""
ROWS = 60
PAUSED_ROWS = 900
SECRET = "landed-secret-value"


def judge_of(url: str, secret: str = "judge-key") -> dict[str, Any]:
    return {
        "type": "llm-judge",
        "model": {"url": f"{url}/chat/completions", "name": "assay-stand-in-judge", "api_key_secret": secret},
        "scores": [
            {
                "name": "helpfulness", "minimum": 0, "maximum": 4,
                "parser": {"type": "json", "json_path": "helpfulness"},
            }
        ],
        "prompt_template": {"messages": [{"role": "user", "content": "Rate from 0 to 4.\n{{item.response}}"}]},
    }  # fmt: skip


def wait(client: httpx.Client, job: str, *states: str) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        state = str(client.get(f"/apis/jobs/v2/workspaces/landed/jobs/{job}").json()["status"])
        if state in states:
            return state
        time.sleep(0.05)
    raise AssertionError(f"{job} is still {state}")


def submit(client: httpx.Client, name: str, fragment: str, judge_url: str, parallelism: int) -> None:
    spec = {
        "metric": judge_of(judge_url), "dataset": f"landed/data#{fragment}", "params": {"parallelism": parallelism},
    }  # fmt: skip
    made = client.post("/apis/evaluator/v2/workspaces/landed/evaluate/jobs", json={"name": name, "spec": spec})
    assert made.status_code == 201, made.text


def fill(client: httpx.Client, judge_url: str) -> None:
    def ok(reply: httpx.Response) -> Any:
        assert reply.is_success, f"{reply.request.url}: {reply.text}"
        return reply.json() if reply.content else None

    entities, files = "/apis/entities/v2/workspaces", "/apis/files/v2/workspaces/landed/filesets"
    ok(client.post(entities, json={"name": "landed", "description": "as the last release left it"}))
    ok(client.post(f"{entities}/landed/members", json={"principal": "ann", "roles": ["Editor"]}))
    ok(client.post(f"{entities}/landed/projects", json={"name": "p-one"}))
    ok(client.post("/apis/secrets/v2/workspaces/landed/secrets", json={"name": "judge-key", "value": SECRET}))
    ok(client.post(files, json={"name": "data", "purpose": "dataset"}))
    for name, rows in (("few.jsonl", ROWS), ("many.jsonl", PAUSED_ROWS)):
        lines = "".join(json.dumps({"response": f"answer {row}", "rating": row % 5}) + "\n" for row in range(rows))
        ok(client.put(f"{files}/data/-/{name}", content=lines.encode()))
    bundle = {
        "metric_type": "llm-judge", "payload": {"kind": "inline", "metric": judge_of(judge_url)}, "metadata": {},
        "outputs": [{"name": "helpfulness", "value_json_schema": {"type": "number"}}],
    }  # fmt: skip
    ok(client.post("/apis/evaluator/v2/workspaces/landed/metrics/kept", json=bundle))

    ok(client.post("/v1/hf/api/repos/create", json={"type": "dataset", "name": "repo", "organization": "landed"}))
    for number in range(2):
        content = base64.b64encode(f"text {number}".encode()).decode()
        lines = [
            {"key": "header", "value": {"summary": f"commit {number}"}},
            {"key": "file", "value": {"path": "a.txt", "content": content, "encoding": "base64"}},
        ]
        body = "\n".join(json.dumps(line) for line in lines)
        headers = {"Content-Type": "application/x-ndjson"}
        ok(client.post("/v1/hf/api/datasets/landed/repo/commit/main", content=body, headers=headers))
    ok(client.post("/v1/hf/api/datasets/landed/repo/tag/main", json={"tag": "v1"}))
    ok(client.post("/v1/hf/api/datasets/landed/repo/branch/side", json={}))
    model = {"api_endpoint": {"url": judge_url, "model_id": "m", "api_key": "landed-inline-key"}}
    ok(
        client.post(
            "/v1/evaluation/targets", json={"type": "model", "name": "t", "namespace": "landed", "model": model}
        )
    )
    ok(client.post("/v1/evaluation/results", json={"job": "elsewhere", "namespace": "landed", "tasks": {}}))

    submit(client, "done", "few.jsonl", judge_url, 8)
    wait(client, "done", "completed")
    submit(client, "halfway", "many.jsonl", judge_url, 4)
    deadline = time.monotonic() + 30
    while (
        client.get("/apis/evaluator/v2/workspaces/landed/evaluate/jobs/halfway/progress").json().get("rows_done", 0)
        < 50
    ):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    ok(client.post("/apis/evaluator/v2/workspaces/landed/evaluate/jobs/halfway/pause"))
    wait(client, "halfway", "paused")


def main(out: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch, "data")
        with (
            JudgeProcess(port=JUDGE_PORT, latency_ms=20, api_key=SECRET) as judge,
            PlatformProcess(data) as platform,
            httpx.Client(base_url=platform.url, timeout=30) as client,
        ):
            fill(client, judge.url)
        database = sqlite3.connect(data / "assay.sqlite3")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("PRAGMA journal_mode=DELETE")
        database.execute("VACUUM")
        database.close()
        for passing in ("broker", "static", "metrics", "pace"):
            shutil.rmtree(data / passing, ignore_errors=True)
        with tarfile.open(out, "w:gz") as archive:
            archive.add(data, arcname="data")
        print(sorted(str(path.relative_to(data)) for path in data.iterdir()), out.stat().st_size, "bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
