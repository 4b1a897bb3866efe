"""Deletes and creates that race, on the database of the environment; prints what became of them as JSON.

A process of its own, since Django knows one database a process: tests/workspaces/test_deletion_race.py starts it.
"""

import json
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent)]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assay.platform.settings")

import django  # noqa: E402

django.setup()

from django.db import IntegrityError, connection, transaction  # noqa: E402
from things import make_fileset, make_job, make_secret  # noqa: E402

from assay.evaluator.definitions import create_definition, snapshot  # noqa: E402
from assay.evaluator.models import Definition, DefinitionKind, DefinitionSecret  # noqa: E402
from assay.evaluator.sealing import sealed_secrets  # noqa: E402
from assay.filesets.models import Fileset  # noqa: E402
from assay.jobs.models import Job, JobPart, JobSecret  # noqa: E402
from assay.platform.errors import Refusal  # noqa: E402
from assay.secrets.models import Secret  # noqa: E402
from assay.secrets.store import create_secret  # noqa: E402
from assay.workspaces import deletion  # noqa: E402
from assay.workspaces.models import Member, Project, Workspace  # noqa: E402

Act = Callable[[], object]


def outcome(act: Act) -> str:
    try:
        act()
        return "done"
    except (Refusal, IntegrityError) as error:
        return type(error).__name__
    except Exception as error:
        return f"unexpected {type(error).__name__}: {error}"
    finally:
        connection.close()


