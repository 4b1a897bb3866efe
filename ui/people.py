"""The page that holds a judge against people's ratings: a column of the job's own dataset."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse

from assay.jobs.judged import MOST_ROWS, find_job, judged_rows, score_of
from assay.jobs.models import Job
from assay.jobs.states import RUNNABLE
from assay.platform.errors import Refusal
from assay.ui.charts import Chart, bars, points
from assay.ui.disagreement import MOST_CATEGORIES, Couple, Disagreement, Rating, disagreement_of
from assay.ui.door import show
from assay.ui.rating_columns import Columns, columns_in, namesake
from assay.ui.readings import beyond, headline, readings
from assay.ui.rows_shown import glances
from assay.ui.scales import Scale, scales_of
from assay.ui.spreads import MINUS, Spread, minus, signed
from assay.ui.templatetags.figures import number
from assay_sdk.engine.intervals import RESAMPLES

LOOKED_AT = 200
"""The first rows tell which columns there are."""
SLOW_ROWS = 50_000
"""From so many on the page says that reading them takes a while."""
HEATS = 5


class Chosen(NamedTuple):
    """What is held against what: a column, empty if none is known, and a score; perhaps one field of their matrix."""

    column: str
    scale: Scale
    field: tuple[str, str] | None = None

    def query(self, field: tuple[Rating, Rating] | None = None) -> str:
        """Return it as the end of an address."""
        asked = {"column": self.column, "score": self.scale.full_name}
        return urlencode({**asked, "people": field[0], "judge": field[1]} if field else asked)


def people(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """Show what can be held against what, and leave a place for what comes of it."""
    job = find_job(workspace, name)
    crumbs = [("Evaluations", reverse("ui:evaluations")), (name, reverse("ui:job", args=[workspace, name]))]
    scales = scales_of(job)
    first = next(iter(scales))
    items = [row.item for row in islice(judged_rows(job, score_of(job, first)), LOOKED_AT)]
    wanted = scales.get(request.GET.get("score", ""))
    columns = columns_in(items, [wanted] if wanted else scales.values())
    chosen = _chosen(request.GET, scales, columns)
    return show(
        request,
        "ui/people.html",
        "Judge against people",
        crumbs=crumbs,
        job=job,
        tab="people",
        chosen=chosen,
        query=chosen.query(chosen.field),
        scales=list(scales.values()),
        columns=columns,
        unlisted=bool(chosen.column) and chosen.column not in (*columns.likely, *columns.others),
        example=_example(chosen.scale),
        judged=bool(items),
        running=job.state in RUNNABLE,
        slow=job.rows_done >= SLOW_ROWS,
    )


def people_found(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """Show what came of holding the one against the other: the part of the page that takes time."""
    job = find_job(workspace, name)
    scales = scales_of(job)
    chosen = _chosen(request.GET, scales, Columns([], []))
    try:
        found = disagreement_of(job, chosen.column, chosen.scale.full_name, resamples=RESAMPLES)
    except Refusal as refusal:
        context = {"job": job, "said": refusal.detail, "chosen": chosen, "example": _example(chosen.scale)}
        return render(request, "ui/people_refused.html", {**context, "too_many": job.rows_done > MOST_ROWS})
    return render(request, "ui/people_found.html", _shown(job, found, chosen))


def _chosen(asked: QueryDict, scales: Mapping[str, Scale], columns: Columns) -> Chosen:
    """Return what was asked for, or else what is likeliest meant."""
    column = asked.get("column", "").strip() or next(iter(columns.likely), "")
    scale = scales.get(asked.get("score", ""))
    scale = scale or namesake(column, scales.values()) or next(iter(scales.values()))
    field = (asked.get("people", ""), asked.get("judge", "")) if {"people", "judge"} <= asked.keys() else None
    return Chosen(column, scale, field)


def _example(scale: Scale) -> str:
    """Return a few lines of a dataset with such a column."""
    low, high = scale.bounds or (0, 4)
    said = [scale.labels[-1], scale.labels[0]] if scale.labels else [f"{high:g}", f"{low:g}"]
    name = scale.short.replace(".", "_")
    return (
        f"prompt,response,{name}\n"
        f"What is dew?,Water that condenses on cool surfaces.,{said[0]}\n"
        f"What is dew?,No idea.,{said[1]}\n"
        "What is fog?,A cloud near the ground.,\n"
    )


def _shown(job: Job, found: Disagreement, chosen: Chosen) -> dict[str, Any]:
    agreement = found.agreement
    listed = found.worst if chosen.field is None else _listed(found, chosen.field)
    texts = glances(job, [couple.row for couple in listed], leave_out=chosen.column)
    return {
        "job": job,
        "chosen": chosen,
        "query": chosen.query(),
        "found": found,
        "agreement": agreement,
        "headline": headline(found, chosen.scale),
        "readings": readings(found, chosen.scale),
        "beyond": beyond(found, chosen.scale),
        "scatter": None if found.labelled or not agreement.n else _scatter(job, found, chosen),
        "matrix": _matrix(found, chosen) if 0 < len(agreement.categories) <= MOST_CATEGORIES else None,
        "panels": _panels(found) if agreement.n else [],
        "listed": [_line(job, couple, texts.get(couple.row, "")) for couple in listed],
    }


def _listed(found: Disagreement, field: tuple[str, str]) -> list[Couple]:
    """Return the first rows of a field of the matrix, named by what people and the judge said."""
    return next((rows for key, rows in found.cells.items() if (str(key[0]), str(key[1])) == field), [])


def _line(job: Job, couple: Couple, text: str) -> dict[str, Any]:
    if couple.apart is None:
        apart = "" if couple.people == couple.judge else "another label"
    elif isinstance(couple.judge, str):
        apart = f"{signed(couple.apart)} step{'' if abs(couple.apart) == 1 else 's'}"
    else:
        apart = signed(couple.apart)
    return {
        "index": couple.row,
        "href": reverse("ui:row", args=[job.workspace.name, job.name, couple.row]),
        "people": _said(couple.people),
        "judge": _said(couple.judge),
        "apart": apart,
        "text": text,
    }


def _said(rating: Rating) -> str:
    return rating if isinstance(rating, str) else minus(rating)


def _scatter(job: Job, found: Disagreement, chosen: Chosen) -> Chart:
    page = reverse("ui:people", args=[job.workspace.name, job.name])
    marks = []
    for mark in found.marks:
        row = reverse("ui:row", args=[job.workspace.name, job.name, mark.first])
        field = f"{page}?{chosen.query((mark.people, mark.judge))}" if found.cells else ""
        marks.append((mark.people, mark.judge, mark.rows, row if mark.rows == 1 else field))
    low = min(min(mark.people, mark.judge) for mark in found.marks)
    high = max(max(mark.people, mark.judge) for mark in found.marks)
    if chosen.scale.bounds and chosen.scale.bounds[0] <= low and high <= chosen.scale.bounds[1]:
        low, high = chosen.scale.bounds
    return points(marks, x=f"people: {chosen.column}", y=f"judge: {chosen.scale.short}", bounds=(low, high))


def _matrix(found: Disagreement, chosen: Chosen) -> dict[str, Any]:
    """Return the confusion matrix as a table: how many rows, how hot, and where each field leads."""
    agreement = found.agreement
    categories: Sequence[Rating] = agreement.categories
    most = max(map(max, agreement.confusion), default=0) or 1
    lines = []
    for human, counts in zip(categories, agreement.confusion, strict=True):
        fields = [
            {
                "rows": rows,
                "heat": min(HEATS, 1 + (HEATS * (rows - 1)) // most) if rows else 0,
                "same": human == judge,
                "query": chosen.query((human, judge)),
            }
            for judge, rows in zip(categories, counts, strict=True)
        ]
        lines.append({"name": _said(human), "fields": fields, "sum": sum(counts)})
    sums = [sum(column) for column in zip(*agreement.confusion, strict=True)]
    return {"names": [_said(category) for category in categories], "lines": lines, "sums": sums}


def _panels(found: Disagreement) -> list[dict[str, Any]]:
    """Return the three panels of the figure: the judge's ratings, people's, and the difference."""
    steps = " in steps" if found.labelled else ""
    named = (
        ("The judge", "judge", found.judge),
        ("People", "people", found.people),
        ("Judge minus people", f"judge {MINUS} people{steps}", found.apart),
    )
    return [
        {"title": title, "spread": spread, "chart": _bars(spread, axis), "says": _says(title, spread)}
        for title, axis, spread in named
    ]


def _bars(spread: Spread, axis: str) -> Chart:
    return bars(spread.labels, [("rows", spread.counts[0])], x=axis, y="rows", touching=spread.touching)


def _says(title: str, spread: Spread) -> str:
    """Return a panel in a sentence, for those who do not see it."""
    counts = spread.counts[0]
    if not any(counts):
        return f"{title}: no row"
    most = max(range(len(counts)), key=counts.__getitem__)
    return f"{title}: most often {spread.labels[most]}, on {number(counts[most])} of {number(sum(counts))} rows"
