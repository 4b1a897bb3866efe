"""Pages of a job's whole rows: by row number, so that the last page costs what the first does."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import QuerySet

from assay.jobs.models import Job, RowScore
from assay.jobs.packs import WholeRows
from assay.platform.errors import BadRequest
from assay_sdk.engine.result import ScoreState

LARGEST_PAGE = 200
LOOK_AT_ONCE = 500
MOST_LOOKED_AT = 4000
"""Rows whose scores one page looks into for a state: a page may be short, or empty, and yet not the last one."""


class Place(NamedTuple):
    """Where a page begins: at the row after ``bound``, or backwards at the one before it."""

    forwards: bool = True
    bound: int = -1


@dataclass(frozen=True)
class RowPage:
    lines: list[bytes]
    """Whole rows as JSON."""
    next: str | None
    """The cursor of the page after this one, if there is any by now."""
    previous: str | None


def rows_page(
    job: Job,
    *,
    limit: int,
    cursor: str | None = None,
    scored: bool | None = None,
    state: ScoreState | None = None,
) -> RowPage:
    """Return up to ``limit`` of the rows stored so far, in row order: those at ``cursor``, by default the first.

    ``scored`` keeps the rows that have all of their scores, or those that lack one; ``state`` those with a score in
    that state. Rows that land later do not shift what a cursor means. Raises ``BadRequest`` for a cursor that did not
    come from a page.
    """
    place = _place(cursor) if cursor else Place()
    wanted = RowScore.objects.filter(job=job)
    if state not in {None, ScoreState.SCORED}:
        wanted = wanted.filter(scored=False)
    if scored is not None:
        wanted = wanted.filter(scored=scored)
    if state is None:
        found = _beyond(wanted, place, limit + 1)
        more, bound = len(found) > limit, None
    else:
        found, bound = _in_state(wanted, place, limit, state)
        more = bound is not None
    found = found[:limit] if place.forwards else found[:limit][::-1]
    whole = WholeRows(job)
    lines = [line for index, batch in found if (line := whole.line(index, batch)) is not None]
    first, last = (found[0][0], found[-1][0]) if found else (place.bound + 1, place.bound - 1)
    if place.forwards:
        onward = last if bound is None else bound
        return RowPage(lines, _cursor(True, onward) if more else None, _cursor(False, first) if cursor else None)
    onward = first if bound is None else bound
    return RowPage(lines, _cursor(True, last), _cursor(False, onward) if more else None)


Found = list[tuple[int, int | None]]
"""Rows by index, with the batch that each is in."""


def _beyond(wanted: QuerySet[RowScore], place: Place, count: int) -> Found:
    """Return up to ``count`` rows from the place on, in the direction that it looks."""
    near = {"row_index__gt": place.bound} if place.forwards else {"row_index__lt": place.bound}
    rows = wanted.filter(**near).order_by("row_index" if place.forwards else "-row_index")
    return list(rows.values_list("row_index", "batch_id")[:count])


def _in_state(wanted: QuerySet[RowScore], place: Place, limit: int, state: ScoreState) -> tuple[Found, int | None]:
    """Return up to ``limit`` rows with a score in that state, and the row to look on from, if there may be more."""
    found: Found = []
    for _ in range(MOST_LOOKED_AT // LOOK_AT_ONCE):
        near = {"row_index__gt": place.bound} if place.forwards else {"row_index__lt": place.bound}
        rows = wanted.filter(**near).order_by("row_index" if place.forwards else "-row_index")
        looked = list(rows.values_list("row_index", "batch_id", "scores")[:LOOK_AT_ONCE])
        for index, batch, scores in looked:
            if any(entry[3] == state for entries in scores.values() for entry in entries):
                found.append((index, batch))
                if len(found) == limit:
                    return found, index
        if len(looked) < LOOK_AT_ONCE:
            return found, None
        place = Place(place.forwards, looked[-1][0])
    return found, place.bound


def _cursor(forwards: bool, bound: int) -> str:
    return urlsafe_b64encode(f"{'after' if forwards else 'before'} {bound}".encode()).decode().rstrip("=")


def _place(cursor: str) -> Place:
    try:
        word, _, bound = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(" ")
        place = Place(word == "after", int(bound))
        if word in {"after", "before"} and -1 <= place.bound < 2**63:
            return place
    except ValueError:
        pass
    raise BadRequest("page_cursor is not one that a page of these rows gave out.")
