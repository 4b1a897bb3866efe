"""The seed notebook's cells, in order: plain ``requests``, and ``huggingface_hub`` 0.30 with an empty token.

``HF_ENDPOINT`` is not set, as it was not there. Beside what the notebook looks at itself, the steps look for what its
reader was promised: the number of calls, the key in no reply, the artefacts where the job says they are.
Exit status 0 only if no step failed; ``steps.py`` says what it prints.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from huggingface_hub import HfApi
from steps import Step, arguments, expect, expect_equal, judge_calls, take

KEY = "compat-key-that-must-never-be-shown"
ROWS, LIMIT = 30, 25
PROJECT = "a-project-nobody-made"
METRICS = ("completeness", "correctness")
POLL_S = 5


@dataclass
class Reader:
    """What the notebook's variables hold."""

    url: str  # NEMO_URL and NDS_URL: one platform serves both
    judge_url: str
    namespace: str
    folder: Path
    seen: list[str] = field(default_factory=list)
    job: dict[str, Any] = field(default_factory=dict)
    calls: int = 0

    def __post_init__(self) -> None:
        self.http = requests.Session()
        self.http.hooks["response"].append(lambda reply, **_: self.seen.append(reply.text))
        self.repo = f"{self.namespace}/custom-data"
        self.hub = HfApi(endpoint=f"{self.url}/v1/hf", token="")

    @property
    def job_url(self) -> str:
        return f"{self.url}/v1/evaluation/jobs/{self.job['id']}"


def create_namespaces(reader: Reader) -> None:
    """Both stores; run again, as readers do, each says that it is there already."""
    entity, data = f"{reader.url}/v1/namespaces", f"{reader.url}/v1/datastore/namespaces"
    for wanted in ((200, 201), (409, 409)):
        made = reader.http.post(entity, json={"id": reader.namespace})
        kept = reader.http.post(data, data={"namespace": reader.namespace})
        expect_equal((made.status_code, kept.status_code), wanted, "namespaces created")
    expect_equal(reader.http.get(f"{entity}/{reader.namespace}").json()["id"], reader.namespace, "namespace")
    kept = reader.http.get(f"{data}/{reader.namespace}")
    expect_equal((kept.status_code, kept.json()["namespace"]), (200, reader.namespace), "namespace of the data store")


def upload_dataset(reader: Reader) -> dict[str, Any]:
    """The cell is run twice, too: the second upload changes nothing and must not fail."""
    expect("HF_ENDPOINT" not in os.environ, "HF_ENDPOINT is set")
    rows = [{"ID": f"C{index:03}", "content": consult(index), "summary": summary(index)} for index in range(ROWS)]
    local = reader.folder / "custom_data.jsonl"
    local.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    url = reader.hub.create_repo(reader.repo, repo_type="dataset")
    expect_equal(str(url), f"datasets/{reader.repo}", "URL of the repository")
    send = {"path_or_fileobj": str(local), "path_in_repo": "custom_data.jsonl"}
    made = [reader.hub.upload_file(**send, repo_id=reader.repo, repo_type="dataset") for _ in range(2)]
    expect(len(made[0].oid) == 40 and made[0].oid == made[1].oid, f"commits: {[one.oid for one in made]}")
    return {"commit": str(made[0])}


def register_dataset(reader: Reader) -> None:
    body = {"name": "custom-data", "namespace": reader.namespace, "description": "LLM as a judge", "project": PROJECT}
    body["files_url"] = f"hf://datasets/{reader.repo}"
    made = reader.http.post(f"{reader.url}/v1/datasets", json=body)
    expect(made.status_code in (200, 201), f"dataset created: {made.status_code} {made.text}")
    found = reader.http.get(f"{reader.url}/v1/datasets/{reader.repo}")
    expect_equal(found.json()["files_url"], body["files_url"], "URL of the dataset")
    expect_equal(found.json()["project"], PROJECT, "project of the dataset")


