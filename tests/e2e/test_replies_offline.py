"""A run replayed without its judge: what one platform was told is imported by another, and nobody is called."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.judge import JudgeProcess
from tests.platform_process import ROOT, PlatformProcess, bare_environment
from tests.rest import bundle, rows, scores, submit, wait


def replies(data: Path, *words: str) -> str:
    command = [sys.executable, "manage.py", "replies", *words, "--data-dir", str(data)]
    done = subprocess.run(command, cwd=ROOT, env=bare_environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(api: httpx.Client, spec: dict[str, Any]) -> tuple[Any, Any]:
    submit(api, spec, "replayed")
    ended = wait(api, "replayed")
    assert ended["status"] == "completed", ended
    return scores(api, "replayed")


@pytest.mark.thorough
def test_an_imported_run_gives_the_same_scores_with_no_judge_running(
    platform: PlatformProcess, api: httpx.Client, tmp_path: Path
) -> None:
    elsewhere, file = tmp_path / "elsewhere", tmp_path / "replies.jsonl.gz"
    with JudgeProcess(refuse_response_format=True) as judge:
        same = rows(1) * 5
        spec = {"dataset": rows(20) + same, "params": {"parallelism": 4}, "metrics": [bundle(judge.url)]}
        with PlatformProcess(elsewhere) as other, httpx.Client(base_url=other.url, timeout=30) as its_api:
            original = run(its_api, spec)
            replies(elsewhere, "export", str(file))
    assert replies(platform.data_dir, "import", str(file)).endswith("of them new.\n")
    aggregates, judged = run(api, spec)
    used = api.get("/apis/evaluator/v2/workspaces/default/evaluate/jobs/replayed/progress").json()["usage_total"]
    assert aggregates == original[0]
    assert [row["metrics"] for row in judged] == [row["metrics"] for row in original[1]]
    assert used["calls"] == 0 and used["kept"] >= 25
