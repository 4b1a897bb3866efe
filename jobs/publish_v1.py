"""Put everything that a v1 job came to into its repository ``evaluation-results/<job id>`` (section 8.2)."""

from collections.abc import Iterator
from typing import Any

from assay.filesets import local
from assay.jobs.custom_results import members, results_tree
from assay.jobs.models import Job
from assay.jobs.results import readable
from assay.jobs.wire_v1 import result_id, snapshot_json
from assay.platform.api import wire_time
from assay_sdk.engine.aggregate import Summary


def publish(job: Job, summary: Summary) -> None:
    """Store the files of section 8.2. Doing it again replaces them."""
    for path, content in files(job, result_json(job, summary)):
        local.put(job.result_fileset, path, readable(content))


def files(job: Job, result: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the path and content of each file that holds something of the job."""
    config, target = snapshot_json(job, "config"), snapshot_json(job, "target")
    return members(job, {"config": config, "target": target, "results": result})


def result_json(job: Job, summary: Summary, *, done: set[str] | None = None) -> dict[str, Any]:
    """Return the job's result as the API shows it; with ``done`` the scores of these tasks only."""
    about = {name: value for name, value in job.submitted.get("result", {}).items() if value is not None}
    return {
        "created_at": wire_time(job.created_at),
        "updated_at": wire_time(job.updated_at),
        "id": result_id(job),
        "job": job.uid,
        **results_tree(job, summary, done=done),
        "namespace": job.workspace.name,
        "custom_fields": {},
        **about,
    }
