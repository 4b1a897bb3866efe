"""Packing: a finished shard's rows go from their batches into one file, and their scores are folded (`packs.py`)."""

import logging
import zlib
from collections.abc import Collection, Iterator
from datetime import timedelta

import orjson
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from assay.filesets import blobs
from assay.jobs.folded import Folding
from assay.jobs.joined import Joined
from assay.jobs.leases import SHARDS_AT_ONCE
from assay.jobs.models import Job, RowBatch, RowPack, RowScore, Shard, ShardState
from assay.jobs.packs import GZIP, Frames, whole_rows
from assay.jobs.parts import metrics_of
from assay.jobs.states import TERMINAL

logger = logging.getLogger(__name__)

MEMBER_ROWS = 25
"""Fewer make a page of scattered rows cheaper, and packs a few percent larger."""
MEMBER_BYTES = 256 * 1024
"""A member of a pack ends with the row that goes beyond it."""
LEVEL = 1
SETTLED = timedelta(seconds=10)
"""So long after a job's end, whoever ended it will not pack its rows any more."""


def members(job: Job, start: int, stop: int, frames: Frames, folding: Folding) -> Iterator[bytes]:
    """Yield the rows stored so far as a pack, a member at a time; fills in ``frames`` and ``folding`` meanwhile."""
    held: list[bytes] = []
    first = size = offset = 0
    for index, scores, line in whole_rows(job, "scores", start=start, stop=stop):
        if held and (index != first + len(held) or len(held) >= MEMBER_ROWS or size >= MEMBER_BYTES):
            member = _member(held)
            frames.append([first, offset, len(held)])
            offset += len(member)
            yield member
            held, size = [], 0
        if not held:
            first = index
        held.append(line)
        size += len(line)
        folding.add(index, scores, orjson.loads(line)["item"])
    if held:
        frames.append([first, offset, len(held)])
        yield _member(held)


def _member(lines: Collection[bytes]) -> bytes:
    packer = zlib.compressobj(LEVEL, wbits=GZIP)  # says nothing of the time: the same rows make the same pack
    return packer.compress(b"\n".join(lines) + b"\n") + packer.flush()


def pack(shard: Shard) -> bool:
    """Put the rows of the shard into one file, in the place of its batches; nothing runs it any more.

    Done twice, or after a crash at any instant, it gives the same. Returns False where there is nothing to pack, or
    somebody else packed it meanwhile. Raises ``RowLost``, and what the disk raises.
    """
    batches = list(RowBatch.objects.filter(shard=shard).values_list("pk", flat=True))
    if not batches:
        return False
    before = RowPack.objects.filter(shard=shard).values_list("blob_id", flat=True).first()
    frames: Frames = []
    folding = Folding(metrics_of(shard.job))
    blob = blobs.put(Joined(members(shard.job, shard.start, shard.stop, frames, folding)))
    with transaction.atomic():
        if Shard.objects.select_for_update().filter(pk=shard.pk).first() is None:
            return False
        still = RowBatch.objects.filter(shard=shard, pk__in=batches)
        now = RowPack.objects.filter(shard=shard).values_list("blob_id", flat=True).first()
        if now != before or still.count() != len(batches):
            return False
        RowPack.objects.update_or_create(
            shard=shard,
            defaults={"job_id": shard.job_id, "blob": blob, "frames": frames, "folded": folding.to_bytes()},
        )
        rows = RowScore.objects.filter(job_id=shard.job_id, row_index__gte=shard.start, row_index__lt=shard.stop)
        rows.filter(batch_id__in=batches).update(batch=None)
        still.delete()
    return True


def pack_early(shard: Shard) -> None:
    """Pack the shard if it is done and its job is a large one; of a small one the result comes first."""
    if Shard.objects.filter(job_id=shard.job_id).count() > SHARDS_AT_ONCE:
        for found in unpacked(Q(pk=shard.pk), 1):
            _try(found)


def pack_done(job: Job) -> None:
    """Pack what is unpacked of the job's finished shards. What cannot be is noted, and left as it is."""
    for shard in unpacked(Q(job=job), 10_000):
        _try(shard)


def pack_left_overs(limit: int) -> int:
    """Pack up to ``limit`` shards of ended jobs that nobody packed, and return how many there were."""
    ended = Q(job__state__in=TERMINAL, job__finished_at__lt=timezone.now() - SETTLED)
    return sum(_try(shard) for shard in unpacked(ended, limit))


def unpacked(which: Q, limit: int) -> list[Shard]:
    """Return up to ``limit`` such shards that nobody runs and that have rows in batches."""
    batches = RowBatch.objects.filter(shard=OuterRef("pk"))
    over = Q(state=ShardState.DONE) | Q(job__state__in=TERMINAL) & ~Q(state=ShardState.RUNNING)
    found = Shard.objects.filter(which, over, Exists(batches)).exclude(pk__in=_unpackable)
    return list(found.select_related("job__workspace").order_by("job_id", "index")[:limit])


_unpackable: set[int] = set()
"""Shards that this process could not pack: they do not stand in the way of others."""


def _try(shard: Shard) -> bool:
    told = f"cannot pack the rows of shard {shard.index} of job {shard.job}"
    try:
        packed = pack(shard)
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA shrink_memory")  # else each thread keeps 16 MB of batches that are gone
        return packed
    except (OperationalError, InterfaceError, OSError) as error:
        logger.warning("%s (%s); the sweep will try again", told, error)
    except Exception:
        logger.exception("%s", told)
        _unpackable.add(shard.pk)
    return False
