"""Files in our own store: a row says which blob a path holds; the blob never changes, the row may."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from assay.filesets import blobs, paths
from assay.filesets.blobs import Readable
from assay.filesets.models import File, Fileset
from assay.filesets.room import check_room
from assay.filesets.storage import FileMissing, FilesetGone, StoredFile
from assay.platform.audit import record
from assay.platform.errors import BadRequest


def files(fileset: Fileset, under: str = "") -> list[StoredFile]:
    found = fileset.files.select_related("blob")
    if under:
        found = found.filter(Q(path=under) | Q(path__startswith=f"{under}/"))
    # Chosen and sorted here again: each database has its own idea of the case and the order of text.
    chosen = (_stored(file) for file in found if paths.under(file.path, under))
    return sorted(chosen, key=lambda file: file.path)


def find(fileset: Fileset, path: str) -> StoredFile:
    return _stored(_row(fileset, path))


def content(fileset: Fileset, path: str) -> tuple[StoredFile, Path]:
    row = _row(fileset, path)
    return _stored(row), blobs.path(row.blob)


def put(fileset: Fileset, path: str, stream: Readable, *, limit: int | None = None) -> StoredFile:
    """Store what ``stream`` gives as the file ``path``; whoever reads meanwhile gets the old content, whole.

    Raises ``BadRequest`` where the path is a folder or leads through a file, ``TooLarge`` beyond ``limit`` bytes, and
    ``FilesetGone`` if the fileset was deleted meanwhile.
    """
    path = paths.file(path)
    _refuse_clash(fileset, path)
    blob = blobs.put(stream, limit=limit)
    with _changing(fileset):
        _refuse_clash(fileset, path)
        now = timezone.now()
        row = File(fileset=fileset, path=path, blob=blob, lfs=blob.size > settings.HUB_LFS_BYTES, updated_at=now)
        File.objects.bulk_create(
            [row],
            update_conflicts=True,
            unique_fields=["fileset", "path"],
            update_fields=["blob", "lfs", "updated_at"],
        )
        if not fileset.made_by_job:
            check_room(fileset)
            record("file.put", fileset, after={"path": path, "size": blob.size, "sha256": blob.sha256})
    return StoredFile(path, blob.size, blob.sha256)


def delete(fileset: Fileset, path: str) -> StoredFile:
    """Remove the file and return what it was; raises ``FileMissing``."""
    row = _row(fileset, path)
    with _changing(fileset):
        removed, _ = fileset.files.filter(pk=row.pk).delete()
        if not removed:
            raise FileMissing(fileset, path)
        record("file.delete", fileset, before={"path": path, "sha256": row.blob.sha256})
    return _stored(row)


@contextmanager
def _changing(fileset: Fileset) -> Iterator[None]:
    """Change the files in one transaction, in which the history learns of it; raises ``FilesetGone``.

    The update holds off whoever makes a commit of the files (`commits.py`), and waits for them.
    """
    with transaction.atomic():
        if not Fileset.objects.filter(pk=fileset.pk).update(uncommitted=True):
            raise FilesetGone(fileset)
        yield


def _row(fileset: Fileset, path: str) -> File:
    row = fileset.files.select_related("blob").filter(path=path).first()
    if row is None:
        raise FileMissing(fileset, path)
    return row


def _refuse_clash(fileset: Fileset, path: str) -> None:
    """Refuse a file where a folder is and the other way round: no download could lay both on a disk."""
    near = fileset.files.filter(Q(path__in=paths.above(path)) | Q(path__startswith=f"{path}/"))
    for other in near.values_list("path", flat=True).iterator():
        if path.startswith(f"{other}/"):
            raise BadRequest(f"Path '{path}' leads through '{other}', which is a file.")
        if other.startswith(f"{path}/"):
            raise BadRequest(f"Path '{path}' is a folder.")


def _stored(row: File) -> StoredFile:
    return StoredFile(row.path, row.blob.size, row.blob.sha256)
