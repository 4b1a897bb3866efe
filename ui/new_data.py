"""The rows of a new evaluation: what there is to choose from, its first rows, and how many there are."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from assay.filesets import rows
from assay.filesets.models import Blob, Fileset, Storage
from assay.filesets.reference import FilesetReference
from assay.filesets.rows import NothingSelected, PlannedInput
from assay.filesets.storage import storage_of
from assay.platform.errors import Invalid, Refusal
from assay.ui.templatetags.figures import size
from assay_sdk.engine.dataset import Reading
from assay_sdk.engine.glance import Glance
from assay_sdk.engine.selection import READABLE, select
from assay_sdk.engine.unpack import suffix_of

PREVIEWED = 5
MOST_FILESETS = 300
MOST_FILES = 500
MOST_COLUMNS = 200
"""Columns that are listed, those within objects among them."""
ENDLESS = 2**62
"""Rows that a file is said to hold that nobody has counted: it is read to its end."""
LARGE_BYTES = 50_000_000
"""A hub's file beyond it is downloaded when somebody asks for it, not because they looked at a list."""
GLANCE_SECONDS = 5.0
GLANCE_BYTES = 256 << 20
"""Of a text, unpacked, on the way to the rows that are looked at."""
LAST_ROW = 10_000
"""The last row that can be looked at here: those before it have to be read past."""


class StillAway(Invalid):
    """The file is large, and still on its hub."""


@dataclass(frozen=True)
class Choice:
    """An option of a list."""

    value: str
    label: str


@dataclass(frozen=True)
class Column:
    """A column that the first rows have: ``insert`` is how a template names it."""

    name: str
    kind: str
    insert: str


@dataclass(frozen=True)
class Sample:
    """The first rows; ``trouble`` says why there are none."""

    items: list[dict[str, Any]] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    trouble: str = ""
    away: bool = False
    """Whether it is only that a large file has not been downloaded yet."""


@dataclass(frozen=True)
class Count:
    """How many rows there are: so many, or at least so many."""

    rows: int
    exact: bool


def filesets_in(workspace: str, chosen: str = "") -> list[Choice]:
    """Return the filesets of a workspace that people made, newest first, and the chosen one, wherever it is."""
    listed = Fileset.objects.filter(workspace__name=workspace, made_by_job=False).order_by("-created_at", "-pk")
    found = {f"{workspace}/{each.name}": _label(each) for each in listed.only("name", "storage_type")[:MOST_FILESETS]}
    if chosen and chosen not in found:
        found[chosen] = chosen.removeprefix(f"{workspace}/")
    return [Choice(value, label) for value, label in found.items()]


def files_in(fileset: Fileset, chosen: str = "") -> list[Choice]:
    """Return the data files of a fileset; a chosen pattern stands among them. Raises ``Refusal``."""
    found = {each.path: each.size for each in storage_of(fileset).files(fileset)}
    data = select(found, "")
    listed = [Choice(path, f"{path} ({size(found[path])})") for path in data[:MOST_FILES]]
    if chosen and all(choice.value != chosen for choice in listed):
        listed.insert(0, Choice(chosen, chosen))
    if len(data) > 1:
        listed.append(Choice("", f"All {len(data):,} data files, one after the other"))
    return listed


def find_fileset(reference: str) -> Fileset:
    """Return the fileset called ``workspace/name``; raises ``Refusal``."""
    found = FilesetReference.parse(reference)
    return found.resolve(found.workspace)


def sample_of(fileset: Fileset, file: str, *, download: bool = False) -> Sample:
    """Return the first rows of what a job would read, and the columns found in them; reads no further."""
    try:
        items = first_rows(fileset, file, PREVIEWED, download=download)
    except StillAway as error:
        return Sample(trouble=str(error), away=True)
    except Refusal as error:
        return Sample(trouble=str(error))
    return Sample(items, columns_of(items), "" if items else "The file holds no rows.")


