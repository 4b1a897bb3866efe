"""Where the files of a fileset are: in our own store, or on a hub.

Both answer the same three questions (``Storage``); only our own also takes files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from assay.filesets.models import Fileset
from assay.filesets.models import Storage as Kind
from assay.platform.errors import NotFound


@dataclass(frozen=True)
class StoredFile:
    path: str
    size: int
    etag: str = ""
    """Names the content; empty where that is not known without reading it."""
    cached: bool | None = None
    """For a hub's file: whether it has been downloaded."""


class FileMissing(NotFound):
    """The fileset has no such file; ``near`` are names that may have been meant."""

    def __init__(self, fileset: Fileset, path: str, near: Sequence[str] = ()) -> None:
        hint = f". Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
        super().__init__(f"File '{path}' not found in fileset '{fileset}'{hint}")


class FilesetGone(NotFound):
    """It was deleted meanwhile."""

    def __init__(self, fileset: Fileset) -> None:
        super().__init__(f"Fileset '{fileset.name}' not found in workspace '{fileset.workspace.name}'")


class Storage(Protocol):
    def files(self, fileset: Fileset, under: str = "") -> list[StoredFile]:
        """Return the files in folder ``under``, or the one file of that name, in order of path."""

    def find(self, fileset: Fileset, path: str) -> StoredFile:
        """Return the file without reading it; raises ``FileMissing``."""

    def content(self, fileset: Fileset, path: str) -> tuple[StoredFile, Path]:
        """Return the file, and where on this machine its bytes can be read; raises ``FileMissing``."""


def storage_of(fileset: Fileset) -> Storage:
    if fileset.storage_type == Kind.HUGGINGFACE:
        # Only those who use a hub pay for its client: half a second and 25 MB.
        from assay.filesets import huggingface

        return huggingface
    from assay.filesets import local

    return local
