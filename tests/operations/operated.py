"""Runs operating commands, and digests all that a user can read: a process of its own, over the environment's platform.

Its words are commands, each with its arguments after commas, one after the other: ``read``, ``fill``, ``more``,
``instant``, ``backup,PATH``, ``restore,PATH``, ``doctor``. Prints what each gave as a list of JSON; of a command that
fails, what it said.
"""

import hashlib
import io
import json
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "sdk"), str(ROOT / "tests")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assay.platform.settings")

import django  # noqa: E402

django.setup()

import orjson  # noqa: E402
from django.apps import apps  # noqa: E402
from django.core.management import CommandError, call_command  # noqa: E402
from django.db.models import Model  # noqa: E402

from assay.filesets import blobs, history, local  # noqa: E402
from assay.filesets.models import Commit, File, Fileset  # noqa: E402
from assay.jobs.custom_results import fold  # noqa: E402
from assay.jobs.models import Job  # noqa: E402
from assay.jobs.packs import whole_rows  # noqa: E402
from assay.jobs.states import TERMINAL  # noqa: E402
from assay.operations.snapshot import snapshot  # noqa: E402
from assay.operations.tables import LEFT_OUT, tables  # noqa: E402
from assay.platform.counts import counted, rows_of  # noqa: E402
from assay.secrets.models import Secret  # noqa: E402
from assay.secrets.vault import SecretUnreadable, open_secret  # noqa: E402
from assay.workspaces.models import Workspace  # noqa: E402
from tests.jobs.made import completed, job_in  # noqa: E402
from tests.things import make_fileset, make_secret  # noqa: E402

HELD = {"lease_until", "rung_at", "barren_claims", "worker"}
"""Who holds what for the next seconds, which a restored platform is rid of."""


def read() -> dict[str, Any]:
    """Return a digest of everything, by what it is."""
    return dict(pair for source in (_rows, _secrets, _files, _commits, _jobs, _counts) for pair in source())


Pairs = Iterator[tuple[str, Any]]


def _rows() -> Pairs:
    for model in apps.get_models(include_auto_created=True):
        if model._meta.label not in LEFT_OUT:
            for row in model._base_manager.values().iterator():
                yield f"{model._meta.label} {row[model._meta.pk.attname]}", _digest(_told(model, row))


def _told(model: type[Model], row: dict[str, Any]) -> bytes:
    told = {name: value for name, value in row.items() if name not in HELD}
    if model._meta.label == "jobs.Shard" and told["state"] == "running":
        told["state"] = "waiting"
    return json.dumps(told, default=_plain, sort_keys=True).encode()


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value.normalize()) if isinstance(value, Decimal) else bytes(value).hex()


def _secrets() -> Pairs:
    for secret in Secret.objects.select_related("workspace"):
        try:
            yield f"secret {secret}", _digest(open_secret(secret).reveal().encode())
        except SecretUnreadable:
            yield f"secret {secret}", None


def _files() -> Pairs:
    for file in File.objects.select_related("fileset__workspace", "blob"):
        try:
            with blobs.open(file.blob) as content:
                yield f"file {file}", hashlib.file_digest(content, "sha256").hexdigest()
        except FileNotFoundError:
            yield f"file {file}", None


def _commits() -> Pairs:
    for fileset in Fileset.objects.all():
        for commit in Commit.objects.filter(fileset=fileset):
            entries = list(history.tree_of(commit))
            held = [hashlib.sha256(blobs.place(entry.sha256).read_bytes()).hexdigest() for entry in entries]
            assert held == [entry.sha256 for entry in entries], f"{commit} holds another content than it says"
            yield f"commit {commit.oid}", _digest(repr(entries).encode())


def _jobs() -> Pairs:
    for job in Job.objects.select_related("workspace"):
        lines = 0
        for index, line in whole_rows(job):
            yield f"row {job} {index}", _digest(line)
            lines += 1
        yield f"rows of {job}", [lines, job.rows_done]
        if job.state in TERMINAL:
            yield f"scores of {job}", _digest(orjson.dumps(fold(job).to_wire(), option=orjson.OPT_SORT_KEYS))


def _counts() -> Pairs:
    for each in counted():
        yield f"count of {each.table}", [rows_of(each.model), each.model._base_manager.count()]


def fill() -> str:
    """Make some things, one of them a file whose content is lost; returns its SHA-256."""
    workspace = Workspace.objects.create(name="w-one", custom_fields={"large": 10**30, "text": "ünï \\ \t"})
    make_secret(workspace)
    completed(job_in(workspace))
    fileset = make_fileset(workspace)
    for name in ("here", "lost"):
        local.put(fileset, name, io.BytesIO(name.encode()))
    lost = File.objects.get(path="lost").blob
    blobs.path(lost).unlink()
    return lost.sha256


def more() -> dict[str, Any]:
    """Make something of which there is some already; returns how many are noted and there."""
    completed(job_in(Workspace.objects.create(name="w-two")))
    return dict(_counts())


def instant() -> list[int]:
    """Return how many workspaces a snapshot holds: when it was opened, and when one more had been made."""
    [table] = [each for each in tables() if each.name == Workspace._meta.db_table]
    with snapshot() as seen:
        before = Workspace.objects.count()
        Workspace.objects.create(name="made-meanwhile")
        return [before, len(list(seen.lines(table)))]


OWN = {"read": read, "fill": fill, "more": more, "instant": instant}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _done(words: str) -> Any:
    name, *arguments = words.split(",")
    if name in OWN:
        return OWN[name]()
    told = io.StringIO()
    try:
        call_command(name, *arguments, stdout=told)
    except (CommandError, SystemExit) as error:
        return f"{told.getvalue()}{error}"
    return None


if __name__ == "__main__":
    print(orjson.dumps([_done(words) for words in sys.argv[1:]]).decode())
