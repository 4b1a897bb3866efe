"""Every address and method of the platform, and what each asks of its caller: written down by hand, beside the code.

``$name`` stands for a value of a ``Place`` (`world.py`). A route whose address or body names one is asked of a
workspace; the others are asked once, and show nothing but what their caller sees.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from tests.accounts.world import COLUMN, ENDPOINT, NOWHERE, check_config, rows_target
from tests.rest import bundle


class Need(Enum):
    OPEN = auto()
    """Anybody, signed in or not."""
    KNOWN = auto()
    """Whoever is signed in, with any token."""
    READ = auto()
    WRITE = auto()
    MANAGE = auto()
    SOMEWHERE = auto()
    """Writing in some workspace, and looking at the one that is named, if one is."""
    LEADING = auto()
    """Managing some workspace, and looking at the one that is named, if one is."""
    FOUND = auto()
    """To make a workspace: writing, by a token that is not for one workspace only."""
    ADMINISTER = auto()
    MEASURE = auto()
    PERMIT = auto()
    """A signed permit in the address, which none of these has."""


OPEN, KNOWN, READ, WRITE, MANAGE, SOMEWHERE, LEADING, FOUND, ADMINISTER, MEASURE, PERMIT = Need


@dataclass(frozen=True)
class Route:
    method: str
    address: str
    need: Need
    body: Any = None
    """JSON; a text goes as it is."""
    form: dict[str, str] | None = None
    answers: tuple[int, ...] = ()
    """What those are told who may; nothing said: that it was done."""
    makes: bool = False
    """A workspace that is not there comes to be by it, so that a name that is taken shows in the refusal."""
    told: bool = False
    """Its form says what is refused, and comes again."""

    @property
    def page(self) -> bool:
        """Whether it is a page for people: of a session's holder, and no token's."""
        return self.address.startswith("/admin/")

    @property
    def hub(self) -> bool:
        return self.address.startswith("/v1/hf/")

    @property
    def placed(self) -> bool:
        return "$" in self.address or "$" in json.dumps([self.body, self.form]).replace("$like", "")

    def __str__(self) -> str:
        return f"{self.method} {self.address}"


METRIC = bundle(NOWHERE, model="m")
ROWS = [{"prompt": "p", "response": "r"}]
SPEC = {"metrics": [METRIC], "dataset": ROWS}
COMMIT = "\n".join(
    json.dumps(line)
    for line in (
        {"key": "header", "value": {"summary": "s", "description": ""}},
        {"key": "file", "value": {"path": "new.txt", "content": "bmV3", "encoding": "base64"}},
    )
)
V1 = {"config": check_config("x"), "target": rows_target("x")}
MISSING = "0" * 64

# Platform v2

ENTITIES = "/apis/entities/v2/workspaces"
SECRETS = "/apis/secrets/v2/workspaces"
FILES = "/apis/files/v2/workspaces"
EVALUATOR = "/apis/evaluator/v2/workspaces"
JOBS = "/apis/jobs/v2/workspaces"
FILESET = f"{FILES}/$ws/filesets/$fileset"
JOB = f"{JOBS}/$ws/jobs"
EVALUATION = f"{EVALUATOR}/$ws/evaluate/jobs"
NAMED = '?filter={"name":"$%s"}'
"""A list of everything, asked for one thing in it."""

V2 = [
    Route("GET", ENTITIES, READ),
    Route("GET", f"{ENTITIES}?sort=-name&page_size=1000", READ),
    Route("GET", f'{ENTITIES}?filter={{"name":"$ws"}}', READ),
    Route("GET", f'{ENTITIES}?filter={{"description":{{"$like":"%$tag%"}}}}', READ),
    Route("POST", ENTITIES, FOUND, {"name": "entirely-new"}),
    Route("GET", f"{ENTITIES}/$ws", READ),
    Route("PUT", f"{ENTITIES}/$ws", MANAGE, {"description": "new"}),
    Route("DELETE", f"{ENTITIES}/$ws", MANAGE, answers=(409,)),
    Route("DELETE", f"{ENTITIES}/$ws?cascade=true", MANAGE, answers=(409,)),
    Route("GET", f"{ENTITIES}/$ws/members", READ),
    Route("POST", f"{ENTITIES}/$ws/members", MANAGE, {"principal": "somebody", "roles": ["Viewer"]}),
    Route("PUT", f"{ENTITIES}/$ws/members/$member", MANAGE, {"roles": ["Editor"]}),
    Route("DELETE", f"{ENTITIES}/$ws/members/$member", MANAGE),
    Route("GET", f"{ENTITIES}/$ws/projects", READ),
    Route("GET", f"{ENTITIES}/-/projects", READ),
    Route("GET", f"{ENTITIES}/-/projects{NAMED % 'project'}", READ),
    Route("GET", f'{ENTITIES}/-/projects?filter={{"workspace":"$ws"}}', READ),
    Route("POST", f"{ENTITIES}/$ws/projects", WRITE, {"name": "new"}),
    Route("GET", f"{ENTITIES}/$ws/projects/$project", READ),
    Route("PUT", f"{ENTITIES}/$ws/projects/$project", WRITE, {"description": "new"}),
    Route("DELETE", f"{ENTITIES}/$ws/projects/$project", WRITE),
    Route("POST", "/apis/secrets/v2/rotate-encryption-keys", ADMINISTER),
    Route("GET", f"{SECRETS}/$ws/secrets", READ),
    Route("GET", f"{SECRETS}/-/secrets", READ),
    Route("POST", f"{SECRETS}/$ws/secrets", WRITE, {"name": "new", "value": "v"}),
    Route("GET", f"{SECRETS}/$ws/secrets/$secret", READ),
    Route("PATCH", f"{SECRETS}/$ws/secrets/$secret", WRITE, {"value": "new", "description": "new"}),
    Route("DELETE", f"{SECRETS}/$ws/secrets/$spare_secret", WRITE),
    Route("DELETE", f"{SECRETS}/$ws/secrets/$secret", WRITE, answers=(409,)),
    Route("GET", f"{SECRETS}/$ws/secrets/$secret/access", MANAGE),
    Route("GET", f"{FILES}/$ws/filesets", READ),
    Route("GET", f"{FILES}/-/filesets?page_size=100", READ),
    Route("GET", f"{FILES}/-/filesets{NAMED % 'fileset'}", READ),
    Route("GET", f'{FILES}/-/filesets?filter={{"workspace":"$ws"}}&sort=name', READ),
    Route("POST", f"{FILES}/$ws/filesets", WRITE, {"name": "new"}),
    Route("GET", FILESET, READ),
    Route("PATCH", FILESET, WRITE, {"description": "new"}),
    Route("DELETE", f"{FILES}/$ws/filesets/$spare", WRITE),
    Route("POST", f"{FILESET}/refresh", WRITE, answers=(409,)),
    Route("GET", f"{FILESET}/files", READ),
    Route("GET", f"{FILESET}/-/$file", READ),
    Route("HEAD", f"{FILESET}/-/$file", READ),
    Route("PUT", f"{FILESET}/-/new.txt", WRITE, "new"),
    Route("PUT", f"{FILESET}/-/$file", WRITE, "in its place"),
    Route("DELETE", f"{FILESET}/-/$file", WRITE),
    Route("GET", "/apis/evaluator/v1/healthz", READ),
    Route("GET", f"{EVALUATOR}/$ws/metrics", READ),
    Route("GET", f"{EVALUATOR}/-/metrics", READ),
    Route("GET", f"{EVALUATOR}/-/metrics{NAMED % 'metric'}", READ),
    Route("POST", f"{EVALUATOR}/$ws/metrics/new-one", WRITE, METRIC),
    Route("GET", f"{EVALUATOR}/$ws/metrics/$metric", READ),
    Route("DELETE", f"{EVALUATOR}/$ws/metrics/$metric", WRITE),
    Route("GET", f"{EVALUATOR}/$ws/eval-results", READ),
    Route("GET", f"{EVALUATOR}/-/eval-results?sort=name", READ),
    Route("GET", f'{EVALUATOR}/-/eval-results?filter={{"job_id":"$job"}}', READ),
    Route("GET", f"{EVALUATOR}/$ws/eval-results/$job", READ),
    Route("DELETE", f"{EVALUATOR}/$ws/eval-results/$job", WRITE),
    Route("GET", EVALUATION, READ),
    Route("GET", f"{EVALUATOR}/-/evaluate/jobs", READ),
    Route("GET", f"{EVALUATOR}/-/evaluate/jobs{NAMED % 'job'}", READ),
    Route("POST", EVALUATION, WRITE, {"name": "new", "spec": SPEC}),
    Route("GET", f"{EVALUATION}/$job", READ),
    Route("PATCH", f"{EVALUATION}/$waiting", WRITE, {"parallelism": 3}),
    Route("DELETE", f"{EVALUATION}/$job2", WRITE),
    Route("GET", f"{EVALUATION}/$job/status", READ),
    Route("GET", f"{EVALUATION}/$job/logs", READ),
    Route("GET", f"{EVALUATION}/$job/logs?follow=true", READ),
    Route("POST", f"{EVALUATION}/$waiting/cancel", WRITE),
    Route("POST", f"{EVALUATION}/$waiting/pause", WRITE),
    Route("POST", f"{EVALUATION}/$waiting/resume", WRITE),
    Route("POST", f"{EVALUATION}/$job/rerun-failed", WRITE, answers=(409,)),
    Route("GET", f"{EVALUATION}/$job/progress", READ),
    Route("GET", f"{EVALUATION}/$job/agreement?column={COLUMN}&resamples=0", READ),
    Route("GET", f"{EVALUATION}/$job/rows", READ),
    Route("GET", f"{EVALUATION}/$job/rows/1", READ),
    Route("GET", f"{EVALUATION}/$job/export?format=csv", READ),
    Route("GET", f"{EVALUATION}/$job/export", READ),
    Route("GET", f"{EVALUATION}/$job/results", READ),
    Route("GET", f"{EVALUATION}/$job/results/aggregate-scores", READ),
    Route("GET", f"{EVALUATION}/$job/results/row-scores/download", READ),
    Route("POST", f"{EVALUATOR}/$ws/comparisons", READ, {"jobs": ["$job", "$job2"], "resamples": 0}),
    Route("GET", "/apis/jobs/v2/execution-profiles", READ),
    Route("GET", JOB, READ),
    Route("GET", f"{JOBS}/-/jobs?sort=updated_at", READ),
    Route("GET", f'{JOBS}/-/jobs?filter={{"id":"$uid"}}', READ),
    Route("POST", JOB, WRITE, {}, answers=(403,)),
    Route("GET", f"{JOB}/$job", READ),
    Route("DELETE", f"{JOB}/$job2", WRITE),
    Route("GET", f"{JOB}/$job/status", READ),
    Route("GET", f"{JOB}/$job/logs?tail=5", READ),
    Route("POST", f"{JOB}/$waiting/cancel", WRITE),
    Route("POST", f"{JOB}/$waiting/pause", WRITE),
    Route("POST", f"{JOB}/$waiting/resume", WRITE),
    Route("GET", f"{JOB}/$job/results", READ),
    Route("GET", f"{JOB}/$job/results/artifacts", READ),
    Route("GET", f"{JOB}/$job/results/artifacts/download", READ),
    Route("GET", f"{JOB}/$job/steps", READ),
    Route("GET", f"{JOB}/$job/steps/evaluate", READ),
    Route("GET", f"{JOB}/$job/steps/evaluate/tasks", READ),
    Route("GET", f"{JOB}/$job/steps/evaluate/tasks/$task", READ),
]

# The Hub

HF = "/v1/hf"
ONE = {"name": "$fileset", "organization": "$ws", "type": "dataset"}
OBJECT = {"oid": "$large", "size": 13}
BELOW_API = [
    Route("GET", "", READ),
    Route("GET", "/revision/$branch", READ),
    Route("PUT", "/settings", WRITE, {"private": True}),
    Route("GET", "/auth-check", READ),
    Route("GET", "/auth-check/write", WRITE),
    Route("GET", "/refs", READ),
    Route("POST", "/branch/new", WRITE, {}),
    Route("DELETE", "/branch/$branch", WRITE),
    Route("POST", "/tag/main", WRITE, {"tag": "new"}),
    Route("DELETE", "/tag/$label", WRITE),
    Route("GET", "/commits/$oid", READ),
    Route("POST", "/super-squash/main", WRITE, {}),
    Route("POST", "/preupload/main", WRITE, {"files": [{"path": "a", "size": 3}]}),
    Route("POST", "/commit/main", WRITE, COMMIT),
    Route("GET", "/xet-write-token/main", READ, answers=(404,)),
    Route("POST", "/lfs-files/duplicate", WRITE, {"target": {"type": "dataset", "name": "$ws/$spare"}, "files": []}),
    Route("GET", "/tree/main?expand=true", READ),
    Route("POST", "/paths-info/main", READ, {"paths": ["$file"]}),
]
SHADOWED = ("/settings", "/auth-check", "/refs")
"""Below a repository whose workspace is left out these are taken for the repository's own name."""
ON_THE_WEB = [
    Route("POST", ".git/info/lfs/objects/batch", READ, {"operation": "download", "objects": [OBJECT]}),
    Route("POST", ".git/info/lfs/objects/batch", WRITE, {"operation": "upload", "objects": [OBJECT]}),
    Route("GET", "/resolve/main/$file", READ),
    Route("HEAD", "/resolve/main/$file", READ),
    Route("GET", "/raw/main/$file", READ),
]


