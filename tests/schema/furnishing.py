"""One of everything on a running platform, by its own API: what generated requests may name half of the time."""

import time
from typing import Any

import httpx

from tests.rest import bundle

HOME = "team"
REPOSITORY = "org/rows"
"""On the hub."""
ENDED = ["judged", "again"]
"""Jobs whose logs end, so that who follows one comes to an end."""
SPARES = 6
"""So many of each kind there are to be deleted: nothing that other requests name is deleted by its name."""
ROWS = [{"prompt": f"What is {n} plus {n}?", "response": f"It is {2 * n}.", "helpfulness": n % 5} for n in range(4)]
HOMES = "/apis/entities/v2/workspaces"
SECRETS = f"/apis/secrets/v2/workspaces/{HOME}/secrets"
FILESETS = f"/apis/files/v2/workspaces/{HOME}/filesets"
EVALUATOR = f"/apis/evaluator/v2/workspaces/{HOME}"
JOBS = f"{EVALUATOR}/evaluate/jobs"
WITHIN_S = 60

Known = dict[str, list[str | int]]
"""Names and ids that exist, by the collection that they are in; those to be deleted under ``spare <collection>``."""

CHECK = {"type": "string-check", "params": {"check": ["{{item.prompt}}", "contains", "plus"]}}
CONFIG = {"type": "custom", "tasks": {"qa": {"type": "data", "metrics": {"m": CHECK}}}}
TARGET = {"type": "rows", "rows": ROWS}


class Unfurnished(Exception):
    """Something could not be made; carries what the platform said."""


def furnish(api: httpx.Client, judge_url: str, hub_url: str) -> Known:
    """Make what is missing, and return how everything is called. Raises Unfurnished."""
    return Furnisher(api, judge_url, hub_url).known()