def create_job(reader: Reader) -> dict[str, Any]:
    endpoint = {"url": f"{reader.judge_url}/chat/completions", "model_id": "made/up", "api_key": KEY}
    # In JSON, for the stand-in would end any other answer with a rating, and a judge must not be led by the row.
    ask = 'Summarise this consult in a few words. Respond with JSON only: {"summary": "<text>"}'
    messages = [{"role": "system", "content": ask}, {"role": "user", "content": "\nFull consult: {{item.content}}\n"}]
    task: dict[str, Any] = {"type": "chat-completion", "metrics": {}}
    task["params"] = {"template": {"messages": messages, "max_tokens": 200}}
    task["dataset"] = {"files_url": f"hf://datasets/{reader.repo}/", "limit": LIMIT}
    for metric in METRICS:
        shown = "\nPrompt: {{item.content}}\nResponse: {{ sample.output_text | trim }}\n"
        judge = [{"role": "system", "content": f"Rate the {metric} of the summary from 1 to 5. End with RATING: n."}]
        judge.append({"role": "user", "content": shown})
        scores = {metric: {"type": "int", "parser": {"type": "regex", "pattern": r"RATING:\s*(\d)"}}}
        params = {"model": {"api_endpoint": endpoint}, "template": {"messages": judge}, "scores": scores}
        task["metrics"][metric] = {"type": "llm-judge", "params": params}
    config = {"type": "custom", "name": f"{reader.namespace}-summaries", "tasks": {"consult_summary_eval": task}}
    target = {"type": "model", "model": {"api_endpoint": endpoint}}
    reader.calls = judge_calls(reader.judge_url)
    made = reader.http.post(f"{reader.url}/v1/evaluation/jobs", json={"config": config, "target": target})
    expect(made.status_code in (200, 201), f"job created: {made.status_code} {made.text}")
    reader.job = made.json()
    expect(reader.job["id"].startswith("eval-"), f"id of the job: {reader.job['id']}")
    expect_equal(reader.job["status"], "created", "status of a new job")
    kept = reader.job["config"]["tasks"]["consult_summary_eval"]
    expect_equal(kept["params"], task["params"], "template as it was sent")
    expect_equal(reader.job["target"]["model"]["api_endpoint"]["api_key"], "******", "key of the target")
    return {"job": reader.job["id"]}


def wait_as_the_notebook_does(reader: Reader) -> dict[str, Any]:
    """Its helper leaves ``progress`` unbound unless a poll has seen the job running or completed by then."""
    began, told = time.monotonic(), []
    status = reader.http.get(reader.job_url).json()["status"]
    while status in ("created", "pending", "running"):
        time.sleep(POLL_S)
        job = reader.http.get(reader.job_url).json()
        status = job["status"]
        if status == "running":
            progress = job["status_details"].get("progress", 0)
        elif status == "completed":
            progress = 100
        told.append(f"{status} after {time.monotonic() - began:.0f} s: {progress}%")
        expect(time.monotonic() - began < 90, f"the job does not end: {told}")
    job = reader.http.get(reader.job_url).json()
    expect_equal(status, "completed", f"end of the job ({job['status_details']})")
    expect_equal(job["status_details"]["progress"], 100.0, "progress in the end")
    expect_equal(job["status_details"]["message"], "Job completed successfully.", "message in the end")
    reader.job = job
    calls = judge_calls(reader.judge_url) - reader.calls
    expect_equal(calls, LIMIT * (1 + len(METRICS)), "calls for the rows, to the target and to both judges")
    return {"told": told, "judge_calls": calls}


def read_results(reader: Reader) -> dict[str, Any]:
    result = reader.http.get(f"{reader.job_url}/results").json()
    expect_equal((result["job"], result["id"]), (reader.job["id"], reader.job["result"]), "result of the job")
    metrics = result["tasks"]["consult_summary_eval"]["metrics"]
    expect_equal(set(metrics), set(METRICS), "metrics")
    for name, metric in metrics.items():
        score = metric["scores"][name]
        expect_equal(set(score["stats"]), {"count", "sum", "mean"}, "statistics")
        count, total = score["stats"]["count"], score["stats"]["sum"]
        expect_equal((count, score["value"], score["stats"]["mean"]), (LIMIT, total / LIMIT, total / LIMIT), name)
        expect(1 <= score["value"] <= 5 and isinstance(total, float), f"{name}: {score}")
    return {name: metric["scores"][name]["value"] for name, metric in metrics.items()}


