"""A job's spec on its way out. It may carry thousands of rows: they pass as text, and are taken apart by nobody."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from json import JSONDecoder
from typing import Any

import orjson
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from assay.jobs.models import Job

ROWS = "dataset"
SHORT = 8192
"""Characters of a spec that is read whole: quicker than to look for what it holds."""
MOST_OUTLINES = 1000

_DECODER = JSONDecoder()


@dataclass(frozen=True)
class Outline:
    """A spec without its rows, and where in its text they stand."""

    length: int
    members: dict[str, Any]
    start: int
    stop: int


_outlines: OrderedDict[str, Outline] = OrderedDict()
_lock = threading.Lock()


def with_spec_text(jobs: QuerySet[Job]) -> QuerySet[Job]:
    """Have each job's spec at hand for `shown_spec`, as the text that the database holds."""
    return jobs.defer("spec").annotate(spec_text=Cast("spec", TextField()))


def shown_spec(job: Job) -> dict[str, Any]:
    """Return the job's spec as a reply shows it; many rows in it are a piece of JSON. Nobody may change it."""
    text = getattr(job, "spec_text", None)
    if text is None:
        return dict(job.spec)
    if len(text) <= SHORT:
        return dict(orjson.loads(text))
    outline = _outline(job.uid, text)
    rows = orjson.Fragment(text[outline.start : outline.stop])
    return {**outline.members, ROWS: rows} if outline.stop else outline.members


def _outline(uid: str, text: str) -> Outline:
    """Return the outline of a job's spec, which never changes: it is made once."""
    with _lock:
        known = _outlines.get(uid)
        if known is not None and known.length == len(text):
            _outlines.move_to_end(uid)
            return known
    made = _read(text)
    with _lock:
        _outlines[uid] = made
        while len(_outlines) > MOST_OUTLINES:
            _outlines.popitem(last=False)
    return made


def _read(text: str) -> Outline:
    """Walk over the members of the object in ``text``."""
    members: dict[str, Any] = {}
    start = stop = 0
    at = 0
    while (at := text.find('"', at)) >= 0:
        name, after = _DECODER.raw_decode(text, at)
        at = text.index(":", after) + 1
        while text[at].isspace():
            at += 1
        value, end = _DECODER.raw_decode(text, at)
        if name == ROWS:
            start, stop, value = at, end, None
        members[name] = value
        at = end
    return Outline(len(text), members, start, stop)
