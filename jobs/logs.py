"""The log of a job: lines for people, written as it goes along, read in pages, or followed as they come."""

import threading
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from django.utils import timezone

from assay.jobs.models import Job, LogLine
from assay.jobs.states import TERMINAL
from assay.jobs.steps import main_step, step_names
from assay.platform.drain import draining
from assay.platform.errors import BadRequest
from assay.platform.texts import storable

LONGEST = 10_000
"""Characters of a line; a judge's reply in an error text may be megabytes."""

FOLLOWERS = 6
"""So many follow logs in one web process at once: each holds one of its threads."""
LONGEST_FOLLOWED = 600.0
"""Seconds; whoever wants more goes on from the last cursor."""
LOOK_SECONDS = 0.5
ALIVE_SECONDS = 5.0
"""How often somebody who follows hears something, so that it shows if nobody listens any more."""
LINES_AT_ONCE = 1000
LATE = timedelta(seconds=5)
"""A line may become visible so much later than lines with higher numbers, which another process wrote."""


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
    where = step if step in step_names(job) else main_step(job)
    LogLine.objects.create(job=job, step=where, message=storable(text))


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


class TooManyFollow(Exception):
    """This process has no thread to spare for another one who follows a log."""


class Following:
    """The lines of a log as they come: iterates until the job has ended, each time over the lines that are new.

    No new line for a while is an empty list. Raises ``TooManyFollow``. Must be closed, which other threads may do.
    """

    _places = threading.BoundedSemaphore(FOLLOWERS)

    def __init__(self, job: Job, steps: Collection[str], *, cursor: str | None = None, tail: int | None = None) -> None:
        """Begin after ``cursor``, with the last ``tail`` lines, or with the first one. Raises ``BadRequest``."""
        self._lines = LogLine.objects.filter(job=job, step__in=steps)
        self._job = Job.objects.filter(pk=job.pk)
        self._floor = self._start(cursor, tail)
        self._seen: dict[int, LogLine] = {}
        self._over = False
        self._until = time.monotonic() + LONGEST_FOLLOWED
        self._closed = not self._places.acquire(blocking=False)
        if self._closed:
            raise TooManyFollow

    def _start(self, cursor: str | None, tail: int | None) -> int:
        if cursor:
            forwards, bound = _place(cursor)
            if not forwards:
                raise BadRequest("page_cursor leads backwards; a log is followed from its next_page.")
            return bound
        if tail is None:
            return 0
        last = list(self._lines.order_by("-pk").values_list("pk", flat=True)[:tail])
        return last[-1] - 1 if last else 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> list[LogLine]:
        heard = time.monotonic()
        while not (self._over or self._closed or draining.is_set()):  # whoever follows goes on from its last line
            state = self._job.values_list("state", flat=True).first()
            self._over = state is None or state in TERMINAL or time.monotonic() > self._until
            found = self._look()
            if found:
                self._over = self._over and len(found) < LINES_AT_ONCE
                return found
            if time.monotonic() - heard > ALIVE_SECONDS:
                return []
            if not self._over:
                time.sleep(LOOK_SECONDS)
        raise StopIteration

    def _look(self) -> list[LogLine]:
        lines = self._lines.filter(pk__gt=self._floor).order_by("pk")[: LINES_AT_ONCE + len(self._seen)]
        found = [line for line in lines if line.pk not in self._seen]
        self._seen |= {line.pk: line for line in found}
        settled = timezone.now() - LATE
        for pk in [pk for pk, line in self._seen.items() if line.at < settled]:
            del self._seen[pk]
            self._floor = max(self._floor, pk)
        self._seen = {pk: line for pk, line in self._seen.items() if pk > self._floor}
        return found

    def close(self) -> None:
        """Give the place to somebody else."""
        if not self._closed:
            self._closed = True
            self._places.release()

    def __del__(self) -> None:
        if hasattr(self, "_closed"):
            self.close()


def cursor_after(line: LogLine) -> str:
    """Return the cursor of what comes after the line."""
    return _cursor(True, line.pk)


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
