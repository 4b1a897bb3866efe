"""Over Postgres the connections come from a pool, and a worker must give back every one that a shard took."""

from pathlib import Path

import httpx
import pytest

from tests.platform_process import PlatformProcess
from tests.rest import wait
from tests.services import fresh_database

JOBS = 14
"""Two threads of each shard look at the database; the pool has twenty connections."""


@pytest.mark.thorough
def test_a_worker_outlives_more_jobs_than_its_pool_has_connections(tmp_path: Path) -> None:
    check = {"type": "string-check", "left_template": "{{ item.a }}", "operation": "==", "right_template": "a"}
    score = {"description": "Continuous numeric metric value.", "title": "ContinuousScore", "type": "number"}
    bundle = {
        "metric_type": "string-check",
        "outputs": [{"name": "string-check", "value_json_schema": score}],
        "payload": {"kind": "inline", "metric": check},
    }
    spec = {"dataset": [{"a": "a"}], "metrics": [bundle]}
    with (
        fresh_database(migrated=True) as database,
        PlatformProcess(tmp_path / "data", ASSAY_DATABASE_URL=database) as platform,
        httpx.Client(base_url=platform.url, timeout=30) as api,
    ):
        for number in range(JOBS):
            body = {"name": f"job-{number}", "spec": spec}
            api.post("/apis/evaluator/v2/workspaces/default/evaluate/jobs", json=body).raise_for_status()
        for number in range(JOBS):
            assert wait(api, f"job-{number}", seconds=15)["status"] == "completed"