def first_rows(
    fileset: Fileset, file: str, count: int, *, start: int = 0, download: bool = False
) -> list[dict[str, Any]]:
    """Return so many rows of what a job would read; raises ``Refusal``."""
    inputs = _inputs(fileset, file)
    if not download:
        _check_at_hand(fileset, inputs[0])
    reading = Reading(glance=Glance(GLANCE_SECONDS, GLANCE_BYTES))
    if len(inputs) == 1:
        found = rows.stream(fileset, fileset.revision, inputs, start, start + count, reading)
        return [item for _, item in found]
    return list(islice(_all_items(fileset, inputs, reading), start, start + count))


def columns_of(items: Iterable[dict[str, Any]]) -> list[Column]:
    """Return the columns of the rows, what stands within an object after the object itself."""
    found: dict[str, Column] = {}
    for item in items:
        for name, value in item.items():
            _note(found, name, value, f"item{_step(name)}")
            for inner, deeper in value.items() if isinstance(value, dict) else ():
                _note(found, f"{name}.{inner}", deeper, f"item{_step(name)}{_step(str(inner))}")
    return list(islice(found.values(), MOST_COLUMNS))


def count_rows(fileset: Fileset, file: str, seconds: float) -> Count:
    """Return how many rows a job would read, as far as they are counted in that time. Raises ``Refusal``."""
    inputs = _inputs(fileset, file)
    _check_at_hand(fileset, inputs[0])
    deadline = time.monotonic() + seconds
    counted = 0
    try:
        for _ in _all_items(fileset, inputs, Reading(glance=Glance(seconds, ENDLESS))):
            counted += 1
            if counted % 64 == 0 and time.monotonic() > deadline:
                return Count(counted, False)
    except rows.Unfinished:
        return Count(counted, False)
    return Count(counted, True)


def _all_items(fileset: Fileset, inputs: list[PlannedInput], reading: Reading) -> Iterator[dict[str, Any]]:
    each = (rows.stream(fileset, fileset.revision, [one], 0, ENDLESS, reading) for one in inputs)
    return (item for _, item in chain.from_iterable(each))


def _inputs(fileset: Fileset, file: str) -> list[PlannedInput]:
    """Return the files that a job would read, their rows not counted; raises ``Refusal``."""
    blobs: dict[str, Blob | None]
    if fileset.storage_type == Storage.LOCAL:
        blobs = {each.path: each.blob for each in fileset.files.select_related("blob")}
    elif suffix_of(file) in READABLE and not set(file) & set("*?["):
        blobs = {file: None}  # what is named need not be looked for: a hub is asked as seldom as can be
    else:
        blobs = {each.path: None for each in storage_of(fileset).files(fileset)}
    chosen = select(blobs, file)
    if not chosen:
        raise NothingSelected(fileset, file, sorted(blobs))
    return [PlannedInput(path, blobs[path], ENDLESS) for path in chosen]


def _check_at_hand(fileset: Fileset, first: PlannedInput) -> None:
    """Raise ``StillAway`` where reading the first row would download a large file."""
    if fileset.storage_type == Storage.LOCAL:
        return
    found = storage_of(fileset).find(fileset, first.path)
    if not found.cached and found.size > LARGE_BYTES:
        raise StillAway(f"'{first.path}' has {size(found.size)} and has not been downloaded from its hub yet.")


def _label(fileset: Fileset) -> str:
    return fileset.name if fileset.storage_type == Storage.LOCAL else f"{fileset.name} (from a hub)"


def _note(found: dict[str, Column], name: str, value: Any, path: str) -> None:
    known = found.get(name)
    if known is None or (known.kind == "empty" and value is not None):
        found[name] = Column(name, _kind(value), f"{{{{{path}}}}}")


def _step(name: str) -> str:
    """Return how a template goes to a member: by a dot, where the name allows it."""
    if name.isascii() and name.isidentifier():
        return f".{name}"
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'["{escaped}"]'


def _kind(value: Any) -> str:
    match value:
        case None | "":
            return "empty"
        case bool():
            return "yes or no"
        case int() | float():
            return "number"
        case str():
            return "text"
        case dict():
            return "object"
    return "list"
