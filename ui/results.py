"""The results of an evaluation: what its scores come to so far, why some are missing, and everything to take away."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from assay.jobs.exports import Format
from assay.jobs.judged import find_job
from assay.jobs.judges import judged_by_stand_in
from assay.jobs.models import Job
from assay.jobs.results import results_of
from assay.jobs.states import TERMINAL
from assay.ui.door import show
from assay.ui.score_figures import figures_of, known_figures

MANY_ROWS = 20_000
SECONDS, SECONDS_MANY = 2, 15
"""Between two looks at the rows so far; of many rows they take a while to fold."""
EXPORTS = {
    Format.JSONL: "whole rows: item, requests, replies, scores",
    Format.CSV: "a table, safe to open in a spreadsheet",
    Format.PARQUET: "the same table with its types",
}
RESULTS = {
    "aggregate-scores": "the statistics of each score, as JSON",
    "row-scores": "whole rows, as JSON lines",
    "run-metadata": "what was run, as JSON",
    "evaluation-results": "statistics and metadata in one, as JSON",
    "artifacts": "all of it in one archive, .tar.gz",
}


def results(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """Show what the evaluation came to; what takes long is fetched by the page itself."""
    job = find_job(workspace, name)
    base = f"/apis/evaluator/v2/workspaces/{workspace}/evaluate/jobs/{name}"
    made = list(results_of(job).values_list("name", flat=True))
    return show(
        request,
        "ui/results.html",
        "Results",
        crumbs=[("Evaluations", reverse("ui:evaluations")), (job.name, reverse("ui:job", args=(workspace, name)))],
        tab="results",
        stand_in=judged_by_stand_in(job),
        exports=[(form.value, f"{base}/export?format={form}", words) for form, words in EXPORTS.items()],
        downloads=[(each, f"{base}/results/{each}/download", RESULTS.get(each, "")) for each in made],
        figures=known_figures(job) if job.rows_done else None,
        **_shown(job),
    )


def figures(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """Return the figures as they are now; a page that was made before the end is to be made anew then."""
    job = find_job(workspace, name)
    if "running" in request.GET and job.state in TERMINAL:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = {"figures": figures_of(job) if job.rows_done else None, **_shown(job)}
    return render(request, "ui/results_figures.html", context)


def _shown(job: Job) -> dict[str, Any]:
    return {
        "job": job,
        "running": job.state not in TERMINAL,
        "seconds": SECONDS if job.rows_done <= MANY_ROWS else SECONDS_MANY,
    }
