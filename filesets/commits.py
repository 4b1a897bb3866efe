"""Making commits: each is one transaction under the lock of its fileset, so that the next one builds on it.

`File` rows are the head of branch ``main``. The files API changes them and sets ``Fileset.uncommitted``; whoever looks
at the history next makes a commit of that (``settle``).
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha1

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from assay.filesets import git_ids, held
from assay.filesets.changes import Change, PutFile, apply
from assay.filesets.history_errors import ParentMoved, RevisionMissing
from assay.filesets.models import Blob, Commit, File, Fileset, Ref, RefKind
from assay.filesets.storage import FilesetGone
from assay.filesets.tree import Entry, Tree
from assay.filesets.trees import keep, tree_of
from assay.platform.audit import record
from assay.platform.errors import BadRequest

MAIN = "main"
LOCAL = "local"
"""The author where nobody is known."""
LONGEST_TITLE = 1000
LONGEST_AUTHOR = 150
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
SHOWN = 3
"""Contents that a message names."""


@dataclass(frozen=True)
class Words:
    """What is said of a commit."""

    title: str
    message: str = ""
    author: str = LOCAL

    @classmethod
    def given(cls, title: str, message: str, author: str) -> "Words":
        """Take what a client says; raises ``BadRequest``. A long title goes whole into the message."""
        if UNSTORABLE.search(title) or UNSTORABLE.search(message):
            raise BadRequest("The title and the description of a commit cannot hold NUL characters or broken ones.")
        if not title.strip():
            raise BadRequest("A commit needs a title.")
        if len(title) > LONGEST_TITLE:
            title, message = f"{title[: LONGEST_TITLE - 1]}…", f"{title}\n\n{message}".rstrip()
        return cls(title, message, author[:LONGEST_AUTHOR])


def settle(fileset: Fileset) -> Commit:
    """Return the head of ``main``, after making a commit of what the files API changed since the last one.

    The first call gives the fileset its history: an empty commit, and one of the files that it holds, if any. One query
    where there is nothing to do. Raises ``FilesetGone`` if the fileset was deleted meanwhile.
    """
    ref = branches(fileset).filter(name=MAIN, fileset__uncommitted=False).first()
    if ref is None:
        # Reading many small files takes a while: not under the lock.
        git_ids.fill(Blob.objects.filter(files__fileset=fileset, files__lfs=False))
        with locked(fileset):
            ref = _settled(fileset)
        fileset.uncommitted = False
    return commit_of(ref)


def commit(
    fileset: Fileset,
    branch: str,
    changes: Sequence[Change],
    *,
    title: str,
    message: str = "",
    author: str = LOCAL,
    parent: str | None = None,
) -> Commit:
    """Apply the changes to the head of the branch, in their order and all or nothing, and return the new head.

    Where that leaves every file as it was, there is no new commit: the head is returned. ``parent`` is the id of the
    commit that the changes were made for. The content of a ``PutFile`` must be held by the fileset (``hold``).
    Raises ``RevisionMissing`` when there is no such branch, ``ParentMoved``, ``EntryMissing`` for a delete of what is
    not there, and ``BadRequest`` for a path that cannot be or for content that the fileset does not hold.
    """
    words = Words.given(title, message, author)
    put = {change.sha256: change.lfs for change in changes if isinstance(change, PutFile)}
    settle(fileset)
    for batch in held.batches(sha256 for sha256, lfs in put.items() if not lfs):
        git_ids.fill(Blob.objects.filter(pk__in=batch))
    try:
        with locked(fileset):
            ref = _settled(fileset)
            if branch != MAIN:
                ref = branch_of(fileset, branch)
            if parent is not None and parent != ref.commit.oid:
                raise ParentMoved(f"Branch '{branch}' has moved on: its head is now {ref.commit.oid}. Look again.")
            contents = held.contents(fileset, put)
            if lacking := sorted(put.keys() - contents):
                raise BadRequest(
                    f"'{fileset}' holds no content {', '.join(lacking[:SHOWN])}: it was not uploaded, or more than a "
                    "day ago. Upload it, then commit again."
                )
            before, now = tree_of(ref.commit), moment(fileset)
            after = apply(before, changes, contents, micros(now))
            if after != before:
                advance(ref, before, after, words, now)
                if branch == MAIN:
                    _materialise(fileset, before, after, now)
                said = {"branch": branch, "commit": ref.commit.oid, "title": words.title, "changes": len(changes)}
                record("fileset.commit", fileset, after=said)
            return commit_of(ref)
    except IntegrityError:
        # On Postgres the sweep may take content between our look and the end of the transaction.
        raise BadRequest("Content of this commit is not here any more. Upload it again.") from None


@contextmanager
def locked(fileset: Fileset) -> Iterator[Fileset]:
    """Be the only one to change the fileset's files and history, in a transaction; raises ``FilesetGone``."""
    with transaction.atomic():
        # Weak enough to let others insert what refers to the fileset, a job say.
        row = Fileset.objects.select_for_update(no_key=True).filter(pk=fileset.pk).only("uncommitted").first()
        if row is None:
            raise FilesetGone(fileset)
        fileset.uncommitted = row.uncommitted
        yield row


