"""The log of a job: lines for people, written as it goes along, read in pages."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection
from dataclasses import dataclass

from assay.jobs.models import Job, LogLine
from assay.jobs.steps import main_step, step_names
from assay.platform.errors import BadRequest

LONGEST = 10_000
"""Characters of a line; a judge's reply in an error text may be megabytes."""


@dataclass(frozen=True)
class LogPage:
    lines: list[LogLine]
    total: int
    next: str | None
    """The cursor of the page after this one, if there is any by now."""
    previous: str | None


def write(job: Job, message: str, *, step: str | None = None) -> None:
    """Add a line to the job's log, cut off at 10,000 characters. Callers keep secrets out of it."""
    text = message if len(message) <= LONGEST else message[: LONGEST - 1] + "…"
    # What neither database stores: NUL characters, and halves of UTF-16 pairs that a judge sent.
    text = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    LogLine.objects.create(job=job, step=step if step in step_names(job) else main_step(job), message=text)


def read(job: Job, steps: Collection[str], *, limit: int = 100, cursor: str | None = None) -> LogPage:
    """Return the page of up to ``limit`` lines of these steps at ``cursor``, oldest first; by default the first page.

    Raises ``BadRequest`` for a cursor that did not come from a page.
    """
    forwards, bound = _place(cursor) if cursor else (True, 0)
    lines = LogLine.objects.filter(job=job, step__in=steps)
    if forwards:
        found = list(lines.filter(pk__gt=bound).order_by("pk")[: limit + 1])
        page, more_after, more_before = found[:limit], len(found) > limit, bool(cursor)
    else:
        found = list(lines.filter(pk__lt=bound).order_by("-pk")[: limit + 1])
        page, more_after, more_before = found[:limit][::-1], True, len(found) > limit
    return LogPage(
        lines=page,
        total=lines.count(),
        next=_cursor(True, page[-1].pk) if page and more_after else None,
        previous=_cursor(False, page[0].pk) if page and more_before else None,
    )


def read_tail(job: Job, steps: Collection[str], count: int) -> LogPage:
    """Return the last ``count`` lines of these steps, oldest first."""
    page = read(job, steps, limit=count, cursor=_cursor(False, 2**63 - 1))
    return LogPage(page.lines, page.total, None, page.previous)


def _cursor(forwards: bool, bound: int) -> str:
    return urlsafe_b64encode(f"{'after' if forwards else 'before'} {bound}".encode()).decode().rstrip("=")


def _place(cursor: str) -> tuple[bool, int]:
    try:
        word, _, bound = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(" ")
        place = word == "after", int(bound)
        if word in {"after", "before"} and 0 <= place[1] < 2**63:
            return place
    except ValueError:
        pass
    raise BadRequest("page_cursor is not one that a page of this log gave out.")
