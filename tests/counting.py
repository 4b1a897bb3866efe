"""Rows that come, go and move, one after the other and at once, on the database of the environment.

Prints, as JSON, what was counted beside what there is. A process of its own, since Django knows one database a
process: tests/platform/test_counts.py starts it.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent)]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assay.platform.settings")

import django  # noqa: E402

django.setup()

from deletion_race import race  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from things import make_fileset, make_job  # noqa: E402

from assay.filesets.models import Fileset  # noqa: E402
from assay.jobs.models import Dialect, Job  # noqa: E402
from assay.platform import counts  # noqa: E402
from assay.platform.models import RowCount  # noqa: E402
from assay.workspaces.models import Workspace  # noqa: E402

EACH = 25


def compared(one: Workspace, two: Workspace) -> dict[str, list[int]]:
    """Return what is counted, and what there is: jobs of both workspaces, of all, of a kind, and filesets."""
    jobs, filesets = Job.objects, Fileset.objects
    return {
        "one": [counts.rows_of(Job, workspace=one), jobs.filter(workspace=one).count()],
        "two": [counts.rows_of(Job, workspace=two), jobs.filter(workspace=two).count()],
        "all": [counts.rows_of(Job), jobs.count()],
        "kind": [counts.rows_of(Job, kind="custom"), jobs.filter(dialect=Dialect.CUSTOM).count()],
        "filesets": [counts.rows_of(Fileset, workspace=two), filesets.filter(workspace=two).count()],
    }


def making(workspace: Workspace, word: str) -> None:
    for number in range(EACH):
        with transaction.atomic():
            make_job(Workspace.objects.get(pk=workspace.pk), f"{word}-{number}")


def folding() -> None:
    for _ in range(EACH):
        counts.fold()


def removing(jobs: list[Job]) -> None:
    for job in jobs:
        with transaction.atomic():
            job.delete()
            job.result_fileset.delete()


def main() -> None:
    one, two = (Workspace.objects.create(name=name) for name in ("w-one", "w-two"))
    found: dict[str, Any] = {"vendor": connection.vendor, "nothing": compared(one, two)}
    jobs = [make_job(one, f"job-{number}") for number in range(4)]
    Job.objects.filter(pk=jobs[3].pk).update(dialect=Dialect.CUSTOM)
    Fileset.objects.bulk_create(Fileset(workspace=two, name=f"data-{number}") for number in range(7))
    found["made"] = compared(one, two)
    jobs[0].delete()
    Job.objects.filter(pk=jobs[1].pk).update(workspace=two)
    Fileset.objects.filter(workspace=one, made_by_job=True, name="job-fileset-job-1").update(workspace=two)
    Fileset.objects.filter(name__in=["data-1", "data-2"]).delete()
    found["gone and moved"] = compared(one, two)
    before = RowCount.objects.count()
    counts.fold()
    counts.fold()
    found["folded"] = compared(one, two)
    found["rows of the count"] = [before, RowCount.objects.count()]
    try:
        with transaction.atomic():
            make_fileset(two, "never")
            found["seen in its own transaction"] = compared(one, two)
            raise KeyError
    except KeyError:
        found["rolled back"] = compared(one, two)
    late = [make_job(one, f"late-{number}") for number in range(EACH)]
    ends = race(lambda: making(one, "a"), lambda: making(one, "b"), lambda: removing(late), folding, folding)
    found["ends"] = ends
    found["raced"] = compared(one, two)
    with connection.cursor() as cursor:  # as when SQLite makes a table anew
        on = " ON jobs_job" if connection.vendor == "postgresql" else ""
        for name in counts.TRIGGERS:
            cursor.execute(f"DROP TRIGGER count_jobs_job_{name}{on}")
    make_job(two, "unseen")
    call_command("migrate", verbosity=0)
    make_job(two, "seen")
    found["triggers put back"] = compared(one, two)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
