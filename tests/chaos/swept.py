"""Sweeps the store of the environment as if two days had gone by; prints what was there and what is left as JSON.

A process of its own, since Django knows one database a process: tests/chaos/test_upload_death.py starts it.
"""

import hashlib
import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assay.platform.settings")

import django

django.setup()

from django.db import connection  # noqa: E402
from django.db.models import F  # noqa: E402

from assay.filesets import blobs, history, tasks  # noqa: E402
from assay.filesets.models import Blob, Commit, File, Fileset, HeldBlob  # noqa: E402
from assay.filesets.tree import Tree  # noqa: E402

LATER = timedelta(days=2)


def age() -> None:
    for model in (Blob, HeldBlob, Commit):
        model._default_manager.update(created_at=F("created_at") - LATER)
    for draft in (blobs.root() / "drafts").iterdir():
        os.utime(draft, (0, 0))


def state() -> dict[str, Any]:
    named = {entry.sha256 for commit in Commit.objects.iterator() for entry in Tree.unpacked(bytes(commit.tree))}
    on_disk = [path for path in blobs.root().rglob("*") if path.is_file()]
    return {
        "named": sorted(named | set(File.objects.values_list("blob", flat=True))),
        "log": sorted(commit.oid for each in Fileset.objects.all() for commit in history.log(each, limit=10_000)),
        "commits": sorted(Commit.objects.values_list("oid", flat=True)),
        "rows": sorted(Blob.objects.values_list("sha256", flat=True)),
        "held": sorted(HeldBlob.objects.filter(committed=True).values_list("blob", flat=True)),
        "waiting": sorted(HeldBlob.objects.filter(committed=False).values_list("blob", flat=True)),
        "contents": sorted(path.name for path in on_disk if path.parent.name != "drafts"),
        "drafts": sorted(path.name for path in on_disk if path.parent.name == "drafts"),
        "broken": sorted(path.name for path in on_disk if path.parent.name != "drafts" and not whole(path)),
    }


def whole(path: Path) -> bool:
    """Return whether the content is what its name says."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == path.name


if __name__ == "__main__":
    before = state()
    age()
    tasks.sweep()
    print(json.dumps({"vendor": connection.vendor, "before": before, "after": state()}))
