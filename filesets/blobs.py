"""The content-addressed store: each content once, in ``<data folder>/blobs/ab/<sha256>``, whoever refers to it.

A blob comes to be in three steps: a temporary file in the same file system, written through to the disk; its row; the
rename. In this order a crash leaves at most a temporary file or a row that nothing refers to, and the sweep takes both.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, ProtectedError, QuerySet
from django.utils import timezone

from assay.filesets import copying
from assay.filesets.models import Blob, HeldBlob
from assay.platform.errors import Invalid, TooLarge

CHUNK = 256 * 1024
"""Each thread of the server keeps the memory of the largest pieces it has had: larger ones are no faster."""
WINDOW = 64 * CHUNK
"""After so much, the disk is told to start on what was written: the wait at the end is then short at any size."""
SPARED = timedelta(days=1)
SYNCING = 8
"""Files whose way to the disk is waited for at once."""


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def root() -> Path:
    return Path(settings.DATA_DIR) / "blobs"


def path(blob: Blob) -> Path:
    """Return where the content lies; it never changes, and must not be changed."""
    return place(blob.sha256)


def place(sha256: str) -> Path:
    return root() / sha256[:2] / sha256


def open(blob: Blob) -> BinaryIO:
    return path(blob).open("rb")


def put(stream: Readable, *, limit: int | None = None, expected: str | None = None) -> Blob:
    """Store what ``stream`` gives until it ends, in flat memory, and return its blob.

    The caller has a day to refer to it. Raises ``TooLarge`` beyond ``limit`` bytes, ``Invalid`` where the content's
    SHA-256 is not the ``expected`` one, and whatever reading raises; in every case nothing is left behind.
    """
    with _draft() as draft:
        sha256, size = _write(stream, draft, limit)
        if expected not in {None, sha256}:
            raise Invalid(f"The content has the SHA-256 {sha256}, not {expected}; nothing was stored.")
        blob = Blob(sha256=sha256, size=size)
        _publish([(draft, blob)])
    return blob


def put_all(contents: Collection[bytes]) -> list[Blob]:
    """Store contents that fit in memory together and return their blobs, in any order and each once.

    As safe as one ``put`` after another, and many times as fast: the disk is waited for once.
    """
    named = {hashlib.sha256(content).hexdigest(): content for content in contents}
    found = [Blob(sha256=sha256, size=len(content)) for sha256, content in sorted(named.items())]
    with ExitStack() as stack, ThreadPoolExecutor(SYNCING) as beside:
        drafts = [(stack.enter_context(_draft()), blob) for blob in found]
        list(beside.map(lambda draft: _write_through(draft[0], named[draft[1].sha256]), drafts))
        _publish(drafts)
    return found


def sweep() -> int:
    """Remove the blobs older than a day that nothing refers to, and the temporary files of uploads that never ended.

    An upload that no commit came for within a day is forgotten first. Returns how many blobs went.
    """
    before = timezone.now() - SPARED
    HeldBlob.objects.filter(committed=False, created_at__lt=before).delete()
    removed = sum(_remove(sha256, before) for sha256 in _unreferenced(before).values_list("sha256", flat=True))
    for draft in (root() / "drafts").glob("*"):
        with suppress(FileNotFoundError):
            if draft.stat().st_mtime < time.time() - SPARED.total_seconds():
                draft.unlink()
    return removed


@contextmanager
def _draft() -> Iterator[Path]:
    folder = root() / "drafts"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=folder)
    os.close(descriptor)
    draft = Path(name)
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _write(stream: Readable, draft: Path, limit: int | None) -> tuple[str, int]:
    digest, size, told = hashlib.sha256(), 0, 0
    # Hashing leaves Python to other threads, so each piece is hashed while it is written and the next one arrives.
    with draft.open("wb", buffering=0) as file, ThreadPoolExecutor(1) as beside:
        hashing: Future[None] | None = None
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if limit is not None and size > limit:
                raise TooLarge(f"The file is larger than this server takes ({limit} bytes).")
            if hashing is not None:
                hashing.result()
            hashing = beside.submit(digest.update, chunk)
            view = memoryview(chunk)
            while view:
                view = view[file.write(view) :]
            if size - told >= WINDOW and hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), told, size - told, os.POSIX_FADV_DONTNEED)
                told = size
        os.fsync(file.fileno())
        if hashing is not None:
            hashing.result()
    return digest.hexdigest(), size


def _write_through(draft: Path, content: bytes) -> None:
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _publish(drafts: Sequence[tuple[Path, Blob]]) -> None:
    """Make what lies written through in drafts the content of their blobs."""
    # The rows first: a sweep that deletes the content of an old row does so while it holds that row, hence before.
    Blob.objects.bulk_create(
        [blob for _, blob in drafts],
        batch_size=500,
        update_conflicts=True,
        unique_fields=["sha256"],
        update_fields=["size", "created_at"],
    )
    finals = {draft: path(blob) for draft, blob in drafts}
    folders = {final.parent for final in finals.values()}
    new = [folder for folder in folders if not folder.exists()]
    for folder in new:
        folder.mkdir(mode=0o700, exist_ok=True)
    if new:
        _sync_folder(root())
    for draft, final in finals.items():
        draft.replace(final)
    for folder in folders:
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unreferenced(before: datetime) -> QuerySet[Blob]:
    """Return the old blobs that no row of any app refers to."""
    blobs = Blob.objects.filter(created_at__lt=before)
    for relation in Blob._meta.related_objects:
        referring = relation.related_model._default_manager.filter(**{relation.field.name: OuterRef("pk")})
        blobs = blobs.exclude(Exists(referring))
    return blobs


def _remove(sha256: str, before: datetime) -> int:
    """Remove one blob if it is still old and unreferenced.

    Its row is held while the content goes: who puts the same content at that instant waits, and puts it anew.
    """
    try:
        with transaction.atomic():
            blob = _unreferenced(before).select_for_update().filter(sha256=sha256).first()
            if blob is None or copying.going_on():
                return 0
            blob.delete()  # looks for referrers once more, now that no further one can come
            place(sha256).unlink(missing_ok=True)
    except ProtectedError:
        return 0
    return 1
