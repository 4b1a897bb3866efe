"""Pages of a job's rows that stand still while rows land, whatever depth they are at.

What no column tells is looked at row by row, for a bounded time: a page that ran out of it says how far it came, and
where to go on.
"""

import time
from dataclasses import dataclass, field

from assay.jobs.models import Job
from assay.jobs.packs import WholeRows
from assay.ui.job_scores import Stored
from assay.ui.row_lines import Lines, line_of, lines_of
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
    lines: Lines = field(default_factory=dict)
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
    road, whole = Road(job, wanted), WholeRows(job)
    page = _walk(road, whole, place, limit, seconds)
    if not place.forwards and page.previous is None and len(page.rows) < limit:
        page = _walk(road, whole, Place(), limit, seconds)  # the beginning: a whole page, not a rest
    missing = [row for row in page.rows if row.number not in page.lines]
    lines = page.lines | lines_of(job, missing)
    page.lines = {row.number: lines[row.number] for row in page.rows if row.number in lines}
    return page


def beside(job: Job, wanted: Wanted, number: int, scores: Stored) -> tuple[int | None, int | None]:
    """Return the rows before and after this one in the order that is wanted; None where there is none."""
    road, whole = Road(job, wanted), WholeRows(job)
    value = wanted.sort.value(scores) if wanted.sort else None
    before, after = (_walk(road, whole, Place(forwards, number, value), 1, None).rows for forwards in (False, True))
    return before[0].number if before else None, after[0].number if after else None


def _walk(road: Road, whole: WholeRows, place: Place, limit: int, seconds: float | None) -> Page:
    wanted = road.wanted
    page = Page([], matching=road.matching())
    needle = Needle(wanted.text) if wanted.text else None
    allowed = SEARCH_SECONDS if needle else LOOK_SECONDS
    deadline = time.monotonic() + (allowed if seconds is None else seconds)
    passed: Found | int | None = None
    for rows in road.rows(place, limit + 1):
        # One after the other they are read in row order; far apart, some hundred at once take a fraction of the time.
        held = lines_of(road.job, rows) if needle and wanted.sort else None
        for row in rows:
            stop = needle is not None and page.looked % READ_AT_ONCE == READ_AT_ONCE - 1 and time.monotonic() > deadline
            if stop or len(page.rows) > limit:
                break
            page.looked, passed = page.looked + 1, row
            if wanted.admits(row) and (needle is None or _holds(page, whole, row, needle, held)):
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


def _holds(page: Page, whole: WholeRows, row: Found, needle: Needle, held: Lines | None) -> bool:
    """Return whether the text is in the row, which is kept if so."""
    line = line_of(whole, row) if held is None else held.get(row.number)
    if line is None or not needle.within(line):
        return False
    page.lines[row.number] = line
    return True


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
