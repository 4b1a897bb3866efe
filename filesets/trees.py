"""The trees of commits, the last ones asked for kept in memory: a commit never changes."""

import threading
from collections import OrderedDict

from assay.filesets.history_errors import RevisionMissing
from assay.filesets.models import Commit
from assay.filesets.tree import Tree

ENTRIES_KEPT = 100_000
"""About 50 MB at most."""

_kept: OrderedDict[str, Tree] = OrderedDict()
"""By the id of the commit, which no other commit of any fileset has."""
_lock = threading.Lock()


def tree_of(commit: Commit) -> Tree:
    """Return the files of the commit; raises ``RevisionMissing`` if the commit was removed meanwhile."""
    with _lock:
        if commit.oid in _kept:
            _kept.move_to_end(commit.oid)
            return _kept[commit.oid]
    try:
        packed = commit.tree
    except Commit.DoesNotExist:
        raise RevisionMissing(commit.fileset, commit.oid) from None
    tree = Tree.unpacked(bytes(packed))
    keep(commit, tree)
    return tree


def keep(commit: Commit, tree: Tree) -> None:
    with _lock:
        _kept[commit.oid] = tree
        _kept.move_to_end(commit.oid)
        while len(_kept) > 1 and sum(map(len, _kept.values())) > ENTRIES_KEPT:
            _kept.popitem(last=False)
