"""Plain REST calls to a running platform, as tests of the composed system make them."""

import json
import time
from typing import Any

import httpx

TERMINAL = {"completed", "error", "cancelled"}


def rows(count: int) -> list[dict[str, Any]]:
    return [{"prompt": f"What is {n} plus {n}?", "response": f"It is {2 * n}."} for n in range(count)]


def bundle(judge_url: str, *, secret: str | None = None, model: str = "any", **also: Any) -> dict[str, Any]:
    metric = {
        "type": "llm-judge",
        "model": {"url": f"{judge_url}/chat/completions", "name": model, "api_key_secret": secret},
        "scores": [{"name": "helpfulness", "minimum": 0, "maximum": 4}],
        "prompt_template": {"messages": [{"role": "user", "content": "Rate 0-4.\n{{item.prompt}}\n{{item.response}}"}]},
        **also,
    }
    number = {"description": "Continuous numeric metric value.", "title": "ContinuousScore", "type": "number"}
    return {
        "bundle_kind": "metric-bundle",
        "bundle_format_version": "v1",
        "metric_type": "llm-judge",
        "metadata": {"description": None, "labels": {}},
        "outputs": [{"name": "helpfulness", "description": None, "value_json_schema": number}],
        "secrets": {secret.replace("-", "_"): secret} if secret else {},
        "payload": {"kind": "inline", "metric": metric},
    }


def submit(api: httpx.Client, spec: dict[str, Any], name: str) -> None:
    reply = api.post("/apis/evaluator/v2/workspaces/default/evaluate/jobs", json={"name": name, "spec": spec})
    assert reply.status_code == 201, reply.text


def status(api: httpx.Client, name: str) -> dict[str, Any]:
    return dict(api.get(f"/apis/evaluator/v2/workspaces/default/evaluate/jobs/{name}/status").raise_for_status().json())


def wait(api: httpx.Client, name: str, states: set[str] = TERMINAL, seconds: float = 60) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while (now := status(api, name))["status"] not in states:
        assert time.monotonic() < deadline, f"still {now}"
        time.sleep(0.05)
    return now


def scores(api: httpx.Client, name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    results = f"/apis/evaluator/v2/workspaces/default/evaluate/jobs/{name}/results"
    aggregates = api.get(f"{results}/aggregate-scores/download").raise_for_status().json()["scores"]
    lines = api.get(f"{results}/row-scores/download").raise_for_status().text.splitlines()
    return aggregates, [json.loads(line) for line in lines]
