"""What goes after its time: each verb yields what goes and what stays in its way, and with ``dry`` changes nothing."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from django.db.models import Count, Exists, Max, Min, Model, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Length
from django.utils import timezone

from assay.evaluator.models import EvalResult
from assay.jobs import replies_kept
from assay.jobs.models import Job
from assay.jobs.replies_kept import Which
from assay.jobs.states import TERMINAL
from assay.operations import hub_cache, orphans
from assay.platform.errors import Conflict, NotFound
from assay.workspaces import deletion


class What(StrEnum):
    JOBS = "jobs"
    """That have ended, with their rows, log and result files."""
    RESULTS = "results"
    """Aggregates of jobs that are gone."""
    REPLIES = "replies"
    """Of models, which a job that asks the same again pays for again."""
    ORPHANS = "orphans"
    """Files of the store that the database does not know."""
    HUB_CACHE = "hub-cache"
    """Downloads from hubs, which are fetched again when they are needed."""


OF_A_WORKSPACE = (What.JOBS, What.RESULTS, What.REPLIES)


class Line(NamedTuple):
    """One thing, or many of a kind, and what becomes of it."""

    what: What
    name: str
    size: str = ""
    kept: str = ""
    """Why it stays; empty: it goes."""

    def __str__(self) -> str:
        size = f", {self.size}" if self.size else ""
        return f"{self.what}: {self.name}{size}" + (f"; kept: {self.kept}" if self.kept else "")


@dataclass(frozen=True)
class Rule:
    older_than: timedelta | None = None
    """By when a job ended, a reply or a result was stored, a download was last read."""
    workspace: str | None = None
    keep_bytes: int | None = None
    """Of the downloads from hubs so many stay, those that were read last."""
    dry: bool = False


def apply(what: What, rule: Rule) -> Iterator[Line]:
    """Delete what the rule says of one kind, and yield it as it goes."""
    match what:
        case What.JOBS:
            yield from _deleted(what, _jobs(rule), rule.dry)
        case What.RESULTS:
            yield from _deleted(what, _results(rule), rule.dry)
        case What.REPLIES:
            yield from _replies(rule)
        case What.ORPHANS:
            for name, size in orphans.removed(dry=rule.dry):
                yield Line(what, name, f"{size} bytes")
        case What.HUB_CACHE:
            for download in hub_cache.pruned(rule.older_than, rule.keep_bytes, dry=rule.dry):
                yield Line(what, download.name, f"{download.size} bytes, {download.why}", download.kept)


def _jobs(rule: Rule) -> QuerySet[Job]:
    """Return the jobs that go, the last ones first: who reads another one's results ended after it."""
    jobs = Job.objects.filter(_of(rule), state__in=TERMINAL, finished_at__lt=_before(rule))
    return jobs.select_related("workspace").defer("spec", "metrics").order_by("-finished_at")


def _results(rule: Rule) -> QuerySet[EvalResult]:
    job = Job.objects.filter(workspace=OuterRef("workspace"), name=OuterRef("name"))
    results = EvalResult.objects.filter(_of(rule), ~Exists(job), updated_at__lt=_before(rule))
    return results.select_related("workspace").defer("scores").order_by("updated_at")


def _deleted(what: What, rows: QuerySet[Job] | QuerySet[EvalResult], dry: bool) -> Iterator[Line]:
    gone: set[str] = set()
    for key in list(rows.values_list("pk", flat=True)):
        row = rows.filter(pk=key).first()  # looked at now: meanwhile it may have been judged again
        if row is None:
            continue
        size = f"{row.rows_done} rows, ended {row.finished_at:%Y-%m-%d}" if isinstance(row, Job) else ""
        kept = _in_the_way(row, gone) if dry else _delete(row)
        if not kept:
            gone.add(str(row))
        yield Line(what, str(row), size, kept)


def _in_the_way(row: Model, gone: Collection[str] = ()) -> str:
    """Return what uses it, but for the jobs that are gone before it."""
    using = (each for each in deletion.blockers(row) if each.kind != "job" or each.name not in gone)
    return ", ".join(f"used by {each}" for each in using)


def _delete(row: Model) -> str:
    """Delete it; returns why it stays, if it does."""
    try:
        deletion.delete(row)
    except Conflict as error:
        return _in_the_way(row) or str(error.detail)
    except NotFound:
        return "somebody else deleted it"
    return ""


def _replies(rule: Rule) -> Iterator[Line]:
    which = Which(workspace=rule.workspace, older_than=rule.older_than)
    unfinished = Job.objects.exclude(state__in=TERMINAL).values("uid")
    going = which.rows().exclude(job_uid__in=unfinished).values_list("workspace__name", "model")
    counted = going.annotate(
        count=Count("pk"), size=Sum(Length("body")), oldest=Min("created_at"), newest=Max("created_at")
    )
    for workspace, model, count, size, oldest, newest in counted.order_by("workspace__name", "model"):
        span = f"{oldest:%Y-%m-%d} to {newest:%Y-%m-%d}"
        yield Line(What.REPLIES, f"{workspace} {model}", f"{count} replies, {size} bytes, {span}")
    if not rule.dry:
        replies_kept.prune(which)


def _of(rule: Rule) -> Q:
    return Q() if rule.workspace is None else Q(workspace__name=rule.workspace)


def _before(rule: Rule) -> datetime:
    assert rule.older_than is not None  # the door asks for it
    return timezone.now() - rule.older_than
