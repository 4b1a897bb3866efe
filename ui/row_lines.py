"""The whole rows of a page, however far apart they are: in as many queries for fifty shards as for one."""

import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from assay.jobs.models import Job, RowBatch, RowPack, Shard
from assay.jobs.packs import Frames, RowLost, WholeRows, read_members
from assay.ui.row_road import Found

Lines = dict[int, bytes]
"""Rows as JSON, by their numbers."""


def lines_of(job: Job, rows: Sequence[Found]) -> Lines:
    """Return the whole rows; those that are lost are not among them."""
    found = _in_batches([row for row in rows if row.batch is not None])
    found |= _in_packs(job, [row.number for row in rows if row.number not in found])
    whole = WholeRows(job)
    for row in sorted(rows):  # packed, or judged again, since their scores were read
        if row.number not in found and (line := line_of(whole, row)) is not None:
            found[row.number] = line
    return found


def line_of(whole: WholeRows, row: Found) -> bytes | None:
    """Return one whole row; None if it is lost."""
    try:
        return whole.line(row.number, row.batch)
    except RowLost:
        return None


def _in_batches(rows: Sequence[Found]) -> Lines:
    wanted = {(row.batch, row.number) for row in rows}
    found: Lines = {}
    for batch in RowBatch.objects.filter(pk__in={row.batch for row in rows}) if rows else ():
        lines = zip(batch.rows, zlib.decompress(batch.content).splitlines(), strict=True)
        found |= {number: line for number, line in lines if (batch.pk, number) in wanted}
    return found


def _in_packs(job: Job, numbers: Sequence[int]) -> Lines:
    if not numbers:
        return {}
    spans = list(Shard.objects.filter(job=job).order_by("start").values_list("start", "pk"))
    by_shard: dict[int, list[int]] = {}
    for number in sorted(numbers):
        place = bisect_right(spans, number, key=lambda span: span[0]) - 1
        if place >= 0:
            by_shard.setdefault(spans[place][1], []).append(number)
    found: Lines = {}
    for pack in RowPack.objects.filter(job=job, shard__in=by_shard).select_related("blob").defer("folded"):
        found |= dict(_lines(pack, by_shard[pack.shard_id]))
    return found


def _lines(pack: RowPack, numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """Yield the rows with these numbers, in their order, that are in the pack."""
    chosen: Frames = []
    within: list[list[int]] = []
    for number in numbers:
        place = bisect_right(pack.frames, number, key=lambda frame: frame[0]) - 1
        frame = pack.frames[place] if place >= 0 else [0, 0, 0]
        if not frame[0] <= number < frame[0] + frame[2]:
            continue
        if not chosen or chosen[-1] != frame:
            chosen.append(frame)
            within.append([])
        within[-1].append(number)
    try:
        for frame, member, wanted in zip(chosen, read_members(pack.blob, chosen), within, strict=True):
            lines = member.splitlines()
            yield from ((number, lines[number - frame[0]]) for number in wanted)
    except FileNotFoundError:  # packed anew meanwhile
        return
