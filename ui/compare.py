"""The page that holds evaluations of the same rows against each other."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse

from assay.jobs.models import Job
from assay.jobs.shown_spec import with_spec_text
from assay.platform.errors import Invalid, NotFound, Refusal
from assay.ui.compared import (
    alone,
    chance,
    common_scores,
    comparison_with,
    in_words,
    scales_by_job,
    spread_of,
    unpaired,
)
from assay.ui.door import show
from assay.ui.prompt_diff import changes_between
from assay.ui.rows_shown import glances
from assay.ui.scales import scales_of
from assay.ui.spreads import minus, signed
from assay.workspaces.models import Workspace
from assay_sdk.engine.comparison import Difference

MOST_JOBS = 8
LISTED = 20
"""Of the jobs to choose among, and of the rows that changed most."""
MOST_WORKSPACES = 500


class Asked(NamedTuple):
    """What is to be compared: jobs of a workspace, in a score, with one of them."""

    workspace: str
    names: list[str]
    score: str
    baseline: str
    search: str

    @classmethod
    def of(cls, query: QueryDict) -> "Asked":
        """Return what the address says."""
        names = list(dict.fromkeys(name for name in query.getlist("job") if name))
        baseline = query.get("baseline", "")
        return cls(
            workspace=query.get("workspace", ""),
            names=names,
            score=query.get("score", ""),
            baseline=baseline if baseline in names else next(iter(names), ""),
            search=query.get("q", "").strip(),
        )

    def query(self, score: str) -> str:
        """Return it as the end of an address."""
        asked = {"workspace": self.workspace, "job": self.names, "score": score, "baseline": self.baseline}
        return urlencode(asked, doseq=True)


def compare(request: HttpRequest) -> HttpResponse:
    """Show what can be compared; of two or more, what was asked differently, and a place for what came of it."""
    asked = Asked.of(request.GET)
    if not asked.workspace:
        asked = asked._replace(workspace=_latest_workspace())
    context: dict[str, Any] = {"asked": asked, "trouble": "", "jobs": [], "workspaces": _workspaces()}
    try:
        context["jobs"] = jobs = _jobs(asked)
        if len(jobs) > 1:
            context |= _compared(asked, jobs)
        elif jobs:
            context |= {"job": jobs[0], "tab": "compare"}
    except Refusal as refusal:
        context["trouble"] = refusal.detail
    crumbs = [("Evaluations", reverse("ui:evaluations"))]
    return show(request, "ui/compare.html", "Compare", crumbs=crumbs, **context, **_candidates(asked, context["jobs"]))


def compare_scores(request: HttpRequest) -> HttpResponse:
    """Show each evaluation by itself."""
    asked = Asked.of(request.GET)
    found = [alone(job, asked.score) for job in _jobs(asked)]
    drawn = [each for each in found if each.values]
    spread, chart = spread_of(drawn) if drawn else (None, None)
    return render(
        request,
        "ui/compare_scores.html",
        {"asked": asked, "found": found, "spread": spread, "chart": chart, "drawn": chart and chart["series"]},
    )


def compare_rows(request: HttpRequest) -> HttpResponse:
    """Show the differences on the rows that the evaluations share: the part of the page that takes time."""
    asked = Asked.of(request.GET)
    jobs = {job.name: job for job in _jobs(asked)}
    found = comparison_with(list(jobs.values()), asked.score, asked.baseline, changed=LISTED)
    differences = [_shown(jobs, difference, len(found.differences)) for difference in found.differences]
    return render(request, "ui/compare_rows.html", {"asked": asked, "differences": differences})


def _compared(asked: Asked, jobs: Sequence[Job]) -> dict[str, Any]:
    """Return what the page says of two jobs or more before their rows are read."""
    if len(jobs) > MOST_JOBS:
        raise Invalid(f"{len(jobs)} evaluations are more than the {MOST_JOBS} that one page compares.")
    scores = common_scores(jobs)
    if not scores:
        listed = "; ".join(f"{job.name} gives {', '.join(scales_of(job))}" for job in jobs)
        raise Invalid(f"They have no score in common, so there is nothing to compare: {listed}.")
    score = asked.score if asked.score in scores else scores[0]
    bounds = {name: scale.bounds for name, scale in scales_by_job(jobs, score).items()}
    base = next(job for job in jobs if job.name == asked.baseline)
    return {
        "score": score,
        "scores": scores,
        "query": asked.query(score),
        "rows": sum(job.rows_done for job in jobs),
        "bounds": bounds if len(set(bounds.values())) > 1 else {},
        "changes": [(job, changes_between(base, job)) for job in jobs if job is not base],
        "base": base,
    }


def _shown(jobs: dict[str, Job], found: Difference, comparisons: int) -> dict[str, Any]:
    """Return a difference as the page shows it."""
    texts = glances(jobs[found.second], [row.index for row in found.changed])
    rows = [
        {
            "index": row.index,
            "first": _place(jobs[found.first], row.index),
            "second": _place(jobs[found.second], row.index),
            "before": minus(row.first),
            "after": minus(row.second),
            "change": signed(row.second - row.first),
            "text": texts.get(row.index, ""),
        }
        for row in found.changed
    ]
    low, high = found.difference.low, found.difference.high
    return {
        "found": found,
        "words": in_words(found, comparisons),
        "value": "" if found.difference.value is None else signed(found.difference.value),
        "interval": "" if low is None or high is None else f"{signed(low)} to {signed(high)}",
        "p": chance(found.p),
        "p_holm": chance(found.p_holm),
        "corrected": comparisons > 1,
        "unpaired": unpaired(found),
        "changed": rows,
        "moved": found.higher + found.lower,
    }


def _place(job: Job, index: int) -> str:
    return reverse("ui:row", args=[job.workspace.name, job.name, index])


def _jobs(asked: Asked) -> list[Job]:
    """Return the jobs that were asked for, in that order; raises ``NotFound``."""
    named = with_spec_text(_in_workspace(asked.workspace).filter(name__in=asked.names))
    found = {job.name: job for job in named.select_related("dataset_fileset__workspace")}
    for name in asked.names:
        if name not in found:
            raise NotFound(f"There is no evaluation '{name}' in workspace '{asked.workspace}'.")
    return [found[name] for name in asked.names]


def _candidates(asked: Asked, chosen: Sequence[Job]) -> dict[str, Any]:
    """Return what else could be compared, the newest first; those of the same data before the others."""
    found = _in_workspace(asked.workspace).filter(rows_done__gt=0).exclude(name__in=asked.names).defer("spec")
    if asked.search:
        found = found.filter(name__icontains=asked.search)
    found = found.order_by("-created_at")
    same = Q(pk__in=[])
    if chosen and chosen[0].dataset_fileset_id:
        same = Q(dataset_fileset=chosen[0].dataset_fileset_id, dataset_fragment=chosen[0].dataset_fragment)
    alike = list(found.filter(same)[:LISTED])
    return {"alike": alike, "others": list(found.exclude(same)[: LISTED - len(alike)])}


def _in_workspace(workspace: str) -> QuerySet[Job]:
    return Job.objects.filter(workspace__name=workspace).select_related("workspace")


def _workspaces() -> list[str]:
    return list(Workspace.objects.order_by("name").values_list("name", flat=True)[:MOST_WORKSPACES])


def _latest_workspace() -> str:
    """Return where the newest evaluation is; nothing if there is none."""
    newest = Job.objects.order_by("-created_at").values_list("workspace__name", flat=True).first()
    return newest or ""
