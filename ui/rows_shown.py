"""A job's rows: the moment that findings about them are of, and a line to recognise one by."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from assay.jobs.models import Job, RowScore
from assay.jobs.packs import RowLost, WholeRows

SHOWN_CHARACTERS = 280
SHORTEST_TEXT = 12
"""Shorter texts are ids and tags more often than something to know a row by."""


class RowsAsOf(NamedTuple):
    """A job's rows at a moment: as long as it is the same, so is whatever was found in them."""

    uid: str
    state: str
    rows: int
    changed: datetime

    def job(self) -> Job:
        """Return the job without its spec."""
        return Job.objects.defer("spec").get(uid=self.uid)


def as_of(job: Job) -> RowsAsOf:
    """Return the job's rows as they are now."""
    return RowsAsOf(job.uid, job.state, job.rows_done, job.updated_at)


def glances(job: Job, indexes: Iterable[int], *, leave_out: str = "") -> dict[int, str]:
    """Return what each row holds, in a line; without the column ``leave_out``. Rows that are gone are left out."""
    batches = RowScore.objects.filter(job=job, row_index__in=set(indexes)).order_by("row_index")
    whole = WholeRows(job)
    found = {}
    for index, batch in batches.values_list("row_index", "batch_id"):
        try:
            line = whole.line(index, batch)
        except RowLost:
            continue
        if line is not None:
            found[index] = glance(orjson.loads(line)["item"], leave_out)
    return found


def glance(item: Mapping[str, Any], leave_out: str = "") -> str:
    """Return the item's texts in a line, or all that it holds if it has none."""
    cells = {name: value for name, value in item.items() if name != leave_out}
    texts = [value for value in cells.values() if isinstance(value, str) and len(value) >= SHORTEST_TEXT]
    shown = texts or [f"{name}: {value}" for name, value in cells.items()]
    # Each is cut before they are joined: one of megabytes must not be copied around.
    line = " · ".join(" ".join(text[:SHOWN_CHARACTERS].split()) for text in shown[:8])
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[: SHOWN_CHARACTERS - 1]}…"