def branches(fileset: Fileset) -> QuerySet[Ref]:
    """Return the branches with their commits at hand, these without their trees."""
    return fileset.refs.filter(kind=RefKind.BRANCH).select_related("commit").defer("commit__tree")


def commit_of(ref: Ref) -> Commit:
    """Return the commit with its fileset at hand."""
    ref.commit.fileset = ref.fileset
    return ref.commit


def branch_of(fileset: Fileset, name: str) -> Ref:
    """Return the branch; raises ``RevisionMissing``."""
    ref = None if UNSTORABLE.search(name) else branches(fileset).filter(name=name).first()
    if ref is None:
        raise RevisionMissing(fileset, name)
    return ref


def moment(fileset: Fileset) -> datetime:
    """Return the time for the next commit, later than that of any other: times tell a fileset's commits apart."""
    last = fileset.commits.order_by("-pk").values_list("created_at", flat=True).first()
    now = timezone.now()
    return max(now, last + TICK) if last else now


def micros(time: datetime) -> int:
    return (time - EPOCH) // TICK


def advance(ref: Ref, before: Tree, after: Tree, words: Words, now: datetime, *, parent: str | None = None) -> None:
    """Make a commit and move the branch to it; a ``ref`` that is not saved yet is born with it."""
    fileset = ref.fileset
    if parent is None:
        parent = ref.commit.oid if ref.pk else ""
    said = [fileset.uid, parent, after.digest, words.title, words.message, words.author, now.isoformat()]
    oid = sha1(json.dumps(said).encode(), usedforsecurity=False).hexdigest()
    ref.commit = Commit.objects.create(
        fileset=fileset,
        oid=oid,
        parent=parent,
        title=words.title,
        message=words.message,
        author=words.author,
        created_at=now,
        tree=after.packed(),
    )
    ref.save()
    held.keep(fileset, {entry.sha256 for entry in after} - {entry.sha256 for entry in before})
    keep(ref.commit, after)


def _settled(fileset: Fileset) -> Ref:
    """Return ``main``, after making a commit of what the files API changed; under the lock."""
    ref = branches(fileset).filter(name=MAIN).first()
    born = ref is None
    if ref is None:
        ref = Ref(fileset=fileset, kind=RefKind.BRANCH, name=MAIN)
        advance(ref, Tree(), Tree(), Words("initial commit"), moment(fileset))
    if born or fileset.uncommitted:
        before, now = tree_of(ref.commit), moment(fileset)
        after = _filed(fileset, before, micros(now))
        if after != before:
            advance(ref, before, after, Words("Files changed outside the Hub"), now)
        Fileset.objects.filter(pk=fileset.pk).update(uncommitted=False)
    return ref


def _filed(fileset: Fileset, before: Tree, since: int) -> Tree:
    """Return the tree of the `File` rows; a path whose content stayed keeps its entry."""
    git_ids.fill(Blob.objects.filter(files__fileset=fileset, files__lfs=False))  # those that came in since the lock
    entries = []
    rows = fileset.files.values_list("path", "blob_id", "lfs", "blob__size", "blob__git_oid")
    for path, sha256, lfs, size, git_oid in rows.iterator():
        was = before.get(path)
        if was is not None and was.sha256 == sha256:
            entries.append(was)
        else:
            lfs = lfs or not git_oid
            entries.append(Entry(path, size, sha256, "" if lfs else git_oid, lfs, since))
    return Tree(entries)


def _materialise(fileset: Fileset, before: Tree, after: Tree, now: datetime) -> None:
    """Make the `File` rows, which are as ``before``, those of ``after``."""
    for batch in held.batches(entry.path for entry in before if after.get(entry.path) is None):
        fileset.files.filter(path__in=batch).delete()
    changed = (entry for entry in after if entry != before.get(entry.path))
    File.objects.bulk_create(
        [
            File(fileset=fileset, path=entry.path, blob_id=entry.sha256, lfs=entry.lfs, created_at=now, updated_at=now)
            for entry in changed
        ],
        batch_size=held.BATCH,
        update_conflicts=True,
        unique_fields=["fileset", "path"],
        update_fields=["blob", "lfs", "updated_at"],
    )