class Furnisher:
    def __init__(self, api: httpx.Client, judge_url: str, hub_url: str) -> None:
        self.api = api
        self.metric = bundle(judge_url)
        self.on_hub = {"type": "huggingface", "repo_id": REPOSITORY, "repo_type": "dataset", "endpoint": hub_url}

    def known(self) -> Known:
        spares = [f"spare-{n}" for n in range(SPARES)]
        for name in (HOME, *spares):
            self.make(HOMES, {"name": name})
        for name in ("person", *spares):
            self.make(f"{HOMES}/{HOME}/members", {"principal": name, "roles": ["Viewer"]})
        for name in ("main", *spares):
            self.make(f"{HOMES}/{HOME}/projects", {"name": name})
            self.make(SECRETS, {"name": name, "value": "sk-1"})
            self.make(FILESETS, {"name": name})
            self.make(f"{EVALUATOR}/metrics/{name}", self.metric)
            self.make("/v1/datastore/namespaces", {"namespace": f"store-{name}"})
            self.make("/v1/namespaces", {"id": f"store-{name}"})
            for kind, body in self.definitions().items():
                self.make(kind, {"name": f"v1-{name}", "namespace": HOME, **body})
        self.make(FILESETS, {"name": "pinned", "storage": self.on_hub})
        lines = "".join(f'{{"prompt": "{row["prompt"]}", "helpfulness": {row["helpfulness"]}}}\n' for row in ROWS)
        for path in ("rows.jsonl", "folder/more.jsonl", *spares):
            self.put(f"{FILESETS}/main/-/{path}", lines)
        evaluations = [*ENDED, *spares]
        waiting = [f"waits-{n}" for n in range(SPARES)]
        for name in (*evaluations, *waiting):
            self.make(JOBS, {"name": name, "spec": {"dataset": ROWS, "metrics": [self.metric]}})
            if name in waiting:
                self.api.post(f"{JOBS}/{name}/pause")
        v1 = [self.v1_job() for _ in range(SPARES + 2)]
        self.wait([f"{JOBS}/{name}" for name in evaluations] + [f"/v1/evaluation/jobs/{uid}" for uid in v1])
        posted = [self.posted() for _ in range(SPARES + 1)]
        return {
            "workspaces": [HOME],
            "spare workspaces": spares,
            "members": ["person"],
            "spare members": spares,
            "projects": ["main"],
            "spare projects": spares,
            "secrets": ["main"],
            "spare secrets": spares,
            "filesets": ["main", "pinned", "job-fileset-judged"],
            "spare filesets": spares,
            "-": ["rows.jsonl", "folder/more.jsonl"],
            "spare -": spares,
            "metrics": ["main"],
            "spare metrics": spares,
            "jobs": [*ENDED],
            "waiting jobs": waiting,
            "spare jobs": spares,
            "eval-results": [*ENDED],
            "spare eval-results": spares,
            "results": ["aggregate-scores", "row-scores", "artifacts", "run-metadata", "evaluation-results"],
            "rows": [0, 1, 2, 3],
            "steps": ["evaluate"],
            "tasks": self.tasks(),
            "columns": ["helpfulness", "prompt"],
            "filters": ['name:"main"', '{"name":{"$like":"a"}}', "created_at>2026-01-01 AND -name:x"],
            "cursors": self.cursors(),
            "namespaces": [HOME, "store-main"],
            "spare namespaces": [f"store-{name}" for name in spares],
            **{f"v1 {kind.rpartition('/')[2]}": ["v1-main"] for kind in self.definitions()},
            **{f"spare v1 {kind.rpartition('/')[2]}": [f"v1-{name}" for name in spares] for kind in self.definitions()},
            "v1 references": [f"{HOME}/v1-main"],
            "v1 jobs": v1[:2],
            "spare v1 jobs": v1[2:],
            "v2 jobs": [uid.replace("eval-", "job-") for uid in v1[:2]],
            "spare v2 jobs": [uid.replace("eval-", "job-") for uid in v1[2:]],
            "v1 results": [posted[0], *(uid.replace("eval-", "evaluation_result-") for uid in v1[:2])],
            "spare v1 results": posted[1:],
        }

    def definitions(self) -> dict[str, dict[str, Any]]:
        endpoint = {"url": self.metric["payload"]["metric"]["model"]["url"], "model_id": "m"}
        return {
            "/v1/projects": {},
            "/v1/datasets": {"files_url": f"hf://datasets/{HOME}/main"},
            "/v1/models": {"api_endpoint": endpoint},
            "/v1/evaluation/targets": TARGET,
            "/v1/evaluation/configs": CONFIG,
        }

    def make(self, address: str, body: Any) -> httpx.Response:
        reply = self.api.post(address, json=body)
        if reply.status_code not in {200, 201, 409}:
            raise Unfurnished(f"POST {address}: {reply.status_code} {reply.text}")
        return reply

    def put(self, address: str, text: str) -> None:
        reply = self.api.put(address, content=text)
        if reply.status_code != 200:
            raise Unfurnished(f"PUT {address}: {reply.status_code} {reply.text}")

    def v1_job(self) -> str:
        body = {"config": CONFIG, "target": TARGET, "namespace": HOME}
        return str(self.make("/v1/evaluation/jobs", body).json()["id"])

    def posted(self) -> str:
        return str(self.make("/v1/evaluation/results", {"job": "elsewhere", "namespace": HOME}).json()["id"])

    def tasks(self) -> list[str | int]:
        found = self.api.get(f"/apis/jobs/v2/workspaces/{HOME}/jobs/judged/steps/evaluate/tasks").json()["data"]
        return [task["name"] for task in found]

    def cursors(self) -> list[str | int]:
        pages = [self.api.get(f"{JOBS}/judged/{part}", params={"limit": 1}).json() for part in ("logs", "rows")]
        return [page["next_page"] for page in pages if page["next_page"]]

    def wait(self, addresses: list[str]) -> None:
        deadline = time.monotonic() + WITHIN_S
        for address in addresses:
            while self.api.get(address).json().get("status") in {"created", "pending", "active", "running"}:
                if time.monotonic() > deadline:
                    raise Unfurnished(f"{address} does not end")
                time.sleep(0.1)
