"""Unpacking what a job produced, so that nothing lands outside the folder."""

import shutil
import tarfile
from pathlib import Path, PurePosixPath

from assay_sdk.client.errors import UnsafeArchive


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a tar archive of plain files; raises ``UnsafeArchive`` before anything is written outside ``folder``."""
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
        for member in members:
            inside = PurePosixPath(member.name)
            if inside.is_absolute() or ".." in inside.parts or not (member.isfile() or member.isdir()):
                reason = "is a link, a device, or leads out of the folder"
                raise UnsafeArchive(f"{member.name!r} {reason}; nothing was unpacked")
        for member in members:
            target = folder / member.name
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            source = tar.extractfile(member)
            assert source is not None
            with source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
    return folder
