"""The page of one row: what was judged, what was asked, what came back, and what was made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from pydantic import ValidationError

from assay.jobs.judged import find_job
from assay.jobs.models import Dialect, Job, RowScore, Shard
from assay.jobs.packs import RowLost, row_at
from assay.jobs.parts import metrics_of
from assay.platform.errors import NotFound
from assay.ui.door import show
from assay.ui.job_scores import MEANINGS, JobScore, scores_of
from assay.ui.row_asked import Asked, read
from assay.ui.row_calls import calls_of
from assay.ui.row_road import NUMBERS, Wanted
from assay.ui.row_search import beside
from assay.ui.row_text import as_json, cut, texts_of
from assay_sdk.engine.result import ScoreState
from assay_sdk.engine.spec import Metric


@dataclass(frozen=True)
class Shown:
    """A score of the row."""

    title: str
    value: float | None
    label: str
    state: str
    tone: str
    meaning: str
    reason: str
    flags: list[str]
    scale: str
    reads: str


@dataclass(frozen=True)
class Field:
    """A column of the item."""

    name: str
    text: str
    nested: bool
    """Whether the text is JSON."""


def row(request: HttpRequest, workspace: str, name: str, index: int) -> HttpResponse:
    """Show one row; the address may say which rows it was found among."""
    job = find_job(workspace, name)
    stored = RowScore.objects.filter(job=job, row_index=index).first() if index < NUMBERS else None
    if stored is None:
        raise NotFound(f"Job '{name}' has no row {index} that is judged by now.")
    held = _whole(job, index)
    scores = scores_of(job)
    asked = read(request.GET, scores)
    listed = f"{reverse('ui:rows', args=(workspace, name))}?{asked.address()}".rstrip("?")
    told = (held or {}).get("states") or {}
    before, after = beside(job, asked.wanted if not asked.wanted.text else Wanted(), index, stored.scores)
    return show(
        request,
        "ui/row.html",
        f"Row {index:,}",
        crumbs=[
            ("Evaluations", reverse("ui:evaluations")),
            (job.name, reverse("ui:job", args=(workspace, name))),
            ("Rows", listed),
        ],
        job=job,
        tab="rows",
        number=index,
        stored=stored,
        held=held,
        task=_task(job, index),
        scores=[_shown(score, stored, told) for score in scores] or _unknown(stored),
        item=[_field(column, value) for column, value in (held or {}).get("item", {}).items()],
        sample=cut(((held or {}).get("sample") or {}).get("output_text") or ""),
        errors=(held or {}).get("metric_errors") or {},
        calls=calls_of(held or {}, _metrics(job)),
        listed=listed,
        narrowed=asked.narrowed or asked.wanted.sort is not None,
        previous=_address(job, asked, before),
        next=_address(job, asked, after),
    )


def _whole(job: Job, index: int) -> dict[str, Any] | None:
    try:
        line = row_at(job, index)
    except RowLost:
        line = None
    return None if line is None else orjson.loads(line)


def _metrics(job: Job) -> dict[str, Metric]:
    try:
        return metrics_of(job)
    except ValidationError:
        return {}


def _task(job: Job, index: int) -> str:
    """Return the task of a v1 job that the row belongs to."""
    if job.dialect != Dialect.CUSTOM:
        return ""
    shard = Shard.objects.filter(job=job, start__lte=index, stop__gt=index).only("part").first()
    part = job.parts.filter(index=shard.part).only("name").first() if shard else None
    return part.name if part else ""


def _shown(score: JobScore, stored: RowScore, told: Mapping[str, Any]) -> Shown:
    entry = score.entry(stored.scores)
    scale = "" if score.low is None or score.high is None else f"{score.low:g} to {score.high:g}"
    scale = ", ".join(score.labels) if score.labels else scale
    flags = told.get(score.metric, {}).get(score.name, {}).get("flags") or []
    if entry is None:
        return Shown(score.title, None, "", "none", "", "The row has no such score.", "", flags, scale, score.reads)
    return _entry(entry, score.title, flags, scale, score.reads)


def _unknown(stored: RowScore) -> list[Shown]:
    """Return the scores as they are stored, where the metrics cannot be read any more."""
    return [_entry(entry, f"{key}.{entry[0]}") for key, entries in stored.scores.items() for entry in entries]


def _entry(entry: Any, title: str, flags: list[str] | None = None, scale: str = "", how: str = "") -> Shown:
    _, value, label, state, reason, *_ = entry
    tone, meaning = MEANINGS[ScoreState(state)]
    meaning = meaning if value is None else ""
    return Shown(
        title, value, label or "", state.replace("_", " "), tone, meaning, reason or "", flags or [], scale, how
    )


def _field(name: str, value: Any) -> Field:
    nested = isinstance(value, dict | list)
    return Field(name, as_json(value) if nested else cut(next(texts_of({"item": value}), "")), nested)


def _address(job: Job, asked: Asked, number: int | None) -> str | None:
    """Return the address of another of the rows that were found. A text is not searched for it: that takes a while."""
    if number is None:
        return None
    query = asked.address()
    address = reverse("ui:row", args=(job.workspace.name, job.name, number))
    return f"{address}?{query}" if query else address
