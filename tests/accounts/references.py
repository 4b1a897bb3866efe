"""What a request may name of another workspace from within one's own: written down by hand, as `routes.py` is.

``$far_name`` stands for a value of that other workspace. To who does not see it, all of it is as if it were not there.
"""

import json
from typing import Any

from tests.accounts.pages import JUDGE
from tests.accounts.routes import EVALUATION, EVALUATOR, FILES, HF, METRIC, ROWS, V1, WRITE, Route
from tests.accounts.world import ENDPOINT, NOWHERE, check_config, rows_target
from tests.rest import bundle

FAR_SECRET = bundle(NOWHERE, secret="$far_ws/$far_secret", model="m")
FAR_URL = "hf://datasets/$far_ws/$far_fileset"
REPO = f"{HF}/api/datasets/$ws/$fileset"


def _job(**spec: Any) -> Route:
    return Route("POST", EVALUATION, WRITE, {"name": "new", "spec": {"metrics": [METRIC], "dataset": ROWS, **spec}})


def _v1_job(**body: Any) -> Route:
    return Route("POST", "/v1/evaluation/jobs", WRITE, {"namespace": "$ws", **V1, **body})


def _asking(target: Any, dataset: Any) -> dict[str, Any]:
    """Return the body of a v1 job whose task asks a model about a dataset."""
    config = check_config("x")
    config["tasks"]["qa"] |= {"type": "chat-completion", "dataset": dataset, "params": {"template": "{{ item.q }}"}}
    return {"config": config, "target": {"type": "model", "model": target}}


def _live(data: str) -> Route:
    dataset = {"files_url": data} if data.startswith("hf://") else data
    target = {"type": "dataset", "dataset": dataset}
    return Route("POST", "/v1/evaluation/live", WRITE, {"config": check_config("x"), "target": target})


def _commit(line: dict[str, Any]) -> Route:
    header = {"key": "header", "value": {"summary": "s", "description": ""}}
    return Route("POST", f"{REPO}/commit/main", WRITE, "\n".join(map(json.dumps, (header, line))))


def _page(address: str, **form: str) -> Route:
    return Route("POST", address, WRITE, form={**JUDGE, **form})


def _at(address: str, body: Any) -> Route:
    return Route("POST", address, WRITE, body)


HUB_STORAGE = {"type": "huggingface", "repo_id": "a/b", "endpoint": NOWHERE, "token_secret": "$far_ws/$far_secret"}
FROM_HUB = {
    "workspace": "$ws",
    "name": "new",
    **{name: HUB_STORAGE[name] for name in ("repo_id", "endpoint", "token_secret")},
}
TO_SPARE = {"target": {"type": "dataset", "name": "$ws/$spare"}, "files": [{"sha256": "$far_large"}]}
TO_FAR = {"target": {"type": "dataset", "name": "$far_ws/$far_spare"}, "files": [{"sha256": "$large"}]}
LARGE = {"operation": "download", "objects": [{"oid": "$far_large", "size": 13}]}
FAR_ROWS = {"fileset": "$far_ws/$far_fileset", "file": "$far_file"}
KEPT = "is for those who may change workspace"
"""What is said of a secret of a workspace that one may only read."""

USES = [
    _job(metrics=[FAR_SECRET]),
    _job(
        target={"url": NOWHERE, "name": "m", "api_key_secret": "$far_ws/$far_secret"},
        prompt_template="{{ item.prompt }}",
    ),
    _at(f"{FILES}/$ws/filesets", {"name": "new", "storage": HUB_STORAGE}),
    _v1_job(target="$far_ws/$far_target", config=_asking("", {"files_url": "hf://datasets/$ws/$fileset"})["config"]),
    _v1_job(**_asking("$far_ws/$far_model", {"files_url": "hf://datasets/$ws/$fileset"})),
    _page("/admin/evaluations/new/", secret="$far_ws/$far_secret"),
    _page("/admin/new-evaluation/trial/", secret="$far_ws/$far_secret"),
    Route("POST", "/admin/filesets/new/?from=hub", WRITE, form=FROM_HUB),
]
"""They would have a secret of the other workspace opened."""
REFERENCES = [
    *USES,
    _job(dataset="$far_ws/$far_fileset#$far_file"),
    _job(metrics=["$far_ws/$far_metric"]),
    _at(EVALUATION, {"project": "$far_project", "spec": {"metrics": [METRIC], "dataset": ROWS}}),
    _at(f"{EVALUATOR}/$ws/metrics/new-one", FAR_SECRET),
    _at(f"{EVALUATOR}/$ws/metrics/new-one?project=$far_project", METRIC),
    _at(f"{EVALUATOR}/$ws/comparisons", {"jobs": ["$job", "$far_job"]}),
    _at(f"{HF}/api/repos/move", {"fromRepo": "$far_ws/$far_spare", "toRepo": "$ws/new", "type": "dataset"}),
    _at(f"{HF}/api/datasets/$far_ws/$far_fileset/lfs-files/duplicate", TO_SPARE),
    _at(f"{REPO}/lfs-files/duplicate", TO_FAR),
    _at(f"{REPO}/lfs-files/duplicate", TO_SPARE),
    _commit({"key": "lfsFile", "value": {"path": "big", "algo": "sha256", "oid": "$far_large", "size": 13}}),
    _commit({"key": "copyFile", "value": {"path": "x", "srcPath": "$far_file", "srcRevision": "$far_oid"}}),
    _at(f"{HF}/datasets/$ws/$fileset.git/info/lfs/objects/batch", LARGE),
    _at(f"{REPO}/branch/new", {"startingPoint": "$far_oid"}),
    Route("GET", f"{REPO}/revision/$far_oid", WRITE),
    Route("GET", f"{HF}/datasets/$ws/$fileset/resolve/$far_oid/$far_file", WRITE),
    _v1_job(config="$far_ws/$far_config"),
    _v1_job(**_asking({"api_endpoint": ENDPOINT}, "$far_ws/$far_dataset")),
    _v1_job(**_asking({"api_endpoint": ENDPOINT}, {"files_url": FAR_URL})),
    _live(FAR_URL),
    _live("$far_ws/$far_dataset"),
    _at("/v1/evaluation/live", {"config": "$far_ws/$far_config", "target": rows_target("x")}),
    _at("/v1/evaluation/targets", {"name": "new", "namespace": "$ws", "type": "model", "model": "$far_ws/$far_model"}),
    _page("/admin/evaluations/new/", **FAR_ROWS),
    _page("/admin/new-evaluation/prompt/", **FAR_ROWS),
    _page("/admin/new-evaluation/forecast/", **FAR_ROWS),
    _page("/admin/new-evaluation/trial/", **FAR_ROWS),
    Route("GET", "/admin/new-evaluation/data/?workspace=$ws&fileset=$far_ws/$far_fileset&secret=$far_secret", WRITE),
    Route("GET", "/admin/compare/?workspace=$ws&job=$job&job=$far_job", WRITE),
    Route("GET", "/admin/compare/rows/?workspace=$ws&job=$job&job=$far_job&score=x", WRITE),
]
