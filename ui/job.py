"""The page of one evaluation, which follows it while it runs, and what of it is asked for again and again."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from assay.jobs.models import Job, State
from assay.jobs.shown_spec import with_spec_text
from assay.jobs.states import TERMINAL
from assay.platform.errors import NotFound
from assay.ui import job_steer
from assay.ui.door import STOP_POLLING, show
from assay.ui.job_facts import facts_of
from assay.ui.job_live import Watched, light_job, log_may_grow, log_tail, scores_so_far, stored_scores
from assay.ui.job_steer import Actions, ChangeForm

WHOLE = with_spec_text(
    Job.objects.select_related("workspace", "dataset_fileset__workspace", "result_fileset__workspace")
)


def job(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    return _page(request, _whole(workspace, name))


def change(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """Change the job; where that cannot be, its page says at which field, and keeps what was written."""
    found = _whole(workspace, name)
    return job_steer.change(request, workspace, name, lambda form: _page(request, found, form))


def _whole(workspace: str, name: str) -> Job:
    found = WHOLE.filter(workspace__name=workspace, name=name).first()
    if found is None:
        raise NotFound(f"There is no evaluation '{name}' in workspace '{workspace}'.")
    return found


def _page(request: HttpRequest, found: Job, form: ChangeForm | None = None) -> HttpResponse:
    lines = log_tail(found)
    completed = found.state == State.COMPLETED
    return show(
        request,
        "ui/job.html",
        found.name,
        crumbs=[("Evaluations", reverse("ui:evaluations"))],
        status=422 if form is not None and form.wrong else 200,
        job=found,
        tab="job",
        watched=Watched.of(found),
        actions=Actions.of(found),
        form=form or ChangeForm.of(found),
        facts=facts_of(found),
        scores=stored_scores(found) if completed else None,
        scores_later=not completed,
        log=lines,
        log_grows=log_may_grow(found),
    )


def live(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """How far the job is. Once its state is another than the page knows, also what the page offers to do."""
    found = light_job(workspace, name)
    known = request.GET.get("state", "")
    moved, ended = known != found.state, found.state in TERMINAL
    context = {
        "job": found,
        "watched": Watched.of(found),
        "polled": True,
        "moved": moved,
        "ended_now": moved and ended,
        "actions": Actions.of(found),
    }
    reply = render(request, "ui/job_live.html", context, status=STOP_POLLING if ended else 200)
    if moved:
        reply["HX-Trigger"] = "moved"  # the scores and the log look once more
    return reply


def scores(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """The scores of the rows so far."""
    found = Job.objects.select_related("workspace", "result_fileset").defer("spec", "submitted", "forms")
    job = found.filter(workspace__name=workspace, name=name).first()
    if job is None:
        raise NotFound(f"There is no evaluation '{name}' in workspace '{workspace}'.")
    lines = stored_scores(job) if job.state == State.COMPLETED else scores_so_far(job)
    context = {"job": job, "scores": lines, "ended": job.state in TERMINAL}
    return render(request, "ui/job_scores.html", context)


def log(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """The end of the job's log; nothing where the page has it already."""
    found = light_job(workspace, name)
    lines, grows = log_tail(found), log_may_grow(found)
    last = str(lines[-1].pk) if lines else ""
    if grows and last == request.GET.get("last", ""):
        return HttpResponse(status=204)
    return render(request, "ui/job_log.html", {"job": found, "log": lines, "log_grows": grows})
