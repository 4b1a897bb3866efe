"""The id of a repository, its two kinds, and where the Hub's clients find it (contract, section 1)."""

import re
from typing import Literal

from assay.filesets.models import Fileset, Purpose
from assay.platform.errors import BadRequest

Kind = Literal["dataset", "model"]
LONGEST_ID = 96
PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def kind_of(fileset: Fileset) -> Kind:
    return "model" if fileset.purpose == Purpose.MODEL else "dataset"


def check(namespace: str, name: str) -> None:
    """Raise ``BadRequest`` for an id that a new repository cannot have."""
    repo_id = f"{namespace}/{name}"
    for part in (namespace, name):
        if not PART.fullmatch(part):
            raise BadRequest(
                f"Repository id '{repo_id[:200]}' is not valid: letters, digits and . _ - only, no mark first."
            )
    if len(repo_id) > LONGEST_ID:
        raise BadRequest(f"A repository id cannot be longer than {LONGEST_ID} characters.")
    if "--" in repo_id or ".." in repo_id:
        raise BadRequest(f"Repository id '{repo_id}' is not valid: it holds '--' or '..'.")
    if name.endswith((".git", ".ipynb")):
        raise BadRequest(f"Repository id '{repo_id}' is not valid: it ends in .git or .ipynb.")


def repo_url(fileset: Fileset) -> str:
    """Return where the repository is, below the prefix.

    Relative, since clients take an absolute URL apart and refuse hosts other than the one they were told of.
    """
    return str(fileset) if kind_of(fileset) == "model" else f"datasets/{fileset}"
