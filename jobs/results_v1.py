"""The result of a v1 job as a thing of its own: there from the beginning, complete at the end."""

from typing import Any

import orjson
from django.db import transaction

from assay.evaluator.posted import ResultUpdate
from assay.filesets import local
from assay.filesets.storage import FileMissing
from assay.jobs.custom_results import fold
from assay.jobs.models import Job, State
from assay.jobs.progress_v1 import status_details
from assay.jobs.publish_v1 import result_json
from assay.platform.audit import record
from assay.platform.caller import Action
from assay.platform.errors import Invalid
from assay.platform.v1 import fault, given
from assay.workspaces.lookup import need

ABOUT = ("description", "project", "custom_fields", "ownership", "files_url")
"""What may be said of a job's result; its scores are what they are."""


def result_of(job: Job) -> dict[str, Any]:
    """Return the scores of the tasks that are done: all of them once the job has completed."""
    if job.state == State.COMPLETED:
        published = _published(job)
        if published is not None:
            return published
    done = {name for name, word in status_details(job)["task_status"].items() if word == "completed"}
    parts = [part for part in job.parts.all() if part.name in done]
    return result_json(job, fold(job, parts), done=done)


def change_result(job: Job, body: ResultUpdate) -> None:
    """Say something else of the result; raises ``Invalid`` for a change of its scores."""
    need(Action.WRITE, job.workspace)
    fields = given(body)
    wrong = [name for name in fields if name not in ABOUT]
    if wrong:
        raise Invalid([fault(["body", name], "What a job found out cannot be changed.") for name in wrong])
    with transaction.atomic():
        held = Job.objects.select_for_update().only("submitted").get(pk=job.pk)
        held.submitted["result"] = held.submitted.get("result", {}) | fields
        held.save(update_fields=["submitted"])
        record("job.describe_result", job, after={"changed": sorted(fields)})
    job.submitted = held.submitted


def _published(job: Job) -> dict[str, Any] | None:
    """Return the result as it stands in the job's repository, with what is said of it now."""
    try:
        _, place = local.content(job.result_fileset, "results.json")
        found: dict[str, Any] = orjson.loads(place.read_bytes())
    except (FileMissing, FileNotFoundError, orjson.JSONDecodeError):
        return None
    about = {name: value for name, value in job.submitted.get("result", {}).items() if value is not None}
    return found | about
