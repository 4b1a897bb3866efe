"""Where whole rows are: in batches as they landed, until their shard is done and they are packed into one file.

A row whose score names a batch is in that batch; any other is in its shard's pack. A pack is a gzip file of JSON lines
in row order, made of members of a few rows each, so that any tool reads all of it and we read a page of it.
"""

import zlib
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from django.db.models import Count, Exists, OuterRef, Subquery

from assay.filesets import blobs
from assay.filesets.models import Blob
from assay.jobs.models import Job, RowBatch, RowPack, RowScore, Shard

ROWS_AT_ONCE = 1000
"""Scores that are read with one query."""
OPEN_BATCHES = 64
PIECE = 32 * 1024
GZIP = 16 + zlib.MAX_WBITS

Frames = list[list[int]]
"""``[[first row, offset of its member, rows in it], …]``: the rows of a member follow each other without a gap."""


class RowLost(Exception):
    """A row's score is there, and its whole row is nowhere to be found."""


def stored_rows(job: Job, *columns: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[Any, ...]]:
    """Yield the index and some columns of the rows stored so far, from ``start`` up to ``stop``, in row order."""
    last = start - 1
    while True:
        # Page by page: one cursor over millions of rows would hold a read transaction open for minutes.
        rows = RowScore.objects.filter(job=job, row_index__gt=last).order_by("row_index")
        rows = rows if stop is None else rows.filter(row_index__lt=stop)
        page = list(rows.values_list("row_index", *columns)[:ROWS_AT_ONCE])
        if not page:
            return
        last = page[-1][0]
        yield from page


def whole_rows(job: Job, *columns: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[Any, ...]]:
    """Yield the index, some columns, and at last the whole row as a line of JSON, without its end, in row order.

    Raises ``RowLost``.
    """
    whole = WholeRows(job)
    for index, batch, *values in stored_rows(job, "batch_id", *columns, start=start, stop=stop):
        line = whole.line(index, batch)
        if line is not None:
            yield index, *values, line


def row_at(job: Job, index: int) -> bytes | None:
    """Return the row as a line of JSON; None if it is not stored (yet). Raises ``RowLost``."""
    found = next(whole_rows(job, start=index, stop=index + 1), None)
    return found[-1] if found else None


class WholeRows:
    """Finds the whole rows of a job, best in row order: it keeps the batches that are half read, and one member."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._batches: dict[int, dict[int, bytes]] = {}
        self._span = range(0)
        """The rows of the shard that ``_pack`` is of."""
        self._pack: RowPack | None = None
        self._first = 0
        self._member: list[bytes] = []

    def line(self, index: int, batch: int | None) -> bytes | None:
        """Return the row whose score names that batch, or none; None if it was taken away meanwhile."""
        for _ in range(3):
            line = None if batch is None else self._in_batch(batch, index)
            line = self._in_pack(index) if line is None else line
            if line is not None:
                return line
            # Packed or judged again since its score was read.
            self._span, self._member = range(0), []
            score = RowScore.objects.filter(job=self.job, row_index=index).values_list("batch_id").first()
            if score is None:
                return None
            batch = score[0]
        raise RowLost(f"Row {index} of job {self.job} is neither in a batch nor in a pack.")

    def _in_batch(self, key: int, index: int) -> bytes | None:
        lines = self._batches.get(key)
        if lines is None or index not in lines:
            batch = RowBatch.objects.filter(pk=key).first()
            if batch is None:
                return None
            lines = dict(zip(batch.rows, zlib.decompress(batch.content).splitlines(), strict=True))
            if len(self._batches) >= OPEN_BATCHES:
                del self._batches[next(iter(self._batches))]
            self._batches[key] = lines
        line = lines.pop(index, None)
        if not lines:
            del self._batches[key]
        return line

    def _in_pack(self, index: int) -> bytes | None:
        if index not in self._span:
            shard = Shard.objects.filter(job=self.job, start__lte=index, stop__gt=index).first()
            if shard is None:
                return None
            self._span = range(shard.start, shard.stop)
            self._pack = RowPack.objects.filter(shard=shard).select_related("blob").defer("folded").first()
            self._member = []
        if self._pack is None:
            return None
        if not self._first <= index < self._first + len(self._member):
            frames: Frames = self._pack.frames
            place = bisect_right(frames, index, key=lambda frame: frame[0]) - 1
            if place < 0 or index >= frames[place][0] + frames[place][2]:
                return None
            try:
                self._member = next(read_members(self._pack.blob, frames[place : place + 1])).splitlines()
            except FileNotFoundError:
                return None
            self._first = frames[place][0]
        return self._member[index - self._first]


def read_members(blob: Blob, frames: Frames) -> Iterator[bytes]:
    """Yield the lines of the members of a pack that begin where ``frames`` say, a member at a time."""
    with blobs.open(blob) as file:
        yield from members_in(file, frames)


def members_in(file: BinaryIO, frames: Frames) -> Iterator[bytes]:
    """Yield the lines of the members of an open pack, a member at a time."""
    for _, offset, _ in frames:
        file.seek(offset)
        unpacker = zlib.decompressobj(GZIP)
        yield b"".join(_unpacked(file, unpacker))


def _unpacked(file: BinaryIO, unpacker: "zlib._Decompress") -> Iterator[bytes]:
    """Yield what one member holds, whatever comes after it; raises ``EOFError`` where the file ends within."""
    while not unpacker.eof:
        piece = file.read(PIECE)
        if not piece:
            raise EOFError("a pack ends in the middle of a member")
        yield unpacker.decompress(piece)


class Section(NamedTuple):
    """The rows of a shard, and their pack where it holds the rows that are stored, all of them and no others."""

    start: int
    stop: int
    pack: RowPack | None


def sections(job: Job, *, folded: bool = False) -> list[Section]:
    """Return where the rows stored so far are, in row order, in two queries for any number of rows.

    With ``folded`` the packs' scores are at hand.
    """
    # Looked at before the packs: a pack made since is true of its shard as well.
    rows = RowScore.objects.filter(job=job, row_index__gte=OuterRef("start"), row_index__lt=OuterRef("stop"))
    count = rows.order_by().values("job").annotate(count=Count("row_index")).values("count")
    batches = RowBatch.objects.filter(shard=OuterRef("pk"))
    shards = list(
        Shard.objects.filter(job=job)
        .annotate(rows=Subquery(count), batched=Exists(batches))
        .order_by("start")
        .values_list("pk", "start", "stop", "rows", "batched")
    )
    packs = RowPack.objects.filter(job=job).select_related("blob")
    by_shard = {pack.shard_id: pack for pack in (packs if folded else packs.defer("folded"))}
    found = []
    for key, start, stop, stored, batched in shards:
        pack = by_shard.get(key)
        exact = pack is not None and not batched and stored == sum(frame[2] for frame in pack.frames)
        found.append(Section(start, stop, pack if exact else None))
    return found


def row_lines(job: Job) -> Iterator[bytes]:
    """Yield the rows stored so far as lines of JSON in row order, one or many at a time. Raises ``RowLost``."""
    for section in sections(job):
        if section.pack is not None:
            yield from read_members(section.pack.blob, section.pack.frames)
        else:
            for *_, line in whole_rows(job, start=section.start, stop=section.stop):
                yield line + b"\n"
