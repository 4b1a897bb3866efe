"""What the last landed release left behind is all there after an upgrade, and a job that it paused goes on.

`landed.tar.gz` is a data folder that release made (`make.py`); with each release it is made anew, by the code before.
"""

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.judge import JudgeProcess
from tests.platform_process import ROOT, PlatformProcess, bare_environment
from tests.services import fresh_database
from tests.upgrade.make import JUDGE_PORT, PAUSED_ROWS, ROWS, SECRET, wait

pytestmark = pytest.mark.thorough

LANDED = Path(__file__).with_name("landed.tar.gz")


@pytest.fixture(params=["sqlite", "postgres"])
def upgraded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PlatformProcess]:
    with tarfile.open(LANDED) as archive:
        archive.extractall(tmp_path, filter="data")
    data = tmp_path / "data"
    if request.param == "sqlite":
        with PlatformProcess(data) as platform:
            yield platform
        return
    with fresh_database() as url:
        env = {"ASSAY_DATABASE_URL": url, "ASSAY_DATA_DIR": str(data)}
        replant = [sys.executable, "-m", "tests.upgrade.replant", str(data / "assay.sqlite3")]
        subprocess.run(replant, cwd=ROOT, env={**bare_environment(), **env}, check=True, timeout=120)
        (data / "assay.sqlite3").unlink()
        with PlatformProcess(data, **env) as platform:
            yield platform
        shutil.rmtree(data)


def test_nothing_is_lost_and_work_goes_on(upgraded: PlatformProcess) -> None:
    with (
        JudgeProcess(port=JUDGE_PORT, api_key=SECRET) as judge,
        httpx.Client(base_url=upgraded.url, timeout=30) as client,
    ):
        looks_as_it_did(client)
        halfway_goes_on(client, judge)
    env = {**upgraded.env, "ASSAY_DATA_DIR": str(upgraded.data_dir)}
    verify = [sys.executable, "manage.py", "verify_audit"]
    verified = subprocess.run(verify, cwd=ROOT, env=env, capture_output=True, timeout=60)
    assert verified.returncode == 0, verified.stderr


def looks_as_it_did(client: httpx.Client) -> None:
    def get(path: str) -> Any:
        reply = client.get(path)
        assert reply.status_code == 200, f"{path}: {reply.text}"
        return reply.json()

    home = "/apis/entities/v2/workspaces/landed"
    assert get(home)["description"] == "as the last release left it"
    members = get(f"{home}/members")["data"]
    assert [(member["principal"], member["roles"]) for member in members] == [("ann", ["Editor"])]
    assert [project["name"] for project in get(f"{home}/projects")["data"]] == ["p-one"]
    assert get("/apis/secrets/v2/workspaces/landed/secrets/judge-key/access")["value"] == SECRET
    assert get("/apis/evaluator/v2/workspaces/landed/metrics/kept")["name"] == "kept"
    files = get("/apis/files/v2/workspaces/landed/filesets/data/files")["data"]
    assert sorted(file["path"] for file in files) == ["few.jsonl", "many.jsonl"]
    few = client.get("/apis/files/v2/workspaces/landed/filesets/data/-/few.jsonl")
    assert few.text.count("\n") == ROWS

    repo = "/v1/hf/api/datasets/landed/repo"
    assert [commit["title"] for commit in get(f"{repo}/commits/main")][:2] == ["commit 1", "commit 0"]
    refs = get(f"{repo}/refs")
    assert [tag["name"] for tag in refs["tags"]] == ["v1"]
    assert {branch["name"] for branch in refs["branches"]} == {"main", "side"}
    assert client.get("/v1/hf/datasets/landed/repo/resolve/v1/a.txt", follow_redirects=True).text == "text 1"
    target = get("/v1/evaluation/targets/landed/t")
    assert target["model"]["api_endpoint"]["api_key"] == "******"
    assert [result["job"] for result in get("/v1/evaluation/results?filter[job_id]=elsewhere")["data"]] == ["elsewhere"]

    assert get("/apis/jobs/v2/workspaces/landed/jobs/done")["status"] == "completed"
    assert row_indexes(client, "done") == list(range(ROWS))
    result = client.get("/apis/jobs/v2/workspaces/landed/jobs/done/results/aggregate-scores/download")
    assert result.status_code == 200 and "helpfulness" in result.text


def halfway_goes_on(client: httpx.Client, judge: JudgeProcess) -> None:
    job = "/apis/evaluator/v2/workspaces/landed/evaluate/jobs/halfway"
    done = client.get(f"{job}/progress").json()["rows_done"]
    assert 0 < done < PAUSED_ROWS
    assert client.post(f"{job}/resume").status_code == 200
    wait(client, "halfway", "completed")
    assert judge.stats()["calls"] == PAUSED_ROWS - done, "no reply was paid for twice"
    assert row_indexes(client, "halfway") == list(range(PAUSED_ROWS))


def row_indexes(client: httpx.Client, job: str) -> list[int]:
    found: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        reply = client.get(
            f"/apis/evaluator/v2/workspaces/landed/evaluate/jobs/{job}/rows", params={"limit": "200", **cursor}
        )
        found += [row["row_index"] for row in reply.json()["data"]]
        if reply.json()["next_page"] is None:
            return found
        cursor = {"page_cursor": reply.json()["next_page"]}