def watch_progress(reader: Reader) -> dict[str, Any]:
    """The same job again, watched closely: progress rises in steps of one row, and ``/status`` is a number at once."""
    before = judge_calls(reader.judge_url)
    again = {side: {"type": reader.job[side]["type"]} for side in ("config", "target")}
    again["config"]["tasks"] = reader.job["config"]["tasks"]
    again["target"]["model"] = reader.job["target"]["model"]
    restore_keys(again)
    job = reader.http.post(f"{reader.url}/v1/evaluation/jobs", json=again).json()
    url, seen, deadline = f"{reader.url}/v1/evaluation/jobs/{job['id']}", [], time.monotonic() + 60
    status = {"progress": reader.http.get(f"{url}/status").json()["progress"]}
    while status["progress"] < 100 and time.monotonic() < deadline:
        seen.append(status["progress"])
        time.sleep(0.05)
        status = reader.http.get(f"{url}/status").json()
    expect_equal(status["progress"], 100.0, "progress in the end")
    expect(seen == sorted(seen) and all(one % 4.0 == 0 for one in seen), f"progress: {seen}")
    while reader.http.get(url).json()["status"] == "running" and time.monotonic() < deadline:
        time.sleep(0.05)
    expect_equal(reader.http.delete(url).status_code, 204, "status of a delete")
    return {"progress": sorted(set(seen)), "judge_calls": judge_calls(reader.judge_url) - before}


def restore_keys(body: Any) -> None:
    """What the platform masked, as the notebook's variables still hold it."""
    for one in list(body.values()) if isinstance(body, dict) else body if isinstance(body, list) else []:
        if isinstance(one, dict) and one.get("api_key"):
            one["api_key"] = KEY
        restore_keys(one)


def find_artefacts(reader: Reader) -> dict[str, Any]:
    """The job's address of its artefacts holds, on the same Hub."""
    repo = reader.job["output_files_url"].removeprefix("hf://datasets/")
    expect_equal(repo, f"evaluation-results/{reader.job['id']}", "repository of the artefacts")
    local = Path(reader.hub.snapshot_download(repo, repo_type="dataset", local_dir=reader.folder / "artefacts"))
    files = {path.relative_to(local).as_posix(): path.read_bytes() for path in local.rglob("*") if path.is_file()}
    files = {path: content for path, content in files.items() if not path.startswith(".cache")}
    samples = files["consult_summary_eval/samples.jsonl"].splitlines()
    expect_equal(len(samples), LIMIT, "samples")
    expect(all(KEY.encode() not in content for content in files.values()), "an artefact shows the API key")
    return {"files": sorted(files)}


def look_for_the_key(reader: Reader) -> dict[str, Any]:
    for path in ("", "/results", "/status", "/logs", "/download-results"):
        reader.http.get(reader.job_url + path)
    reader.http.get(f"{reader.url}/v1/evaluation/jobs")
    expect(all(KEY not in text for text in reader.seen), "a reply shows the API key")
    return {"replies": len(reader.seen)}


def consult(index: int) -> str:
    return f"Patient {index} reports {index % 5 + 1} days of a cough. Advised {index % 3 + 1} litres of water a day."


def summary(index: int) -> str:
    return f"Cough for {index % 5 + 1} days; drink {index % 3 + 1} litres."


def plan() -> Iterator[tuple[Step, tuple[Step, ...]]]:
    """The cells, each with those it cannot do without."""
    yield create_namespaces, ()
    yield upload_dataset, (create_namespaces,)
    yield register_dataset, (upload_dataset,)
    yield create_job, (register_dataset,)
    yield wait_as_the_notebook_does, (create_job,)
    for look in (read_results, watch_progress, find_artefacts, look_for_the_key):
        yield look, (wait_as_the_notebook_does,)


def main() -> int:
    asked = arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(asked.base_url, asked.judge_url, asked.workspace, Path(folder))
        return take(plan(), reader, secret=KEY)


if __name__ == "__main__":
    sys.exit(main())
