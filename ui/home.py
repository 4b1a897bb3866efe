"""The first page: what runs, what needs somebody, what came of the latest evaluations. It costs the same with many."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, OuterRef, Q, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from assay.evaluator.models import EvalResult
from assay.filesets.models import Fileset
from assay.jobs.attendance import present
from assay.jobs.judges import STAND_IN
from assay.jobs.models import Job, State
from assay.jobs.rates import rates_of
from assay.jobs.waiting import Waiting, broker, waiting_of
from assay.platform.caller import caller
from assay.platform.counts import rows_of
from assay.platform.health import database_answers
from assay.platform.models import RowCount
from assay.platform.sight import Seen
from assay.ui.door import show
from assay.ui.evaluations import GROUPS, LISTED, Line, lines_of, newest_first
from assay.ui.job_live import ScoreLine, score_lines
from assay.workspaces.models import Workspace

LATELY = timedelta(days=1)
OF_INTEREST = timedelta(days=7)
"""So long a failed job is something to look at."""
SOON = timedelta(seconds=5)
SHOWN = 8
SHOWN_SCORES = 4
LOOKED_AT = 100
"""So many of the latest completed jobs are searched for those with many unscored rows."""
MANY_UNSCORED = 0.1


def home(request: HttpRequest) -> HttpResponse:
    if not rows_of(Job):
        return show(request, "ui/home.html", "Home", empty=True, **_begun())
    return show(request, "ui/home.html", "Home", **_now(), **_lately())


def now(request: HttpRequest) -> HttpResponse:
    """What runs, and what needs somebody."""
    return render(request, "ui/home_now.html", _now())


def lately(request: HttpRequest) -> HttpResponse:
    """What the latest evaluations came to, and the workspaces."""
    return render(request, "ui/home_lately.html", _lately())


def _begun() -> dict[str, Any]:
    return {"has_data": Fileset.objects.filter(made_by_job=False).exists(), "outside": caller().sees() == frozenset()}


# Now


@dataclass(frozen=True)
class Running(Line):
    """A job that workers hold: how fast it is, and how long it will take."""

    rate: float | None
    eta: float | None
    why: str
    """What it waits for, such as an endpoint that refuses; empty while it goes on."""

    @classmethod
    def from_line(cls, line: Line) -> "Running":
        job, rates = line.job, rates_of(line.job)
        left = None if job.rows_total is None else max(0, job.rows_total - job.rows_done)
        rate = rates.overall if rates.recent is None else rates.recent
        why = "" if job.message.startswith("Judging") else job.message
        return cls(job, rate, rates.eta(left) if rates.recent is not None else None, why)


@dataclass(frozen=True)
class Held:
    """A job that waits for something."""

    job: Job
    waiting: Waiting | None

    @property
    def long(self) -> bool:
        """Whether it is worth a word: a worker usually takes a job up at once."""
        since = self.job.pending_at or self.job.created_at
        return self.job.state == State.PAUSED or timezone.now() - since > SOON


def _now() -> dict[str, Any]:
    counts = _counts()
    running = [Running.from_line(line) for line in _of(GROUPS["running"])]
    waiting = [Held(line.job, waiting_of(line.job)) for line in _of(GROUPS["waiting"])]
    recent = Q(created_at__gte=timezone.now() - OF_INTEREST)
    failed = lines_of(newest_first(Job.objects.filter(recent, state=State.ERROR), count=SHOWN))
    return {
        "counts": counts,
        "running": running,
        "more_running": counts["running"] - len(running),
        "waiting": [held for held in waiting if held.long],
        "failed": failed,
        "unscored": _badly_scored(),
        "health": _health(),
        "pause": "every 2s" if counts["running"] + counts["waiting"] > counts["paused"] else "every 10s",
    }


def _of(states: Iterable[State]) -> list[Line]:
    return lines_of(newest_first(Job.objects.filter(state__in=states), count=SHOWN))


def _counts() -> dict[str, int]:
    """Return how many jobs are in which state, and what became of those that were submitted lately."""
    lately = Count("pk", filter=Q(created_at__gte=timezone.now() - LATELY))
    rows = Job.objects.values_list("state").annotate(every=Count("pk"), lately=lately).order_by()
    found = {state: (every, new) for state, every, new in rows}
    every = {state: found.get(state, (0, 0))[0] for state in State}
    return {
        "running": sum(every[state] for state in GROUPS["running"]),
        "waiting": sum(every[state] for state in GROUPS["waiting"]),
        "paused": every[State.PAUSED],
        "failed": found.get(State.ERROR, (0, 0))[1],
        "completed": found.get(State.COMPLETED, (0, 0))[1],
        "ever_completed": every[State.COMPLETED],
        "ever_failed": every[State.ERROR],
    }


def _badly_scored() -> list[Line]:
    """Return the latest completed jobs of which many rows have no score."""
    recent = Job.objects.filter(state=State.COMPLETED, created_at__gte=timezone.now() - OF_INTEREST)
    keys = newest_first(recent, count=LOOKED_AT)
    rows = Job.objects.filter(pk__in=keys, rows_failed__gt=0).values_list("pk", "rows_failed", "rows_done")
    bad = {key for key, failed, done in rows if failed >= MANY_UNSCORED * done}
    return lines_of([key for key in keys if key in bad][:SHOWN])


@dataclass(frozen=True)
class Health:
    """Whether what the platform is made of is there."""

    database: bool
    broker: bool
    workers: int
    threads: int
    database_kind: str

    @property
    def trouble(self) -> str:
        """Return what is wrong; empty where nothing is."""
        if not self.database:
            return "The database does not answer"
        if not self.broker:
            return "The broker cannot be reached"
        return "" if self.workers else "No worker is there"


def _health() -> Health:
    there = present().aggregate(workers=Count("pk"), threads=Sum("threads"))
    kind = "Postgres" if connection.vendor == "postgresql" else "SQLite"
    return Health(database_answers(), broker.answers(), there["workers"], there["threads"] or 0, kind)


# Lately


@dataclass(frozen=True)
class Outcome(Line):
    """What a completed job came to."""

    scores: list[ScoreLine]
    more_scores: int

    @property
    def stand_in(self) -> bool:
        return STAND_IN in self.judges


@dataclass(frozen=True)
class Room:
    """A workspace and how much is in it."""

    name: str
    description: str
    evaluations: int
    filesets: int
    latest: datetime | None


def _lately() -> dict[str, Any]:
    rooms = Workspace.objects.count()
    return {"outcomes": _outcomes(), "rooms": _rooms(), "more_rooms": max(0, rooms - SHOWN)}


def _outcomes() -> list[Outcome]:
    lines = lines_of(newest_first(Job.objects.filter(state=State.COMPLETED), count=SHOWN))
    places = Q()
    for line in lines:
        places |= Q(workspace=line.job.workspace_id, name=line.job.name)
    # They are kept beside the job, so that no file is read here.
    kept = EvalResult.objects.filter(places).values_list("workspace", "name", "scores") if lines else []
    by_place = {(workspace, name): score_lines(scores.get("scores", [])) for workspace, name, scores in kept}
    found = []
    for line in lines:
        scores = by_place.get((line.job.workspace_id, line.job.name), [])
        found.append(Outcome(line.job, scores[:SHOWN_SCORES], max(0, len(scores) - SHOWN_SCORES)))
    return sorted(found, key=lambda each: each.job.finished_at or each.job.created_at, reverse=True)


def _rooms() -> list[Room]:
    """Return the workspaces with the most evaluations, by counts that the database keeps."""
    rows = RowCount.objects.filter(Seen("workspace"), table=Job._meta.db_table)
    evaluations = dict(rows.values_list("workspace").annotate(count=Sum("rows")).order_by("-count")[:SHOWN])
    chosen = Workspace.objects.filter(pk__in=evaluations)
    if len(evaluations) < SHOWN:
        others = Workspace.objects.exclude(pk__in=evaluations).order_by("name")[: SHOWN - len(evaluations)]
        chosen = Workspace.objects.filter(pk__in=[*evaluations, *others.values_list("pk", flat=True)])
    latest = LISTED.filter(workspace=OuterRef("pk")).order_by("-created_at").values("created_at")[:1]
    # In this order an index of those that no job made is read, and they are few; grouped, all would be.
    data = Fileset.objects.filter(made_by_job=False).order_by("created_at")
    filesets = Counter(data.values_list("workspace", flat=True))
    rooms = [
        Room(each.name, each.description or "", evaluations.get(each.pk, 0), filesets[each.pk], each.latest)
        for each in chosen.annotate(latest=Subquery(latest))
    ]
    return sorted(rooms, key=lambda room: (-room.evaluations, room.name))
