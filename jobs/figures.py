"""What the database says of jobs at this moment, for Prometheus: a few counts over indexes, whoever asks."""

import logging
from collections.abc import Iterator
from datetime import datetime

from django.db import Error
from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet, Sum
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from assay.jobs.attendance import present
from assay.jobs.models import Job, Shard, ShardState, State
from assay.jobs.states import RUNNABLE, TERMINAL

logger = logging.getLogger(__name__)

UNFINISHED = [state for state in State if state not in TERMINAL]
HELD = (ShardState.WAITING, ShardState.RUNNING)


class JobFigures(Collector):
    """Jobs that have not ended, their shards, and the workers there are. Asks the database each time, for everybody's.

    While the database is away there is nothing but ``assay_database_up 0``.
    """

    def collect(self) -> Iterator[GaugeMetricFamily]:
        up = GaugeMetricFamily("assay_database_up", "Whether the database answers")
        try:
            figures = _figures()
        except Error as error:
            logger.warning("the database does not answer: %s", type(error).__name__)
            figures = []
        up.add_metric([], bool(figures))
        yield up
        yield from figures


def _figures() -> list[GaugeMetricFamily]:
    jobs = GaugeMetricFamily("assay_jobs", "Jobs that have not ended, by state", labels=["state"])
    _fill(jobs, UNFINISHED, _by_state(Job._base_manager.filter(state__in=UNFINISHED)))
    shards = GaugeMetricFamily("assay_shards", "Shards of jobs that may run, by state", labels=["state"])
    _fill(shards, HELD, _by_state(Shard._base_manager.filter(job__state__in=RUNNABLE, state__in=HELD)))
    oldest = GaugeMetricFamily("assay_queue_oldest_seconds", "How long the oldest job waits that no worker holds")
    since = waiting_since()
    oldest.add_metric([], (timezone.now() - since).total_seconds() if since else 0.0)
    there = present().aggregate(workers=Count("pk"), threads=Sum("threads"))
    workers = GaugeMetricFamily("assay_workers", "Worker processes that were seen lately")
    workers.add_metric([], there["workers"])
    threads = GaugeMetricFamily("assay_worker_threads", "Shards that they can judge at once")
    threads.add_metric([], there["threads"] or 0)
    return [jobs, shards, oldest, workers, threads]


def waiting_since() -> datetime | None:
    """Return since when nothing has happened to the job that waits longest with no worker at it; None: no job does.

    A shard that waits beside running ones of its job waits by design, so it does not count.
    """
    running = Shard._base_manager.filter(job=OuterRef("pk"), state=ShardState.RUNNING)
    free = Q(lease_until=None) | Q(lease_until__lt=timezone.now())
    unheld = Job._base_manager.filter(~Exists(running), free, state__in=RUNNABLE)
    found: datetime | None = unheld.aggregate(since=Min("updated_at"))["since"]
    return found


def _by_state(rows: "QuerySet[Job] | QuerySet[Shard]") -> dict[str, int]:
    return dict(rows.order_by().values_list("state").annotate(count=Count("pk")))


def _fill(metric: GaugeMetricFamily, states: "list[State] | tuple[ShardState, ...]", counts: dict[str, int]) -> None:
    """Add each state, so that one without any is a zero and no gap."""
    for state in states:
        metric.add_metric([state.value], counts.get(state, 0))
