"""A fileset as rows: which files a job reads and how many rows they hold, then any part of them as a stream."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from assay.filesets import blobs, history
from assay.filesets.models import Blob, Fileset, Storage
from assay.platform.errors import Invalid, Refusal
from assay_sdk.engine.dataset import PLAIN, Reading, count_items, read_items
from assay_sdk.engine.errors import DatasetError, DatasetUnfinished
from assay_sdk.engine.mapping import Unmapped
from assay_sdk.engine.selection import select
from assay_sdk.engine.spec import FieldMapping

SHOWN = 8
"""Files that a message names."""


class RowsUnreadable(Invalid):
    """The rows cannot be read: ``NothingSelected``, ``FileUnreadable``, ``Unfinished``, ``NoRows``, ``ColumnsMissing``.

    The message says what to fix.
    """


class NothingSelected(RowsUnreadable):
    def __init__(self, fileset: Fileset, fragment: str, there: Sequence[str]) -> None:
        named = ", ".join(there[:SHOWN]) + (f" and {len(there) - SHOWN} more" if len(there) > SHOWN else "")
        what = f"'{fragment}' matches" if fragment else "There is"
        rest = f"It holds: {named}." if there else "It holds no files."
        super().__init__(f"{what} no data file in fileset '{fileset}'. {rest}")


class FileUnreadable(RowsUnreadable):
    pass


class Unfinished(FileUnreadable):
    """More would have to be read than may be while somebody waits (``Reading.glance``)."""


class NoRows(RowsUnreadable):
    pass


class ColumnsMissing(RowsUnreadable):
    """The field mapping names a column that no row has."""


class Input(Protocol):
    """A file that a job reads, pinned: our own by its blob, a hub's (without one) by the revision."""

    @property
    def path(self) -> str: ...
    @property
    def blob(self) -> Blob | None: ...
    @property
    def rows(self) -> int: ...


@dataclass(frozen=True)
class PlannedInput:
    path: str
    blob: Blob | None
    rows: int
    """Rows that it holds; of the last one, no more than the limit needs."""


def plan_inputs(
    fileset: Fileset,
    revision: str,
    fragment: str,
    limit: int | None,
    mapping: FieldMapping | None = None,
    *,
    named: str = "",
    reading: Reading = PLAIN,
) -> list[PlannedInput]:
    """Return the files that ``fragment`` selects, in order, with their rows counted, as far as ``limit`` rows go.

    ``named`` keeps those that hold it in their path; ``revision`` may be empty for the present files of our own store.

    Each counted row is decoded, and the mapped columns are looked for, so that a broken line or a misspelt column is
    told before the first judge call is paid. Raises ``RowsUnreadable``.
    """
    found = _files(fileset, revision)
    chosen = [path for path in select(found, fragment) if named in path]
    if not chosen:
        raise NothingSelected(fileset, fragment, sorted(found))
    planned: list[PlannedInput] = []
    unmapped = Unmapped(mapping)
    left = limit
    for path in chosen:
        if left == 0:
            break
        with _opened(fileset, revision, path, found[path]) as file:
            rows = count_items(file, path, left, reading)
            if unmapped:
                file.seek(0)
                unmapped.see(islice(read_items(file, path, reading=reading), rows))
        planned.append(PlannedInput(path, found[path], rows))
        left = None if left is None else left - rows
    if not any(file.rows for file in planned):
        raise NoRows(f"The files of fileset '{fileset}' hold no rows: {', '.join(chosen[:SHOWN])}.")
    if unmapped:
        raise ColumnsMissing(f"Fileset '{fileset}': {unmapped}")
    return planned


def stream(
    fileset: Fileset, revision: str, inputs: Sequence[Input], start: int, stop: int, reading: Reading = PLAIN
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (index, item) of rows ``start`` up to ``stop``, numbered through the inputs, in flat memory.

    What comes before ``start`` is passed over, not decoded where the format allows. Raises ``RowsUnreadable``.
    """
    first = 0
    for each in inputs:
        begin, end = max(start, first), min(stop, first + each.rows)
        if begin < end:
            with _opened(fileset, revision, each.path, each.blob) as file:
                yield from enumerate(islice(read_items(file, each.path, begin - first, reading), end - begin), begin)
        first += each.rows


def _files(fileset: Fileset, revision: str) -> dict[str, Blob | None]:
    """Return the files; those of our own store are the present ones where no revision is given."""
    if fileset.storage_type == Storage.LOCAL and revision:
        with _told():
            tree = history.tree_of(history.resolve(fileset, revision))
        held = Blob.objects.filter(held_in__fileset=fileset).in_bulk()
        return {entry.path: held[entry.sha256] for entry in tree}
    if fileset.storage_type == Storage.LOCAL:
        return {file.path: file.blob for file in fileset.files.select_related("blob")}
    from assay.filesets import huggingface

    with _told():
        return {file.path: None for file in huggingface.files(fileset, revision=revision)}


@contextmanager
def _opened(fileset: Fileset, revision: str, path: str, blob: Blob | None) -> Iterator[BinaryIO]:
    """Open a pinned file, downloaded again where the cache has lost it, and say what is wrong with its content."""
    with _told():
        try:
            with (blobs.path(blob) if blob else _fetched(fileset, revision, path)).open("rb") as file:
                yield file
        except FileNotFoundError:
            raise FileUnreadable(
                f"The content of '{path}' in fileset '{fileset}' is missing from the data folder. Upload it again."
            ) from None
        except DatasetUnfinished as error:
            raise Unfinished(f"Fileset '{fileset}': {error}") from error
        except DatasetError as error:
            raise FileUnreadable(f"Fileset '{fileset}': {error}") from error


def _fetched(fileset: Fileset, revision: str, path: str) -> Path:
    from assay.filesets import huggingface

    return huggingface.fetch(fileset, path, revision)


@contextmanager
def _told() -> Iterator[None]:
    """Let what a hub or the vault refuses be a reason like any other."""
    try:
        yield
    except RowsUnreadable:
        raise
    except Refusal as error:
        raise FileUnreadable(str(error)) from error
