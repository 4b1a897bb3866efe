"""What changes on the page of a job while it runs: how far it is, what it used, its scores so far, its log."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

import orjson
from django.db.models import QuerySet
from django.utils import timezone
from pydantic import ValidationError

from assay.filesets import local
from assay.filesets.storage import FileMissing
from assay.jobs import results
from assay.jobs.custom_results import fold
from assay.jobs.finish import wire_summary
from assay.jobs.models import Job, LogLine, State
from assay.jobs.states import TERMINAL
from assay.jobs.wire_control import ProgressReply
from assay.platform.errors import NotFound

LOG_LINES = 50
LATE_LINES = timedelta(seconds=5)
"""A job's last line may be written so much later than its end."""
TONES = {State.COMPLETED: "good", State.ERROR: "bad", State.CANCELLED: "warn", State.PAUSED: "warn"}
FOLDED_JOBS = 32
REST = 10.0
"""Times as long as a folding took, nobody does it again."""
LEAST_REST_SECONDS = 2.0

LIGHT: QuerySet[Job] = Job.objects.select_related("workspace").defer(
    "spec", "submitted", "metrics", "forms", "custom_fields", "ownership"
)
"""Without what a job was submitted with, which may be megabytes."""


def light_job(workspace: str, name: str) -> Job:
    """Return the job with its workspace; raises ``NotFound``."""
    job = LIGHT.filter(workspace__name=workspace, name=name).first()
    if job is None:
        raise NotFound(f"There is no evaluation '{name}' in workspace '{workspace}'.")
    return job


@dataclass(frozen=True)
class Watched:
    """How a job stands."""

    job: Job
    progress: ProgressReply

    @classmethod
    def of(cls, job: Job) -> "Watched":
        return cls(job, ProgressReply.of(job))

    @property
    def ended(self) -> bool:
        return self.job.state in TERMINAL

    @property
    def tone(self) -> str:
        return TONES.get(State(self.job.state), "")

    @property
    def seconds(self) -> float | None:
        return seconds_of(self.job)

    @property
    def again(self) -> str:
        """What became of it before it was last taken up: ``rerun``, ``resumed``; empty for one that began then."""
        job = self.job
        if job.paused_at and job.active_at and job.paused_at < job.active_at:
            return "resumed"
        return "rerun" if job.reruns else ""

    @property
    def rate(self) -> float | None:
        """Rows a second: lately while it is judged, else over all."""
        recent = self.progress.rows_per_second
        return self.progress.rows_per_second_overall if recent is None else recent

    @property
    def unscored_share(self) -> float:
        return self.job.rows_failed / self.job.rows_done if self.job.rows_done else 0.0


def seconds_of(job: Job) -> float | None:
    """Return for how long the job has been judged, or was, since it was last taken up; None before that."""
    if job.active_at is None:
        return None
    until = job.finished_at or (job.paused_at if job.state == State.PAUSED else None) or timezone.now()
    return max(0.0, (until - job.active_at).total_seconds())


def log_tail(job: Job) -> list[LogLine]:
    """Return the last lines of the job's log, oldest first."""
    return list(reversed(LogLine.objects.filter(job=job).order_by("-pk")[:LOG_LINES]))


def log_may_grow(job: Job) -> bool:
    """Return whether lines may still come."""
    return job.state not in TERMINAL or job.finished_at is None or timezone.now() - job.finished_at < LATE_LINES


# Scores

Aggregates = list[dict[str, Any]]


class ScoreLine(NamedTuple):
    """One score of the rows so far."""

    name: str
    mean: float | None
    std_dev: float | None
    low: float | None
    high: float | None
    scored: int
    unscored: int


def score_lines(aggregates: Aggregates) -> list[ScoreLine]:
    """Return the scores of an aggregate-scores document, one a line."""
    return [
        ScoreLine(
            each["name"],
            each.get("mean"),
            each.get("std_dev"),
            each.get("min"),
            each.get("max"),
            each.get("count", 0),
            each.get("nan_count", 0),
        )
        for each in aggregates
    ]


def stored_scores(job: Job) -> list[ScoreLine] | None:
    """Return the scores that a completed job published; None where that file is gone."""
    try:
        _, place = local.content(job.result_fileset, results.path_of(job, results.AGGREGATES))
        return score_lines(orjson.loads(place.read_bytes()).get("scores", []))
    except (FileMissing, FileNotFoundError):
        return None


@dataclass(frozen=True)
class Folded:
    """The scores of a job's rows, and of which rows, and until when they will do for a job that goes on."""

    lines: list[ScoreLine]
    of: tuple[int, int, str]
    until: float


_folded: OrderedDict[int, Folded] = OrderedDict()
_folding = threading.Lock()


def scores_so_far(job: Job) -> list[ScoreLine] | None:
    """Return the scores of the rows stored so far; None where this version cannot read the job's metrics.

    Folding takes up to a second for 200,000 rows: what was found is shown for ten times as long, to everybody.
    """
    now_of = (job.rows_done, job.reruns, job.state)
    with _folding:
        known = _folded.get(job.pk)
        if known is not None and (known.of == now_of or (job.state not in TERMINAL and time.monotonic() < known.until)):
            return known.lines
        began = time.monotonic()
        try:
            lines = score_lines(wire_summary(job, fold(job))["scores"])
        except ValidationError:
            return None
        took = time.monotonic() - began
        rest = max(LEAST_REST_SECONDS, REST * took)
        _folded[job.pk] = Folded(lines, now_of, began + took + rest)
        while len(_folded) > FOLDED_JOBS:
            _folded.popitem(last=False)
        return lines
