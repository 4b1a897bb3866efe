"""Rows as the schema of migration 0002 kept them, migrated and read: a process of its own, with a database of its own.

Prints the rows before and after as JSON.
"""

import os
import sys
import zlib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "sdk")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assay.platform.settings")

import django  # noqa: E402

django.setup()

import orjson  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.migrations.executor import MigrationExecutor  # noqa: E402

BEFORE = [("jobs", "0002_v1_and_hub"), ("evaluator", "0002_v1_and_hub")]
SPANS = ((0, 450), (450, 460), (460, 900))
"""Shards: one of several batches, one that was not begun, one that is half done."""
METRIC = {
    "type": "llm-judge",
    "model": {"url": "http://127.0.0.1/v1", "name": "m"},
    "scores": [{"name": "helpfulness", "minimum": 0, "maximum": 4}],
    "prompt_template": {"messages": [{"role": "user", "content": "{{item.prompt}}"}]},
}


def record(index: int) -> dict[str, Any]:
    return {
        "row_index": index,
        "item": {"prompt": f"row {index}\nünï"},
        "sample": {},
        "metrics": {"llm-judge": [{"name": "helpfulness", "value": index % 5}]},
        "requests": [],
        "metric_errors": None,
        "metric_diagnostics": None,
        "states": {"llm-judge": {"helpfulness": {"state": "scored", "reason": None}}},
    }


def keep(indexes: list[int]) -> None:
    """Bring the schema to where it was, and keep rows in it."""
    executor = MigrationExecutor(connection)
    executor.migrate(BEFORE)
    apps = executor.loader.project_state(BEFORE).apps
    model = apps.get_model
    workspace = model("workspaces", "Workspace").objects.create(name="old")
    fileset = model("filesets", "Fileset").objects.create(workspace=workspace, name="results", uid="fileset-1")
    job = model("jobs", "Job").objects.create(
        workspace=workspace, name="old", uid="platform-job-1", dialect="publication", spec={}, metrics=[METRIC],
        result_fileset=fileset, state="cancelled", finished_at="2020-01-01T00:00:00Z",
    )  # fmt: skip
    for index, (start, stop) in enumerate(SPANS):
        model("jobs", "Shard").objects.create(job=job, index=index, start=start, stop=stop, state="waiting")
    row = model("jobs", "RowScore")
    row.objects.bulk_create(
        row(
            job=job,
            row_index=index,
            scored=True,
            scores={"llm-judge": [["helpfulness", float(index % 5), None, "scored", None]]},
            record=zlib.compress(orjson.dumps(record(index)), 1),
        )
        for index in indexes
    )


def read() -> dict[str, Any]:
    """Migrate to the schema of today, and read them as everybody does: as they are, and packed."""
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    from assay.jobs.custom_results import fold
    from assay.jobs.models import Job, RowBatch
    from assay.jobs.packing import pack_left_overs
    from assay.jobs.packs import whole_rows

    job = Job.objects.get()

    def seen() -> dict[str, Any]:
        rows = [orjson.loads(line) for _, line in whole_rows(job)]
        return {"rows": rows, "scores": fold(job).to_wire(), "batches": RowBatch.objects.count()}

    unpacked = seen()
    return {"unpacked": unpacked, "shards": pack_left_overs(10), "packed": seen()}


if __name__ == "__main__":
    kept = [*range(450), *range(460, 700, 2)]
    keep(kept)
    print(orjson.dumps({"kept": [record(index) for index in kept], **read()}).decode())
