"""The row explorer: a job's rows so far, filtered, searched, sorted, a page at a time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from assay.jobs.judged import find_job
from assay.jobs.ledger import tokens_of
from assay.jobs.models import Job
from assay.jobs.states import TERMINAL
from assay.ui.door import show
from assay.ui.job_scores import MEANINGS, JobScore, scores_of
from assay.ui.row_asked import REASONS, STATES, Asked, read
from assay.ui.row_road import Found, Place
from assay.ui.row_search import PAGE_ROWS, Page, find
from assay.ui.row_text import clipped
from assay_sdk.engine.result import ScoreState

ITEM_COLUMNS = 3
SCORE_COLUMNS = 5
CELL_CHARACTERS = 160
REASON_CHARACTERS = 120


@dataclass(frozen=True)
class Cell:
    """A score in the list."""

    value: float | None
    label: str


@dataclass(frozen=True)
class Line:
    """A row in the list."""

    number: int
    address: str
    item: list[str]
    scores: list[Cell]
    state: str
    tone: str
    reason: str
    tokens: int | None


@dataclass(frozen=True)
class Heading:
    """A score's column, and the address that sorts by it."""

    title: str
    address: str
    sorted: str
    """As ``aria-sort`` says it."""


def rows(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """Show the rows that the address asks for."""
    job = find_job(workspace, name)
    scores = scores_of(job)
    asked = read(request.GET, scores)
    page = find(job, asked.wanted, asked.place)
    shown = [score for score in scores if score.main][:SCORE_COLUMNS]
    held = {number: orjson.loads(line) for number, line in page.lines.items()}
    columns = _columns(held[row.number]["item"] for row in page.rows if row.number in held)
    lines = [_line(job, row, held.get(row.number), columns, shown, asked) for row in page.rows]
    return show(
        request,
        "ui/rows.html",
        "Rows",
        crumbs=[("Evaluations", reverse("ui:evaluations")), (job.name, reverse("ui:job", args=(workspace, name)))],
        job=job,
        tab="rows",
        asked=asked,
        page=page,
        lines=lines,
        columns=columns,
        headings=[_heading(score, asked) for score in shown],
        by_number=_heading(None, asked),
        states={**STATES, **{state: f"Some score {state.replace('_', ' ')}" for state in REASONS}},
        scores=scores,
        graded=[score for score in scores if score.labels],
        sorts=_sorts(scores),
        links=_links(asked, page),
        running=job.state not in TERMINAL,
        limit=PAGE_ROWS,
    )


def _columns(items: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the first columns that any of the items has."""
    names: dict[str, None] = {}
    for item in items:
        names.update(dict.fromkeys(item))
    return list(names)[:ITEM_COLUMNS]


def _line(
    job: Job, row: Found, held: Mapping[str, Any] | None, columns: list[str], scores: list[JobScore], asked: Asked
) -> Line:
    item = (held or {}).get("item", {})
    query = asked.address()
    address = reverse("ui:row", args=(job.workspace.name, job.name, row.number))
    lost = next((entry for entries in row.scores.values() for entry in entries if entry[3] != ScoreState.SCORED), None)
    state = ScoreState(lost[3]) if lost else ScoreState.SCORED
    reason = clipped(lost[4], REASON_CHARACTERS) if lost else "" if held else "The whole row cannot be found."
    return Line(
        number=row.number,
        address=f"{address}?{query}" if query else address,
        item=[clipped(item.get(column), CELL_CHARACTERS) for column in columns],
        scores=[_cell(score, row) for score in scores],
        state=state.replace("_", " "),
        tone=MEANINGS[state][0],
        reason=reason,
        tokens=_tokens(held or {}),
    )


def _cell(score: JobScore, row: Found) -> Cell:
    entry = score.entry(row.scores)
    return Cell(entry[1], entry[2] or "") if entry else Cell(None, "")


def _tokens(held: Mapping[str, Any]) -> int | None:
    """Return the tokens in and out of all calls about a row, by the servers' own counts."""
    replies = [call.get("response") for call in held.get("requests") or []]
    counts = [tokens for reply in replies if isinstance(reply, dict) and (tokens := tokens_of(reply))]
    return sum(map(sum, counts)) if counts else None


def _heading(score: JobScore | None, asked: Asked) -> Heading:
    """Return a column's heading; a score is first sorted from the highest value down, the rows from the first on."""
    wanted = asked.wanted
    chosen = wanted.sort.full if wanted.sort else ""
    now = chosen == (score.full if score else "")
    falling = (not wanted.falling if now else True) if score else now and not wanted.falling
    name = score.full if score else "row"
    sort = f"-{name}" if falling else "" if score is None else name
    order = "none" if not now else "descending" if wanted.falling else "ascending"
    return Heading(score.title if score else "Row", asked.address(sort=sort), order)


def _sorts(scores: list[JobScore]) -> dict[str, str]:
    found = {"": "Row number", "-row": "Row number, last first"}
    for score in scores:
        found |= {f"-{score.full}": f"{score.title}, highest first", score.full: f"{score.title}, lowest first"}
    return found


def _links(asked: Asked, page: Page) -> dict[str, str | None]:
    """Return the addresses of the pages around this one."""
    begun = asked.place != Place()
    return {
        "first": asked.address() if begun else None,
        "previous": asked.at(page.previous),
        "next": asked.at(page.next),
        "last": asked.at(Place(False)) if page.next else None,
    }