def race(*acts: Act) -> tuple[str, ...]:
    """Start the acts at the same moment, each on a connection of its own, and return how each ended."""
    ends = [""] * len(acts)
    start = threading.Barrier(len(acts))

    def run(position: int, act: Act) -> None:
        start.wait()
        ends[position] = outcome(act)

    threads = [threading.Thread(target=run, args=(position, act)) for position, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return tuple(ends)


def atomically(act: Act) -> Act:
    def run() -> None:
        with transaction.atomic():
            act()

    return run


def dangling() -> int:
    """Return how many rows refer to something that is gone."""
    return (
        Job.objects.filter(dataset_fileset__isnull=False).exclude(dataset_fileset__in=Fileset.objects.all()).count()
        + Job.objects.exclude(result_fileset__in=Fileset.objects.all()).count()
        + JobSecret.objects.exclude(secret__in=Secret.objects.all()).count()
        + DefinitionSecret.objects.exclude(secret__in=Secret.objects.all()).count()
        + JobPart.objects.filter(fileset__isnull=False).exclude(fileset__in=Fileset.objects.all()).count()
        + orphans()
        + Fileset.objects.filter(token_secret__isnull=False).exclude(token_secret__in=Secret.objects.all()).count()
        + sum(
            model._default_manager.exclude(workspace__in=Workspace.objects.all()).count()
            for model in (Fileset, Secret, Job, Member, Project, Definition)
        )
    )


def orphans() -> int:
    """Return how many keys stayed though the last thing that referred to them is gone."""
    unused = Secret.objects.filter(inline=True, job_secrets__isnull=True, definition_secrets__isnull=True)
    return unused.count()


def make_target(workspace: Workspace, name: str = "target", key: str = "sk-1") -> Definition:
    model = {"api_endpoint": {"url": "http://x.test/v1", "model_id": "m", "api_key": key}}
    body = {"type": "model", "model": model, "name": name, "namespace": workspace.name}
    return create_definition(DefinitionKind.TARGET, body)


def make_job_from(target: Definition, workspace: Workspace, name: str) -> Job:
    """Make a job as it is made from a stored target: it refers to the same keys."""
    secrets = tuple(sealed_secrets(snapshot(target)).values())
    return make_job(workspace, name, secrets=secrets)


def make_part(workspace: Workspace, fileset: Fileset) -> None:
    JobPart.objects.create(job=make_job(workspace, "in-parts"), index=0, name="t", fileset=fileset)


def pairs(number: int) -> dict[str, tuple[Act, Act]]:
    workspace = Workspace.objects.create(name=f"w-{number}")
    emptied = Workspace.objects.create(name=f"e-{number}")
    cascaded = Workspace.objects.create(name=f"c-{number}")
    fileset, secret, used = make_fileset(workspace), make_secret(workspace), make_secret(workspace, "used")
    twice = make_secret(workspace, "twice")
    make_job(cascaded, "old")
    shared = Workspace.objects.create(name=f"s-{number}")
    its_fileset = make_fileset(shared)
    untouched, parts = Workspace.objects.create(name=f"u-{number}"), make_fileset(workspace, "parts")
    target, twin = make_target(workspace), make_target(workspace, "twin")
    from_twin = make_job_from(twin, workspace, "from-twin")
    return {
        "fileset and a job's part": (
            lambda: deletion.delete(parts),
            atomically(lambda: make_part(workspace, parts)),
        ),
        "target and a job with its key": (
            lambda: deletion.delete(target),
            atomically(lambda: make_job_from(target, workspace, "from-target")),
        ),
        "target and the last job with its key": (lambda: deletion.delete(twin), lambda: deletion.delete(from_twin)),
        "workspace and a target": (lambda: deletion.delete(untouched), lambda: make_target(untouched)),
        "fileset and a job": (
            lambda: deletion.delete(fileset),
            atomically(lambda: make_job(workspace, dataset=fileset)),
        ),
        "secret and a fileset": (
            lambda: deletion.delete(secret),
            atomically(lambda: make_fileset(workspace, "hub", token_secret=secret)),
        ),
        "secret and a job": (
            lambda: deletion.delete(used),
            atomically(lambda: make_job(workspace, "late", secrets=(used,))),
        ),
        "secret twice": (lambda: deletion.delete(twice), lambda: deletion.delete(twice)),
        "workspace and a secret": (
            lambda: deletion.delete(emptied),
            lambda: create_secret(emptied, "late", "x", None),
        ),
        "workspace with cascade and a job": (
            lambda: deletion.delete(cascaded, cascade=True),
            atomically(lambda: make_job(cascaded, "late")),
        ),
        "workspace with cascade and a job elsewhere": (
            lambda: deletion.delete(shared, cascade=True),
            atomically(lambda: make_job(workspace, "elsewhere", dataset=its_fileset)),
        ),
    }


def uncommitted() -> tuple[str, str]:
    """Delete a fileset while a job that refers to it is inserted but not committed yet."""
    workspace = Workspace.objects.create(name="uncommitted")
    fileset = make_fileset(workspace)
    inserted, deleted = threading.Event(), threading.Event()

    def insert() -> None:
        with transaction.atomic():
            make_job(workspace, dataset=fileset)
            inserted.set()
            # One writer at a time on SQLite: there the delete comes after this transaction, not inside it.
            deleted.wait(1)

    def delete() -> None:
        inserted.wait(10)
        try:
            deletion.delete(fileset)
        finally:
            deleted.set()

    ends = race(delete, insert)
    return ends[0], ends[1]


def in_between() -> tuple[str, str]:
    """Commit a job that refers to a fileset of a workspace, after a cascade has looked and before it deletes."""
    doomed, other = Workspace.objects.create(name="doomed"), Workspace.objects.create(name="other")
    fileset = make_fileset(doomed)
    look = deletion._in_the_way
    ends = []

    def look_then_insert(going: deletion.Keys) -> deletion.Keys:
        found = look(going)
        if not found and not ends:
            ends.extend(race(atomically(lambda: make_job(other, dataset=fileset))))
        return found

    deletion._in_the_way = look_then_insert
    try:
        return outcome(lambda: deletion.delete(doomed, cascade=True)), ends[0]
    finally:
        deletion._in_the_way = look


def main(rounds: int) -> None:
    seen: dict[str, Counter[str]] = {}
    for number in range(rounds):
        for name, (delete, create) in pairs(number).items():
            seen.setdefault(name, Counter())[" / ".join(race(delete, create))] += 1
    seen["uncommitted"] = Counter([" / ".join(uncommitted())])
    if connection.vendor == "postgresql":  # SQLite lets nobody else write by then
        seen["in between"] = Counter([" / ".join(in_between())])
    print(json.dumps({"vendor": connection.vendor, "dangling": dangling(), "seen": seen}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
