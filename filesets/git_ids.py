"""The ids that git gives contents, by which the Hub names small files: computed when they are first asked for."""

from contextlib import suppress
from hashlib import sha1

from django.db import transaction
from django.db.models import QuerySet

from assay.filesets import blobs
from assay.filesets.models import Blob

BATCH = 500
"""Rows in one statement."""


def git_oid(blob: Blob) -> str:
    """Return the content's id as a git blob; raises ``FileNotFoundError`` where the content is lost."""
    if not blob.git_oid:
        blob.git_oid = _computed(blob)
        Blob.objects.filter(pk=blob.pk).update(git_oid=blob.git_oid)
    return blob.git_oid


def fill(contents: QuerySet[Blob]) -> None:
    """Compute the ids of those contents that have none yet; lost content stays without."""
    nameless = list(contents.filter(git_oid="").order_by("pk").distinct())
    for start in range(0, len(nameless), BATCH):
        named = {}
        for blob in nameless[start : start + BATCH]:
            with suppress(FileNotFoundError):
                blob.git_oid = _computed(blob)
                named[blob.sha256] = blob
        with transaction.atomic():
            # In the order of their keys: two who fill in the same rows wait for each other in turn.
            rows = Blob.objects.filter(pk__in=named).order_by("pk").select_for_update()
            there = [named[sha256] for sha256 in rows.values_list("sha256", flat=True)]
            # Makes no row, since we hold them all: it is the quick way to change many.
            Blob.objects.bulk_create(there, update_conflicts=True, unique_fields=["sha256"], update_fields=["git_oid"])


def _computed(blob: Blob) -> str:
    digest = sha1(b"blob %d\0" % blob.size, usedforsecurity=False)
    with blobs.path(blob).open("rb", buffering=0) as file:
        while piece := file.read(blobs.CHUNK):
            digest.update(piece)
    return digest.hexdigest()
