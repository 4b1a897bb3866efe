"""Results of the v1 API: those of jobs, and those that users computed elsewhere (microservices-v1 section 8)."""

from itertools import chain
from typing import Any

from django.db.models import CharField, F, Q, Value
from rest_framework.request import Request
from rest_framework.response import Response

from assay.evaluator.models import PostedResult
from assay.evaluator.posted import (
    PostedResultReply,
    ResultCreate,
    ResultUpdate,
    change_posted,
    delete_posted,
    get_posted,
    post_result,
    posted_json,
    posted_results,
)
from assay.jobs.models import Dialect, Job
from assay.jobs.results_v1 import change_result, result_of
from assay.jobs.views_v1 import V1_JOBS, count_v1, described, find_v1
from assay.jobs.wire_v1 import job_of_result
from assay.platform.auth import principal
from assay.platform.caller import Action
from assay.platform.errors import Conflict, NotFound
from assay.platform.v1 import DeletedV1, V1Endpoint, deleted, read_v1, v1_page
from assay.platform.v1_conditions import choices
from assay.platform.v1_lists import V1List
from assay.workspaces.lookup import need


def _of_jobs(name: str, way: tuple[str, ...], text: str) -> Q:
    return Q(job_id_shown__in=choices(text))


RESULTS = V1List(filters={"job_id": _of_jobs, "job": _of_jobs})


class ResultsV1(V1Endpoint):
    @described("list_v1_results", "List results", v1_page(PostedResultReply), 400, 422, parameters=RESULTS.query)
    def get(self, request: Request) -> Response:
        asked = RESULTS.read(request)
        shown = {"kind": Value("job", CharField()), "key": F("pk"), "at": F("created_at")}
        jobs = Job.objects.filter(dialect=Dialect.CUSTOM).annotate(job_id_shown=F("uid")).filter(asked.q)
        posted = PostedResult.objects.annotate(job_id_shown=F("job")).filter(asked.q)
        columns = ("kind", "key", "at")
        both = (
            jobs.annotate(**shown)
            .values_list(*columns)
            .union(posted.annotate(**shown | {"kind": Value("posted", CharField())}).values_list(*columns), all=True)
        )
        total = (jobs.count() if asked.q else count_v1()) + posted.count()
        sign = "-" if asked.sort.startswith("-") else ""
        page = list(both.order_by(f"{sign}at", f"{sign}key")[asked.span]) if asked.span.start < total else []
        return RESULTS.envelope(asked, total, _entries(page))

    @described("create_v1_result", "Store scores from elsewhere", PostedResultReply, 400, 422, request=ResultCreate)
    def post(self, request: Request) -> Response:
        return Response(posted_json(post_result(read_v1(request, ResultCreate), principal(request))))


class OneResultV1(V1Endpoint):
    @described("get_v1_result", "Read a result", PostedResultReply, 404)
    def get(self, request: Request, identifier: str) -> Response:
        job = _job_of(identifier)
        return Response(result_of(job) if job else posted_json(get_posted(identifier)))

    @described("update_v1_result", "Change a result", PostedResultReply, 400, 404, 422, request=ResultUpdate)
    def patch(self, request: Request, identifier: str) -> Response:
        body = read_v1(request, ResultUpdate)
        job = _job_of(identifier)
        if job is None:
            return Response(posted_json(change_posted(get_posted(identifier), body)))
        change_result(job, body)
        return Response(result_of(job))

    @described("delete_v1_result", "Delete a result from elsewhere; a job's goes with it", DeletedV1, 404, 409)
    def delete(self, request: Request, identifier: str) -> Response:
        job = _job_of(identifier)
        if job is not None:
            need(Action.WRITE, job.workspace)
            raise Conflict(f"Result {identifier} belongs to job {job.uid}, and goes with it: delete the job.")
        delete_posted(get_posted(identifier))
        return deleted(identifier)


def _job_of(identifier: str) -> Job | None:
    try:
        return find_v1(job_of_result(identifier))
    except NotFound:
        return None


def _entries(page: list[tuple[str, int, Any]]) -> list[dict[str, Any]]:
    """Return the results of a page, in its order."""
    keys = {kind: [key for found, key, _ in page if found == kind] for kind in ("job", "posted")}
    jobs = ((("job", job.pk), result_of(job)) for job in V1_JOBS.filter(pk__in=keys["job"]))
    posted = ((("posted", each.pk), posted_json(each)) for each in posted_results().filter(pk__in=keys["posted"]))
    found = dict(chain(jobs, posted))
    return [found[kind, key] for kind, key, _ in page if (kind, key) in found]
