"""Which contents a fileset holds: in its files, in its history, or uploaded and waiting for their commit."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from assay.filesets.changes import Content
from assay.filesets.models import Blob, File, Fileset, HeldBlob
from assay.filesets.room import check_room
from assay.filesets.storage import FilesetGone

T = TypeVar("T")

BATCH = 500
"""Values in one statement."""


def hold(fileset: Fileset, *uploaded: Blob) -> None:
    """Note that the contents were uploaded to the fileset: for a day they may be committed to it.

    Raises ``FilesetGone`` if it was deleted meanwhile.
    """
    try:
        with transaction.atomic():
            _hold(fileset, {blob.sha256 for blob in uploaded}, committed=False)
            check_room(fileset)
    except IntegrityError:
        raise FilesetGone(fileset) from None


def holds(fileset: Fileset, sha256s: Iterable[str]) -> set[str]:
    """Return which of the contents the fileset holds: in its files, its history, or uploaded and not committed yet."""
    return set(contents(fileset, sha256s))


def contents(fileset: Fileset, sha256s: Iterable[str]) -> dict[str, Content]:
    """Return what is known of those contents that the fileset holds."""
    held = Exists(HeldBlob.objects.filter(fileset=fileset, blob=OuterRef("pk")))
    filed = Exists(File.objects.filter(fileset=fileset, blob=OuterRef("pk")))
    found = {}
    for batch in batches(sha256s):
        rows = Blob.objects.filter(Q(held) | Q(filed), pk__in=batch)
        for sha256, size, git_oid in rows.values_list("sha256", "size", "git_oid"):
            found[sha256] = Content(size, git_oid)
    return found


def keep(fileset: Fileset, sha256s: set[str]) -> None:
    """Note that a commit of the fileset holds the contents; in the transaction of that commit."""
    _hold(fileset, sha256s, committed=True)


def release(fileset: Fileset, sha256s: Iterable[str]) -> None:
    """Note that no commit of the fileset holds the contents any more: a day after their upload they may go."""
    for batch in batches(sha256s):
        HeldBlob.objects.filter(fileset=fileset, blob__in=batch).update(committed=False)


def batches(values: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(values)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _hold(fileset: Fileset, sha256s: set[str], *, committed: bool) -> None:
    now = timezone.now()
    # In order: two who hold the same wait for each other in turn.
    rows = [HeldBlob(fileset=fileset, blob_id=each, committed=committed, created_at=now) for each in sorted(sha256s)]
    HeldBlob.objects.bulk_create(
        rows,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["fileset", "blob"],
        update_fields=["created_at", *(["committed"] if committed else [])],
    )
