"""The machine: Python and its packages, the data folder, the keys in it, room on the disk, static files."""

import os
import shutil
import stat
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from packaging.requirements import Requirement

from assay.operations.checks.finding import Depth, Found
from assay.platform.checks import data_folder_is_writable, encryption_keys_parse

OLDEST_PYTHON = (3, 11)
LEAST_BYTES = 1024**3
LEAST_INODES = 10_000


def packages(depth: Depth) -> Found:
    """Python and the packages of requirements.txt."""
    install = "pip install -r requirements.txt"
    if sys.version_info < OLDEST_PYTHON:
        yield f"Python is {sys.version.split()[0]}.", "Assay needs 3.11 or newer.", "Make .venv anew with a newer one."
    for line in (settings.ROOT / "requirements.txt").read_text().splitlines():
        if not line.strip() or line.startswith(("#", "-")):
            continue
        asked = Requirement(line)
        try:
            here = version(asked.name)
        except PackageNotFoundError:
            yield f"The package {asked.name} is not installed.", f"Assay needs {asked}.", install
            continue
        if not asked.specifier.contains(here, prereleases=True):
            yield f"The package {asked.name} is {here}.", f"Assay is tested with {asked.specifier}.", install


def data_folder(depth: Depth) -> Found:
    why = "Everything is kept there: the database, files, results."
    for found in [*data_folder_is_writable(None), *encryption_keys_parse(None)]:
        yield found.msg, why if found.id == "assay.E001" else "Secrets are sealed with them.", found.hint or ""


def key_files(depth: Depth) -> Found:
    """Keys of the data folder are for their owner alone."""
    for path in sorted((settings.DATA_DIR / "keys").glob("*.key")):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            why = "Whoever reads it can open secrets or make sessions."
            yield f"{path} can be used by others than its owner (mode {mode:04o}).", why, f"chmod 600 {path}"


def disk(depth: Depth) -> Found:
    """Room for uploads, results and the database."""
    if not settings.DATA_DIR.is_dir():
        return
    why = "When it is full, uploads are refused and judging stops."
    free = shutil.disk_usage(settings.DATA_DIR).free
    if free < LEAST_BYTES:
        mend = "Make room; what could go: manage.py retention --what jobs replies hub-cache --older-than 90d --dry-run"
        yield f"There are {free / 1024**2:.0f} MiB free below {settings.DATA_DIR}.", why, mend
    inodes = os.statvfs(settings.DATA_DIR)
    if inodes.f_files and inodes.f_favail < LEAST_INODES:
        yield f"There are {inodes.f_favail} inodes free below {settings.DATA_DIR}.", why, "Remove small files there."


def static_files(depth: Depth) -> Found:
    """The styles and scripts of the pages, as they are in this version."""
    sources: dict[str, Path] = {}
    for finder in get_finders():
        for name, storage in finder.list([]):
            sources.setdefault(name, Path(storage.path(name)))  # of several the first one is gathered
    gathered = {name: Path(settings.STATIC_ROOT, name) for name in sources}
    stale = sum(
        not gathered[name].is_file() or gathered[name].stat().st_size != source.stat().st_size
        for name, source in sources.items()
    )
    if stale:
        why = "The admin's pages have no style, or that of another version."
        yield f"{stale} static files are not gathered in {settings.STATIC_ROOT}.", why, "manage.py prepare"
