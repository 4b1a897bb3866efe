"""Pages of a job's rows that stand still while rows land, whatever depth they are at.

What no column tells is looked at row by row, for a bounded time: a page that ran out of it says how far it came, and
where to go on.
"""

import time
from dataclasses import dataclass, field

from assay.jobs.models import Job
from assay.jobs.packs import RowLost, WholeRows
from assay.ui.job_scores import Stored
from assay.ui.row_road import Found, Place, Road, Wanted
from assay.ui.row_text import Needle

PAGE_ROWS = 50
LOOK_SECONDS = 0.1
"""How long one page looks into the scores of rows for those that are wanted."""
SEARCH_SECONDS = 1.2
"""How long one page reads whole rows for a text."""
READ_AT_ONCE = 16
"""Rows between two looks at the clock."""


@dataclass
class Page:
    rows: list[Found]
    lines: dict[int, bytes] = field(default_factory=dict)
    """Whole rows as JSON; those whose whole row is lost are not among them."""
    next: Place | None = None
    previous: Place | None = None
    looked: int = 0
    """Rows that were looked at."""
    reached: int | None = None
    """The row at which time ran out, if it did."""
    matching: int | None = None
    """How many rows there are on all pages, where that is known without looking at each."""


def find(job: Job, wanted: Wanted, place: Place, *, limit: int = PAGE_ROWS, seconds: float | None = None) -> Page:
    """Return a page of up to ``limit`` of the rows stored so far, with their whole rows."""
    whole = WholeRows(job)
    page = _walk(job, wanted, place, limit, seconds, whole)
    if not place.forwards and page.previous is None and len(page.rows) < limit:
        page = _walk(job, wanted, Place(), limit, seconds, whole)  # the beginning: a whole page, not a rest
    for row in sorted(page.rows):  # as they are stored
        if row.number not in page.lines and (line := _line(whole, row)) is not None:
            page.lines[row.number] = line
    return page


def beside(job: Job, wanted: Wanted, index: int, scores: Stored, *, forwards: bool) -> int | None:
    """Return the row that comes after this one, or before it, in the order that is wanted; None if there is none."""
    place = Place(forwards, index, wanted.sort.value(scores) if wanted.sort else None)
    page = _walk(job, wanted, place, 1, None, WholeRows(job))
    return page.rows[0].number if page.rows else None


def _walk(job: Job, wanted: Wanted, place: Place, limit: int, seconds: float | None, whole: WholeRows) -> Page:
    road = Road(job, wanted)
    page = Page([], matching=road.matching())
    needle = Needle(wanted.text) if wanted.text else None
    allowed = SEARCH_SECONDS if needle else LOOK_SECONDS
    deadline = time.monotonic() + (allowed if seconds is None else seconds)
    passed: Found | int | None = None
    for rows in road.rows(place, limit + 1):
        for row in rows:
            stop = needle is not None and page.looked % READ_AT_ONCE == READ_AT_ONCE - 1 and time.monotonic() > deadline
            if stop or len(page.rows) > limit:
                break
            page.looked, passed = page.looked + 1, row
            if wanted.admits(row) and (needle is None or _holds(page, whole, row, needle)):
                page.rows.append(row)
        else:
            passed = passed if road.edge is None else road.edge
        if len(page.rows) > limit:
            break
        if time.monotonic() > deadline:
            page.reached = passed.number if isinstance(passed, Found) else passed
            break
    _settle(page, wanted, place, limit, passed)
    return page


def _holds(page: Page, whole: WholeRows, row: Found, needle: Needle) -> bool:
    """Return whether the text is in the row, which is kept if so."""
    line = _line(whole, row)
    if line is None or not needle.within(line):
        return False
    page.lines[row.number] = line
    return True


def _line(whole: WholeRows, row: Found) -> bytes | None:
    try:
        return whole.line(row.number, row.batch)
    except RowLost:
        return None


def _settle(page: Page, wanted: Wanted, place: Place, limit: int, passed: "Found | int | None") -> None:
    """Cut the page to its length, turn it the right way round, and say where its neighbours begin."""
    more = len(page.rows) > limit
    del page.rows[limit:]

    def at(row: Found | int | None, *, forwards: bool) -> Place:
        if isinstance(row, Found):
            return Place(forwards, row.number, wanted.sort.value(row.scores) if wanted.sort else None)
        return place._replace(forwards=forwards) if row is None else Place(forwards, row)

    onward = page.rows[-1] if more else passed
    far = at(onward, forwards=place.forwards) if more or page.reached is not None else None
    begun = place.row is not None
    near = at(page.rows[0] if page.rows else None, forwards=not place.forwards) if begun else None
    page.next, page.previous = (far, near) if place.forwards else (near, far)
    if not place.forwards:
        page.rows.reverse()