def _each(before: str, routes: list[Route], repo: str = "$fileset") -> Iterator[Route]:
    """Yield the routes at a repository of a workspace, and where the workspace is left out: then it is the caller's."""
    for route in routes:
        yield replace(route, address=f"{HF}/{before}$ws/{repo}{route.address}")
        if route.address not in SHADOWED:
            yield _of_nobody(replace(route, address=f"{HF}/{before}{repo}{route.address}"))


def _of_nobody(route: Route) -> Route:
    """Return the route at a repository that its caller does not have."""
    whole = json.dumps([route.address, route.body])
    address, body = json.loads(re.sub(r"\$\w+", "nothing", whole))
    # Where it hangs on the repository what is needed, that one is looked for first.
    need = READ if route.method == "GET" or address.endswith("/batch") else route.need
    return replace(route, address=address, body=body, need=need, answers=(404,))


HUB = [
    Route("GET", f"{HF}/api/whoami-v2", KNOWN),
    Route("POST", f"{HF}/api/validate-yaml", KNOWN, {}),
    Route("POST", f"{HF}/api/repos/create", WRITE, {**ONE, "name": "new"}, makes=True),
    Route("DELETE", f"{HF}/api/repos/delete", WRITE, {**ONE, "name": "$spare"}),
    Route("POST", f"{HF}/api/repos/move", WRITE, {"fromRepo": "$ws/$spare", "toRepo": "$ws/new", "type": "dataset"}),
    Route("GET", f"{HF}/api/datasets", READ),
    Route("GET", f"{HF}/api/datasets?full=true&sort=createdAt&direction=1", READ),
    Route("GET", f"{HF}/api/datasets?author=$ws", READ),
    Route("GET", f"{HF}/api/models?search=$tag", READ),
    *_each("api/datasets/", BELOW_API),
    *_each("datasets/", ON_THE_WEB),
    Route("GET", f"{HF}/api/models/$ws/$model_repo", READ),
    *_each("", ON_THE_WEB, "$model_repo"),
    Route("PUT", f"{HF}/lfs/upload/$large?token=x", PERMIT, "large"),
    Route("POST", f"{HF}/lfs/upload/$large?token=x", PERMIT, {"oid": "$large", "parts": []}),
    Route("PUT", f"{HF}/lfs/upload/$large/1?token=x", PERMIT, "large"),
    Route("POST", f"{HF}/lfs/verify?token=x", PERMIT, OBJECT),
    Route("GET", f"{HF}/lfs/objects/$large?token=x", PERMIT),
    Route("GET", f"{HF}/api/nothing", READ, answers=(404,)),
    *(Route(method, f"{HF}/api/nothing", WRITE, answers=(404,)) for method in ("POST", "PUT", "PATCH", "DELETE")),
]  # fmt: skip

