"""What the steps of ``nemo-microservices`` share: the client, the requests it made, and what jobs are made of."""

import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import steps
from nemo_microservices import ConflictError, DefaultHttpxClient, NeMoMicroservices
from steps import expect, expect_equal, expect_refused

KEY = "compat-key-that-must-never-be-shown"
MASK = "******"
FINISHED_WITHIN_S = 60.0
ENDED = ("completed", "failed", "cancelled")


@dataclass
class Session:
    """One run by one client, in a namespace of its own."""

    base_url: str
    namespace: str
    judge_url: str
    rows: list[dict[str, Any]]
    folder: Path
    requests: list[httpx.Request] = field(default_factory=list)
    job: Any = None

    def __post_init__(self) -> None:
        # Strict: the client otherwise accepts any reply, however malformed.
        self.client = NeMoMicroservices(
            base_url=self.base_url,
            http_client=DefaultHttpxClient(event_hooks={"request": [self.requests.append]}),
            _strict_response_validation=True,
        )

    def judge_calls(self) -> int:
        return steps.judge_calls(self.judge_url)

    def settled_judge_calls(self) -> int:
        """The count once it no longer rises: calls under way when a job was stopped are counted too."""
        deadline, before = time.monotonic() + 10, -1
        while (now := self.judge_calls()) != before and time.monotonic() < deadline:
            before = now
            time.sleep(0.3)
        return now

    def refuse_twice(self, create: Callable[[], object]) -> str:
        """A second create is a conflict, and the client must not try it again on its own."""
        before = len(self.requests)
        said = expect_refused(409, create, ConflictError)
        expect_equal(len(self.requests) - before, 1, "requests for a conflict")
        return said

    def put_rows(self) -> str:
        """Put the rows into a new fileset through the platform's own API; returns their address as v1 writes it."""
        made = {"name": "rows", "purpose": "dataset"}
        filesets = f"{self.base_url}/apis/files/v2/workspaces/{self.namespace}/filesets"
        send("POST", filesets, json.dumps(made).encode(), "application/json")
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self.rows)
        send("PUT", f"{filesets}/rows/-/rows.jsonl", lines.encode(), "application/octet-stream")
        return f"hf://datasets/{self.namespace}/rows"

    def model(self, path: str = "/chat/completions") -> dict[str, Any]:
        endpoint = {"url": self.judge_url + path, "model_id": "made/up", "api_key": KEY, "format": "openai"}
        return {"api_endpoint": endpoint}

    def judge(self, prompt: str, parser: dict[str, Any]) -> dict[str, Any]:
        shown = "Prompt: {{item.prompt}}\nResponse: {{item.response}}\n\nRate this response."
        messages = [{"role": "system", "content": prompt}, {"role": "user", "content": shown}]
        scores = {"helpfulness": {"type": "int", "parser": parser}}
        params = {"model": self.model(), "template": {"messages": messages}, "scores": scores}
        return {"type": "llm-judge", "params": params}

    def slow_job(self) -> Any:
        """A job that would judge for some seconds, one row after the other."""
        rows = [self.rows[index % len(self.rows)] | {"index": index} for index in range(3000)]
        metric = self.judge("Rate from 0-4. End with RATING: n.", {"type": "regex", "pattern": r"RATING: (\d)"})
        config = {"type": "custom", "params": {"parallelism": 1}, "tasks": {"slow": {"type": "data"}}}
        config["tasks"]["slow"]["metrics"] = {"helpfulness": metric}
        job = self.client.evaluation.jobs.create(config=config, target={"type": "rows", "rows": rows})
        return self.wait(job.id, until=("running", *ENDED))

    def wait(self, job_id: str, until: tuple[str, ...] = ENDED) -> Any:
        """Poll the job as notebooks do; its progress may only rise."""
        deadline, progress = time.monotonic() + FINISHED_WITHIN_S, 0.0
        while (job := self.client.evaluation.jobs.retrieve(job_id)).status not in until:
            expect(time.monotonic() < deadline, f"job {job_id} is still {job.status}: {job.status_details}")
            now = (job.status_details and job.status_details.progress) or 0.0
            expect(now >= progress, f"progress fell from {progress} to {now}")
            progress = now
            time.sleep(0.1)
        return job


def send(method: str, url: str, body: bytes, kind: str) -> None:
    request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": kind})
    urllib.request.urlopen(request, timeout=10).close()


def shows_no_key(*replies: Any) -> None:
    """None of these holds the key: neither the replies read as models nor what else came with them."""
    for reply in replies:
        text = reply.to_json() if hasattr(reply, "to_json") else json.dumps(reply, default=str)
        expect(KEY not in text, f"a reply shows the API key: {type(reply).__name__}")
