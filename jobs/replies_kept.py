"""The store of replies as its keeper sees it: what is in it, what may go, and taking it elsewhere.

An export is JSON lines, compressed with gzip, one reply each, with what was asked only as a key. Where it is imported,
jobs that ask the same questions are given the same replies, and nobody is called.
"""

import gzip
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, Any, NamedTuple

import orjson
from django.db import transaction
from django.db.models import Count, Max, Min, Q, QuerySet, Sum
from django.db.models.functions import Length
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from assay.jobs.models import Job, Reply
from assay.jobs.states import TERMINAL
from assay.workspaces.models import Workspace

AT_ONCE = 500
FORMAT = 1
KEY_BYTES = 32
LONGEST_LINE = 256 * 1024 * 1024


class NotAnExport(Exception):
    """The file holds something else than exported replies; the message names the line."""


@dataclass(frozen=True)
class Which:
    """A choice of replies; what is None is not asked for."""

    workspace: str | None = None
    model: str | None = None
    older_than: timedelta | None = None

    def rows(self) -> QuerySet[Reply]:
        """Return the replies that are meant."""
        chosen = Q()
        if self.workspace is not None:
            chosen &= Q(workspace__name=self.workspace)
        if self.model is not None:
            chosen &= Q(model=self.model)
        if self.older_than is not None:
            chosen &= Q(created_at__lt=timezone.now() - self.older_than)
        return Reply.objects.filter(chosen)


class Kept(NamedTuple):
    """What is kept of one model's replies in one workspace."""

    workspace: str
    model: str
    replies: int
    bytes: int
    """As they are stored, compressed."""
    oldest: datetime
    newest: datetime


def stats(which: Which) -> list[Kept]:
    """Return what is kept, by workspace and model; reads all of it."""
    found = which.rows().values_list("workspace__name", "model").order_by("workspace__name", "model")
    counted = found.annotate(
        count=Count("pk"), size=Sum(Length("body")), oldest=Min("created_at"), newest=Max("created_at")
    )
    return [Kept(*line) for line in counted]


def prune(which: Which, *, keep_bytes: int | None = None) -> tuple[int, int]:
    """Delete such replies, the oldest first, a few at a time; returns how many, and of how many bytes.

    With ``keep_bytes`` only until the rest of them is no larger. Replies of jobs that have not ended stay in any case:
    they may be all that is left of a call that was paid for.
    """
    unfinished = Job.objects.exclude(state__in=TERMINAL).values("uid")
    rows = which.rows().exclude(job_uid__in=unfinished).order_by("created_at", "pk")
    excess = None
    if keep_bytes is not None:
        excess = (which.rows().aggregate(size=Sum(Length("body")))["size"] or 0) - keep_bytes
    count = size = 0
    while excess is None or size < excess:
        page = list(rows.values_list("pk", Length("body"))[:AT_ONCE])
        if excess is not None:
            page = page[: _enough([length for _, length in page], excess - size)]
        if not page:
            break
        Reply.objects.filter(pk__in=[pk for pk, _ in page]).delete()
        count += len(page)
        size += sum(length for _, length in page)
    return count, size


def _enough(lengths: Iterable[int], wanted: int) -> int:
    """Return how many of these sizes it takes to reach what is wanted."""
    taken = 0
    for count, length in enumerate(lengths):
        if taken >= wanted:
            return count
        taken += length
    return AT_ONCE


# Taking them elsewhere


def export(which: Which, file: IO[bytes]) -> int:
    """Write the replies that jobs share to ``file``, and return how many; memory stays flat.

    Those of the same question follow each other, in the order in which they came: they are draws of their own.
    """
    rows = which.rows().filter(private=False).order_by("workspace_id", "key", "pk")
    columns = ("workspace__name", "key", "model", "address", "status", "created_at", "body")
    count = 0
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=3, mtime=0) as squeezed:
        head = {"assay_replies": FORMAT, "exported_at": timezone.now()}
        squeezed.write(orjson.dumps(head, option=orjson.OPT_APPEND_NEWLINE))
        for workspace, key, model, address, status, at, body in rows.values_list(*columns).iterator(AT_ONCE):
            line = {
                "workspace": workspace,
                "key": bytes(key).hex(),
                "model": model,
                "address": address,
                "status": status,
                "created_at": at,
                "body": b64encode(bytes(body)).decode(),
            }
            squeezed.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count


def import_from(file: IO[bytes], *, workspace: Workspace | None = None) -> tuple[int, int]:
    """Keep the replies of an export, and return how many it holds, and how many of them were not here yet.

    They go to the workspaces of their names, or all to ``workspace``. Doing it again changes nothing. Raises
    ``NotAnExport``, with what came before the fault imported.
    """
    homes: dict[str, int] = {}
    read = new = 0
    last, turn = None, 0
    for page in _pages(_lines(file)):
        replies = []
        for place, line in page:
            home = _home(place, line, homes) if workspace is None else workspace.pk
            reply = _reply(place, line, home)
            turn = turn + 1 if last == (home, reply.key) else 0
            last = home, reply.key
            reply.row_index = turn
            replies.append(reply)
        imported = Reply.objects.filter(key__in={reply.key for reply in replies}, job_uid="")
        with transaction.atomic():
            before = imported.count()
            Reply.objects.bulk_create(replies, ignore_conflicts=True)
            new += imported.count() - before
        read += len(replies)
    return read, new


Line = tuple[int, dict[str, Any]]


def _lines(file: IO[bytes]) -> Iterator[Line]:
    try:
        with gzip.GzipFile(fileobj=file) as lines:
            head = lines.readline(4096)
            if not head or _read(1, head).get("assay_replies") != FORMAT:
                raise NotAnExport("The first line does not say that replies follow: is it an export of `replies`?")
            place = 1
            while line := lines.readline(LONGEST_LINE):
                place += 1
                yield place, _read(place, line)
    except (OSError, EOFError) as error:
        raise NotAnExport(f"It cannot be unpacked ({error}).") from None


def _read(place: int, line: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise NotAnExport(f"Line {place} is no JSON object.")
    return found


def _pages(lines: Iterator[Line]) -> Iterator[list[Line]]:
    page: list[Line] = []
    for line in lines:
        page.append(line)
        if len(page) == AT_ONCE:
            yield page
            page = []
    if page:
        yield page


def _home(place: int, line: dict[str, Any], homes: dict[str, int]) -> int:
    name = line.get("workspace")
    if name not in homes:
        found = Workspace.objects.filter(name=name).values_list("pk", flat=True).first()
        if found is None or not isinstance(name, str):
            raise NotAnExport(f"Line {place} is of workspace {name!r}, which is not here; create it, or name another.")
        homes[name] = found
    return homes[name]


def _reply(place: int, line: dict[str, Any], home: int) -> Reply:
    try:
        key = bytes.fromhex(line["key"])
        at = parse_datetime(line["created_at"])
        if len(key) != KEY_BYTES or at is None:
            raise ValueError
        return Reply(
            workspace_id=home,
            key=key,
            model=str(line["model"])[:255],
            address=str(line["address"])[:1024],
            status=int(line["status"]),
            created_at=at,
            body=b64decode(line["body"], validate=True),
        )
    except (KeyError, TypeError, ValueError):
        raise NotAnExport(f"Line {place} is no reply.") from None