# Microservices v1

NS = {"namespace": "$ws"}
ABOUT = {"description": "new"}
CHECKED = {"name": "new", **NS, **check_config("x")}


def _entities(address: str, name: str, create: dict[str, Any], *, searches: str) -> list[Route]:
    one = f"{address}/$ws/${name}"
    return [
        Route("GET", address, READ),
        Route("GET", f"{address}?sort=-created_at&page_size=1000", READ),
        Route("GET", f"{address}?filter[namespace]=$ws", READ),
        Route("GET", f"{address}?search[{searches}]=$tag", READ),
        Route("POST", address, WRITE, {"name": "new", **NS, **create}, makes=True),
        Route("GET", one, READ),
        Route("PATCH", one, WRITE, ABOUT),
        Route("DELETE", one, WRITE),
    ]


V1_ROUTES = [
    Route("GET", "/v1/namespaces", READ),
    Route("GET", "/v1/namespaces?filter[namespace]=$ws", READ),
    Route("GET", "/v1/namespaces?search[description]=$tag", READ),
    Route("POST", "/v1/namespaces", FOUND, {"id": "entirely-new"}),
    Route("GET", "/v1/namespaces/$ws", READ),
    Route("PATCH", "/v1/namespaces/$ws", MANAGE, ABOUT),
    Route("DELETE", "/v1/namespaces/$ws", MANAGE, answers=(409,)),
    Route("GET", "/v1/datastore/namespaces", READ),
    Route("POST", "/v1/datastore/namespaces", FOUND, {"namespace": "entirely-new"}),
    Route("GET", "/v1/datastore/namespaces/$ws", READ),
    Route("DELETE", "/v1/datastore/namespaces/$ws", MANAGE, answers=(409,)),
    *_entities("/v1/projects", "project", {}, searches="description"),
    *_entities("/v1/datasets", "dataset", {"files_url": "hf://datasets/a/b"}, searches="files_url"),
    *_entities("/v1/models", "model", {"api_endpoint": ENDPOINT}, searches="api_endpoint"),
    *_entities("/v1/evaluation/targets", "target", rows_target("x"), searches="description"),
    *_entities("/v1/evaluation/configs", "config", check_config("x"), searches="custom_fields"),
    Route("GET", "/v1/evaluation/jobs?page_size=1000", READ),
    Route("GET", "/v1/evaluation/jobs?filter[namespace]=$ws", READ),
    Route("GET", "/v1/evaluation/jobs?search[target]=$tag", READ),
    Route("POST", "/v1/evaluation/jobs", WRITE, {**V1, **NS}, makes=True),
    Route("GET", "/v1/evaluation/jobs/$v1", READ),
    Route("DELETE", "/v1/evaluation/jobs/$v1", WRITE),
    Route("DELETE", "/v1/evaluation/jobs/$v1_waiting", WRITE),
    Route("GET", "/v1/evaluation/jobs/$v1/status", READ),
    Route("POST", "/v1/evaluation/jobs/$v1/cancel", WRITE, answers=(409,)),
    Route("POST", "/v1/evaluation/jobs/$v1_waiting/cancel", WRITE),
    Route("GET", "/v1/evaluation/jobs/$v1/results", READ),
    Route("GET", "/v1/evaluation/jobs/$v1/logs", READ),
    Route("GET", "/v1/evaluation/jobs/$v1/download-results", READ),
    Route("POST", "/v1/evaluation/live", WRITE, V1),
    Route("GET", "/v1/evaluation/results?page_size=1000", READ),
    Route("GET", "/v1/evaluation/results?filter[job_id]=$v1", READ),
    Route("GET", "/v1/evaluation/results?filter[job]=$tag-run", READ),
    Route("POST", "/v1/evaluation/results", WRITE, {"job": "new", **NS}, makes=True),
    Route("GET", "/v1/evaluation/results/$posted", READ),
    Route("PATCH", "/v1/evaluation/results/$posted", WRITE, ABOUT),
    Route("DELETE", "/v1/evaluation/results/$posted", WRITE),
    Route("GET", "/v1/evaluation/results/$v1_result", READ),
    Route("PATCH", "/v1/evaluation/results/$v1_result", WRITE, ABOUT),
    Route("DELETE", "/v1/evaluation/results/$v1_result", WRITE, answers=(409,)),
    Route("GET", "/v2/evaluation/jobs?page_size=1000", READ),
    Route("GET", "/v2/evaluation/jobs?filter[target][namespace]=default", READ),
    Route("POST", "/v2/evaluation/jobs", WRITE, {"spec": V1, **NS}, makes=True),
    Route("GET", "/v2/evaluation/jobs/$v2", READ),
    Route("DELETE", "/v2/evaluation/jobs/$v2", WRITE),
    Route("GET", "/v2/evaluation/jobs/$v2/status", READ),
    Route("POST", "/v2/evaluation/jobs/$v2_waiting/cancel", WRITE),
    Route("GET", "/v2/evaluation/jobs/$v2/logs", READ),
    Route("GET", "/v2/evaluation/jobs/$v2/results", READ),
    Route("GET", "/v2/evaluation/jobs/$v2/results/evaluation-results/download", READ),
    Route("GET", "/v2/evaluation/jobs/$v2/results/artifacts/download", READ),
]

# The rest

FRAME = [
    Route("GET", "/", OPEN),
    Route("GET", "/health/live", OPEN),
    Route("GET", "/health/ready", OPEN),
    Route("GET", "/status", OPEN),
    Route("GET", "/cluster-info", OPEN),
    Route("GET", "/metrics", MEASURE),
    Route("GET", "/openapi.json", KNOWN),
    Route("GET", "/docs", KNOWN),
]

API = [*V2, *HUB, *V1_ROUTES, *FRAME]
