"""Writers of one fileset's history that race, on the database of the environment; prints what became of it as JSON.

A process of its own, since Django knows one database a process: tests/filesets/test_history_race.py starts it.
"""

import io
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent)]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assay.platform.settings")

import django  # noqa: E402

django.setup()

from deletion_race import race  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402
from things import make_fileset  # noqa: E402

from assay.filesets import blobs, held, history, local, prune  # noqa: E402
from assay.filesets.models import Blob, File, Fileset, HeldBlob  # noqa: E402
from assay.workspaces import deletion  # noqa: E402
from assay.workspaces.models import Workspace  # noqa: E402

Ends = tuple[str, ...]


def upload(fileset: Fileset, content: bytes) -> str:
    blob = blobs.put(io.BytesIO(content))
    history.hold(fileset, blob)
    return blob.sha256


def committing(fileset: Fileset, path: str, content: bytes, parent: str | None = None) -> Callable[[], object]:
    change = history.PutFile(path, upload(fileset, content))
    return lambda: history.commit(Fileset.objects.get(pk=fileset.pk), "main", [change], title=path, parent=parent)


def putting(fileset: Fileset, path: str) -> Callable[[], object]:
    return lambda: local.put(Fileset.objects.get(pk=fileset.pk), path, io.BytesIO(path.encode()))


def sound(fileset: Fileset, paths: set[str]) -> str:
    """Return what is wrong with the fileset, which should hold these paths; empty when nothing is."""
    fileset = Fileset.objects.get(pk=fileset.pk)
    head = history.settle(fileset)
    treed = {entry.path: entry.sha256 for entry in history.tree_of(head)}
    if treed != dict(File.objects.filter(fileset=fileset).values_list("path", "blob_id")):
        return "the files are not those of main"
    if set(treed) != paths:
        return f"it holds {sorted(treed)}, not {sorted(paths)}"
    if len(history.log(fileset, limit=1000)) != fileset.commits.count():
        return "commits are not in one line"
    if set(treed.values()) - set(
        HeldBlob.objects.filter(fileset=fileset, committed=True).values_list("blob", flat=True)
    ):
        return "content is not held"
    return ""


def stale(fileset: Fileset) -> tuple[Ends, set[str]]:
    parent = history.settle(fileset).oid
    ends = race(committing(fileset, "a", b"a", parent), committing(fileset, "b", b"b", parent))
    return ends, {entry.path for entry in history.tree_of(history.settle(fileset))}


def both(fileset: Fileset) -> tuple[Ends, set[str]]:
    return race(*(committing(fileset, name, name.encode()) for name in "abcd")), set("abcd")


def births(fileset: Fileset) -> tuple[Ends, set[str]]:
    local.put(fileset, "a", io.BytesIO(b"a"))
    ends = race(*(lambda: history.settle(Fileset.objects.get(pk=fileset.pk)) for _ in range(3)))
    assert fileset.commits.count() == 2, "one of them settles"
    return ends, {"a"}


def doors(fileset: Fileset) -> tuple[Ends, set[str]]:
    """A commit, uploads by the files API and a look."""
    local.put(fileset, "gone", io.BytesIO(b"gone"))
    return race(
        committing(fileset, "a", b"a"),
        putting(fileset, "b"),
        putting(fileset, "c"),
        lambda: local.delete(Fileset.objects.get(pk=fileset.pk), "gone"),
        lambda: history.settle(Fileset.objects.get(pk=fileset.pk)),
    ), set("abc")


def clash(fileset: Fileset) -> tuple[Ends, set[str]]:
    """A file and a folder of the same name."""
    ends = race(committing(fileset, "x", b"x"), putting(fileset, "x/y"))
    return ends, {path for path, end in zip(("x", "x/y"), ends, strict=True) if end == "done"}


def named(fileset: Fileset) -> tuple[Ends, set[str]]:
    return race(*(lambda: history.create_branch(fileset, "dev") for _ in range(2))), set()


def squashed(fileset: Fileset) -> tuple[Ends, set[str]]:
    committing(fileset, "a", b"a")()
    committing(fileset, "a", b"b")()
    back = upload(fileset, b"a")
    change = [history.PutFile("b", back)]
    return race(
        lambda: history.squash(fileset, "main", "one"),
        lambda: history.commit(Fileset.objects.get(pk=fileset.pk), "main", change, title="b"),
    ), {"a", "b"}


def swept(fileset: Fileset) -> tuple[Ends, set[str]]:
    """A commit of content that is just about to be forgotten: it comes whole, or not at all."""
    act = committing(fileset, "a", fileset.uid.encode())
    old = timezone.now() - timedelta(days=2)
    HeldBlob.objects.filter(fileset=fileset).update(created_at=old)
    Blob.objects.filter(held_in__fileset=fileset).update(created_at=old)
    ends = race(act, lambda: (prune.sweep(), blobs.sweep()))
    for entry in history.tree_of(history.settle(Fileset.objects.get(pk=fileset.pk))):
        assert blobs.place(entry.sha256).exists(), "a commit without its content"
    return ends, {"a"} if ends[0] == "done" else set()


def in_between(fileset: Fileset) -> str:
    """Sweep the content of a commit after it was looked for and before the commit is through."""
    act = committing(fileset, "a", fileset.uid.encode())
    old = timezone.now() - timedelta(days=2)
    HeldBlob.objects.filter(fileset=fileset).update(created_at=old)
    Blob.objects.filter(held_in__fileset=fileset).update(created_at=old)
    look = held.contents

    def look_then_sweep(*arguments: Any) -> Any:
        found = look(*arguments)
        race(blobs.sweep)
        return found

    held.contents = look_then_sweep
    try:
        return race(act)[0]
    finally:
        held.contents = look


def deleted(fileset: Fileset) -> Ends:
    return race(committing(fileset, "a", b"a"), lambda: deletion.delete(Fileset.objects.get(pk=fileset.pk)))


def main(rounds: int) -> None:
    workspace = Workspace.objects.create(name="race")
    seen: dict[str, Counter[str]] = {}
    wrong: list[str] = []
    for number in range(rounds):
        for scene in (stale, both, births, doors, clash, named, squashed, swept):
            fileset = make_fileset(workspace, f"{scene.__name__}-{number}")
            ends, paths = scene(fileset)
            seen.setdefault(scene.__name__, Counter())[" / ".join(ends)] += 1
            if fault := sound(fileset, paths):
                wrong.append(f"{scene.__name__}: {fault}")
        ends = deleted(make_fileset(workspace, f"deleted-{number}"))
        seen.setdefault("deleted", Counter())[" / ".join(ends)] += 1
    if connection.vendor == "postgresql":  # SQLite lets nobody else write by then
        fileset = make_fileset(workspace, "in-between")
        seen["in_between"] = Counter([in_between(fileset)])
        wrong += filter(None, [sound(fileset, set())])
    print(json.dumps({"vendor": connection.vendor, "wrong": wrong, "seen": seen}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
