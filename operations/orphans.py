"""Files of the content-addressed store that no row knows: the sweep, which goes by rows, never finds them.

They come of a transaction that was rolled back after its upload, or of a database that was brought back from before.
"""

import os
import re
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from django.db import transaction

from assay.filesets import blobs
from assay.filesets.models import Blob

NAME = re.compile("[0-9a-f]{64}")
AT_ONCE = 500


def removed(*, dry: bool) -> Iterator[tuple[str, int]]:
    """Remove the files older than a day that no row knows; yields the name and size of each. ``dry``: it stays."""
    for path, size in found():
        if dry or _remove(path):
            yield path.name, size


def found() -> Iterator[tuple[Path, int]]:
    """Yield the path and size of every file of the store older than a day that no row knows."""
    before = time.time() - blobs.SPARED.total_seconds()
    for folder in sorted(blobs.root().glob("[0-9a-f][0-9a-f]")):
        with os.scandir(folder) as entries:
            old = ((entry.name, entry.stat()) for entry in entries if NAME.fullmatch(entry.name))
            sizes = ((name, status.st_size) for name, status in old if status.st_mtime < before)
            while page := dict(islice(sizes, AT_ONCE)):
                known = set(Blob.objects.filter(pk__in=page).values_list("pk", flat=True))
                yield from ((folder / name, page[name]) for name in sorted(page.keys() - known))


def _remove(path: Path) -> bool:
    """Remove the file if there is still no row: who stores this very content at this instant waits for our row."""
    with transaction.atomic():
        row, made = Blob.objects.get_or_create(sha256=path.name, defaults={"size": 0})
        if made:
            path.unlink(missing_ok=True)
            row.delete()
    return made
