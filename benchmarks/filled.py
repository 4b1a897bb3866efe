"""Fills a platform's database: copies a finished job many times, with all that hangs on it but its row scores.

Runs against whatever `ASSAY_DATA_DIR` and `ASSAY_DATABASE_URL` name: `python -m benchmarks.filled bench-0 100000`.
One statement a table: the copies are made by the database.
"""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assay.platform.settings")
django.setup()

from django.db import connection, models, transaction  # noqa: E402

from assay.evaluator.models import EvalResult  # noqa: E402
from assay.filesets.models import File, Fileset  # noqa: E402
from assay.jobs.models import Job, JobInput, JobPart, JobSecret, LogLine, Result, RowPack, Shard  # noqa: E402

FIRST = 10_000_000
"""Keys of the copies begin here, far from those that the platform gives out."""
MOST_COPIES, MOST_CHILDREN = 1_000_000, 1000
CHILDREN: tuple[tuple[type[models.Model], str], ...] = (
    (Shard, "job_id"), (RowPack, "job_id"), (Result, "job_id"), (JobSecret, "job_id"), (JobInput, "job_id"),
    (JobPart, "job_id"), (LogLine, "job_id"), (File, "fileset_id"),
)  # fmt: skip
EARLIER = {
    "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', src.{0}, '-' || n || ' seconds')",
    "postgresql": "src.{0} - n * interval '1 second'",
}
RANDOM = {"sqlite": "lower(hex(randomblob(11)))", "postgresql": "left(md5(random()::text), 22)"}


def fill(name: str, count: int) -> None:
    """Copy the finished job ``name`` so many times, each copy a second older than the one before."""
    job = Job.objects.select_related("result_fileset").get(name=name)
    highest = Job.objects.aggregate(key=models.Max("pk"))["key"]
    first = max(FIRST, (highest // MOST_COPIES + 1) * MOST_COPIES)
    earlier, random = EARLIER[connection.vendor], RANDOM[connection.vendor]
    named = f"'copy-of-{name}-' || n"
    prefix = job.uid.rpartition("-")[0]
    times = {column: earlier.format(column) for column in ("created_at", "updated_at")}
    keys: dict[type[models.Model], str] = {}
    with transaction.atomic(), connection.cursor() as cursor:

        def copy(model: type[models.Model], column: str, value: int, **changed: str) -> None:
            rows = model._base_manager.filter(**{column: value}).aggregate(low=models.Min("pk"), high=models.Max("pk"))
            if rows["low"] is None:
                return
            assert rows["high"] - rows["low"] < MOST_CHILDREN, "too much hangs on the job"
            keys[model] = f"({first} + n) * {MOST_CHILDREN} + src.id - {rows['low']}"
            columns = [field.column for field in model._meta.concrete_fields]
            quoted = [connection.ops.quote_name(each) for each in columns]
            changed["id"] = f"{first} + n" if model in (Job, Fileset) else keys[model]
            values = [changed.get(each, f"src.{said}") for each, said in zip(columns, quoted, strict=True)]
            cursor.execute(
                "WITH RECURSIVE number(n) AS "
                "(SELECT CAST(1 AS bigint) UNION ALL SELECT n + 1 FROM number WHERE n < %s) "
                f"INSERT INTO {model._meta.db_table} ({', '.join(quoted)}) "
                f"SELECT {', '.join(values)} FROM {model._meta.db_table} src, number WHERE src.{column} = %s",
                [count, value],
            )

        fileset = f"'job-fileset-copy-of-{name}-' || n"
        copy(Fileset, "id", job.result_fileset_id, uid=f"'fileset-' || {random}", name=fileset, **times)
        uid = f"'{prefix}-' || {random}"
        copy(Job, "id", job.pk, uid=uid, name=named, result_fileset_id=f"{first} + n", **times)
        for model, column in CHILDREN:
            value = job.pk if column == "job_id" else job.result_fileset_id
            also = {"shard_id": keys[Shard].replace("src.id", "src.shard_id")} if model is RowPack else {}
            copy(model, column, value, **{column: f"{first} + n"}, **also)
        kept = EvalResult.objects.filter(workspace=job.workspace, name=name).first()
        if kept is not None:
            copy(EvalResult, "id", kept.pk, uid=f"'evaluate-result-' || {random}", name=named, **times)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:  # as autovacuum would, in its own time
            cursor.execute("VACUUM ANALYZE")


if __name__ == "__main__":
    fill(sys.argv[1], int(sys.argv[2]))
