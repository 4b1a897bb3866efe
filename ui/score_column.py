"""One score of a job's rows so far, in the order of its values: so sorting and filtering by it open few rows.

Each packed shard holds its scores folded, without the rows' numbers; those are all rows of the shard but the unscored.
A shard sorted once is remembered: its file never changes.
"""

import heapq
import math
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson
from django.db.models import TextField
from django.db.models.functions import Cast

from assay.jobs.folded import Buffer
from assay.jobs.models import Job, RowPack, RowScore
from assay.jobs.packs import Section, sections, stored_rows
from assay.ui.job_scores import JobScore
from assay.ui.recent import Recent, Rest

Ranked = tuple[float, int]
"""A value, and the row that has it."""
Bounds = tuple[float | None, float | None]
"""The lowest and the highest value that are wanted; None for none."""
PACKS_AT_ONCE = 25
_known: Recent[tuple[int, str, str], "Run"] = Recent(400)
"""Of shards of 2000 rows: up to 13 MB."""
_packed: Recent[Rest, list[Section]] = Recent(8)


@dataclass(frozen=True)
class Run:
    """The scored rows of a shard, by value and then by row."""

    values: Sequence[float]
    rows: Sequence[int]

    @classmethod
    def of(cls, values: Sequence[float], rows: Sequence[int]) -> "Run":
        """Sort the values of rows that are given in their order."""
        order = sorted(range(len(rows)), key=values.__getitem__)
        return cls(array("d", [values[place] for place in order]), array("q", [rows[place] for place in order]))

    def span(self, bounds: Bounds) -> tuple[int, int]:
        """Return the place of the first value within the bounds, and the one after the last."""
        low, high = bounds
        first = 0 if low is None else bisect_left(self.values, low)
        return first, max(first, len(self.values) if high is None else bisect_right(self.values, high))

    def place(self, ranked: Ranked, *, after: bool) -> int:
        """Return where the row with that value stands, or would; with ``after`` the place behind it."""
        value, row = ranked
        first, stop = bisect_left(self.values, value), bisect_right(self.values, value)
        return (bisect_right if after else bisect_left)(self.rows, row, first, stop)


class ScoreColumn:
    """All values of one score."""

    def __init__(self, runs: list[Run]) -> None:
        self.runs = runs
        """In the order of the shards' rows."""

    def count(self, bounds: Bounds = (None, None)) -> int:
        """Return how many rows have a value within the bounds."""
        return sum(stop - first for first, stop in (run.span(bounds) for run in self.runs))

    def by_row(self, bounds: Bounds, start: float, *, forwards: bool) -> Iterator[int]:
        """Yield the rows within the bounds that come after ``start``, or backwards those before it."""
        for run in self.runs if forwards else reversed(self.runs):
            first, stop = run.span(bounds)
            rows = sorted(run.rows[first:stop], reverse=not forwards)
            yield from (row for row in rows if (row > start if forwards else row < start))

    def by_value(self, bounds: Bounds, start: Ranked | None, *, rising: bool) -> Iterator[int]:
        """Yield the rows within the bounds by value and then by number, from beyond ``start`` on; falling: reversed."""
        ranked = [_ranked(run, bounds, start, rising=rising) for run in self.runs]
        return (row for _, row in heapq.merge(*ranked, reverse=not rising))


def _ranked(run: Run, bounds: Bounds, start: Ranked | None, *, rising: bool) -> Iterator[Ranked]:
    first, stop = run.span(bounds)
    if start is not None and rising:
        first = max(first, run.place(start, after=True))
    elif start is not None:
        stop = min(stop, run.place(start, after=False))
    for place in range(first, stop) if rising else range(stop - 1, first - 1, -1):
        yield run.values[place], run.rows[place]


def column_of(job: Job, score: JobScore) -> ScoreColumn:
    """Return the score's values in the rows stored so far."""
    found = _sections(job)
    packed = {section.pack.pk: (section.pack.pk, section.pack.blob_id, score.full) for section in found if section.pack}
    known = {pk: run for pk, key in packed.items() if (run := _known.get(key))}
    lacking = [section for section in found if section.pack and section.pack.pk not in known]
    for pk, run in _read(job, score, lacking):
        _known.put(packed[pk], run)
        known[pk] = run
    return ScoreColumn([known[each.pack.pk] if each.pack else _loose(job, score, each) for each in found])


def _sections(job: Job) -> list[Section]:
    """Return where the rows are; of a job at rest that is looked up once, when all of them are packed."""
    rest = Rest.of(job)
    known = _packed.get(rest) if rest else None
    found = sections(job) if known is None else known
    if rest and all(section.pack for section in found):
        _packed.put(rest, found)
    return found


def _loose(job: Job, score: JobScore, section: Section) -> Run:
    """Return a shard's values from its row scores."""
    stored = stored_rows(job, "scores", start=section.start, stop=section.stop)
    valued = [(value, row) for row, scores in stored if (value := score.value(scores)) is not None]
    finite = [(value, row) for value, row in valued if math.isfinite(value)]
    return Run.of([value for value, _ in finite], [row for _, row in finite])


def _read(job: Job, score: JobScore, packed: list[Section]) -> Iterator[tuple[int, Run]]:
    """Yield the values of packed shards, with the key of each pack."""
    if not packed:
        return
    unscored = _unscored(job, packed[0].start, packed[-1].stop)
    for first in range(0, len(packed), PACKS_AT_ONCE):
        chosen = packed[first : first + PACKS_AT_ONCE]
        keys = [section.pack.pk for section in chosen if section.pack]
        folded = dict(RowPack.objects.filter(pk__in=keys).values_list("pk", "folded"))
        for section in chosen:
            if section.pack and section.pack.pk in folded:
                run = _unfolded(score, section, folded[section.pack.pk], unscored)
                yield section.pack.pk, run or _loose(job, score, section)
            elif section.pack:  # packed anew meanwhile
                yield section.pack.pk, _loose(job, score, section)


Unscored = tuple[list[int], list[str]]
"""The rows that lack a score, in their order, and the scores of each as JSON."""


def _unscored(job: Job, start: int, stop: int) -> Unscored:
    rows = RowScore.objects.filter(job=job, scored=False, row_index__gte=start, row_index__lt=stop)
    # As text: of most rows it need not be read.
    found = rows.order_by("row_index").values_list("row_index", Cast("scores", TextField()))
    indexes, texts = [], []
    for index, text in found.iterator(chunk_size=2000):
        indexes.append(index)
        texts.append(text)
    return indexes, texts


def _unfolded(score: JobScore, section: Section, folded: Buffer, unscored: Unscored) -> Run | None:
    """Return the values that a pack holds beside the numbers of their rows; None if these do not match."""
    assert section.pack is not None
    values = orjson.loads(zlib.decompress(folded))["scores"].get(score.metric, {}).get(score.name, {}).get("values", [])
    indexes, texts = unscored
    first, stop = bisect_left(indexes, section.start), bisect_left(indexes, section.stop)
    rows = [row for start, _, count in section.pack.frames for row in range(start, start + count)]
    without = set(indexes[first:stop])
    if len(rows) - len(values) != len(without):
        # Some rows lack another score and have this one.
        read = zip(indexes[first:stop], texts[first:stop], strict=True)
        without = {index for index, text in read if score.value(orjson.loads(text)) is None}
    scored = [row for row in rows if row not in without] if without else rows
    return Run.of(values, scored) if len(scored) == len(values) else None
