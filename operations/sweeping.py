"""The periodic sweeps by hand, and what each of them did."""

from collections.abc import Callable

from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.module_loading import import_string

from assay.filesets import blobs, prune
from assay.jobs import recover
from assay.jobs.models import Reply, RowBatch, Shard, ShardState, Worker
from assay.platform import counts
from assay.platform.celery import SWEEPS
from assay.platform.models import RowCount


def sweeps() -> dict[str, float]:
    """Return the names of the sweeps, with the seconds between one and the next."""
    return dict(SWEEPS)


def run(name: str) -> str:
    """Run a sweep, and return what it did; empty where there was nothing to do."""
    if name in TELLING:
        return TELLING[name]()
    found = import_string(name)()
    return f"{found} done" if found else ""


def _jobs() -> str:
    lapsed = Shard.objects.filter(state=ShardState.RUNNING, lease_until__lt=timezone.now()).count()
    return _told({"shards that nobody held freed": lapsed, "jobs rung for": recover.sweep()})


def _counts() -> str:
    before = RowCount.objects.count()
    counts.fold()
    return _told({"terms of counts folded": before - RowCount.objects.count()})


def _left_behind() -> str:
    before = _litter()
    recover.tidy()
    after = _litter()
    return _told({what: before[what] - after[what] for what in before})


def _litter() -> dict[str, int]:
    batches = RowBatch.objects.filter(shard=OuterRef("pk"))
    return {
        "shards packed": Shard.objects.filter(Exists(batches)).count(),
        "replies of ended jobs removed": Reply.objects.filter(private=True).count(),
        "workers forgotten": Worker.objects.count(),
    }


def _files() -> str:
    return _told({"commits removed": prune.sweep(), "contents removed": blobs.sweep()})


def _told(done: dict[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in done.items() if count > 0)


TELLING: dict[str, Callable[[], str]] = {
    "assay.jobs.tasks.sweep": _jobs,
    "assay.platform.counts.fold": _counts,
    "assay.jobs.tasks.tidy": _left_behind,
    "assay.filesets.tasks.sweep": _files,
}
"""The sweeps of which more is told than that they ran."""
