"""Rows that a platform kept before whole rows had a table of their own are there after its upgrade."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.platform_process import bare_environment
from tests.services import fresh_database

SCRIPT = Path(__file__).with_name("stored_before.py")


@pytest.fixture(params=["sqlite", "postgres"])
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    env = {**bare_environment(), "ASSAY_DATA_DIR": str(tmp_path)}
    if request.param == "sqlite":
        yield env
        return
    with fresh_database() as url:
        yield {**env, "ASSAY_DATABASE_URL": url}


@pytest.mark.thorough
def test_rows_of_an_earlier_schema_are_read_and_packed(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=os.fspath(SCRIPT.parent),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["unpacked"]["rows"] == found["packed"]["rows"] == found["kept"]
    assert found["unpacked"]["scores"] == found["packed"]["scores"]
    assert found["packed"]["scores"]["scores"][0]["count"] == len(found["kept"])
    assert found["unpacked"]["batches"] > 3 and (found["packed"]["batches"], found["shards"]) == (0, 2)
