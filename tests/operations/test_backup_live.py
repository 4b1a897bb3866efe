"""A backup of a platform that judges and takes uploads meanwhile, brought back on SQLite and on Postgres."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.judge import JudgeProcess
from tests.operations.operating import operate
from tests.platform_process import PlatformProcess
from tests.rest import bundle, rows, scores, status, submit, wait
from tests.services import fresh_database, postgres_url

pytestmark = pytest.mark.thorough

FILES = "/apis/files/v2/workspaces/default/filesets"
JOBS = "/apis/evaluator/v2/workspaces/default/evaluate/jobs"
RUNNING = 160
Read = dict[str, Any]


@dataclass
class Uploads:
    """Puts one file after the other, for as long as the block runs."""

    url: str
    put: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Uploads":
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()
        return self

    def _go_on(self) -> None:
        with httpx.Client(base_url=self.url, timeout=30) as api:
            while not self._over.is_set():
                api.put(f"{FILES}/stream/-/{self.put:05}.txt", content=f"number {self.put}").raise_for_status()
                self.put += 1

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@dataclass(frozen=True)
class Story:
    folder: Path
    judge: JudgeProcess
    before: Read
    after: Read
    there: Read | None
    """On Postgres, where there is one."""
    restored: Read
    """On SQLite again, with the keys if it came over Postgres."""

    @property
    def archive(self) -> Path:
        return self.folder / "backup.tar.gz"

    @property
    def home(self) -> Path:
        return self.folder / "restored"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("backup")
    data, archive = folder / "data", folder / "backup.tar.gz"
    with JudgeProcess(latency_ms=1000, api_key="judge-key-1") as judge:
        with PlatformProcess(data) as platform, httpx.Client(base_url=platform.url, timeout=30) as api:
            fill(api, judge)
            metrics = [bundle(judge.url, secret="judge-key")]
            submit(api, {"dataset": rows(RUNNING), "params": {"parallelism": 3}, "metrics": metrics}, "running")
            wait(api, "running", {"active"})
            with Uploads(platform.url) as uploads:
                before, told, after, ill = operate(data, "read", f"backup,{archive}", "read", "doctor")
            assert told is None, told
            assert ill is None, ill
            assert uploads.put > 5
            assert status(api, "running")["status"] == "active", "it outlived the backup"
        there, latest = over_postgres(folder, archive)
        told, restored = operate(folder / "restored", f"restore,{latest}", "read")
        assert told is None, told
        yield Story(folder, judge, before, after, there, restored)


def over_postgres(folder: Path, archive: Path) -> tuple[Read | None, Path]:
    """Restore it on Postgres and back that up, as a folder and with the keys; returns what is there, and the backup."""
    team, second = folder / "team", folder / "second"
    (team / "keys").mkdir(parents=True)
    shutil.copy(folder / "data" / "keys" / "encryption.key", team / "keys")
    words = (f"restore,{archive}", "read", f"backup,{second},--with-keys")
    try:
        with fresh_database() as url:
            told, there, written = operate(team, *words, database=url)
    except pytest.skip.Exception:
        return None, archive
    assert (told, written) == (None, None)
    return there, second


def fill(api: httpx.Client, judge: JudgeProcess) -> None:
    """Make something of every kind, and a job that has ended."""
    workspaces = "/apis/entities/v2/workspaces"
    api.post(workspaces, json={"name": "team"}).raise_for_status()
    member = {"principal": "ada", "roles": ["Viewer"]}
    api.post(f"{workspaces}/team/members", json=member).raise_for_status()
    api.post(f"{workspaces}/team/projects", json={"name": "first"}).raise_for_status()
    secret = {"name": "judge-key", "value": "judge-key-1"}
    api.post("/apis/secrets/v2/workspaces/default/secrets", json=secret).raise_for_status()
    for name in ("answers", "stream"):
        api.post(FILES, json={"name": name}).raise_for_status()
    lines = "".join(json.dumps(row) + "\n" for row in rows(12))
    api.put(f"{FILES}/answers/-/data/rows.jsonl", content=lines).raise_for_status()
    api.put(f"{FILES}/answers/-/none", content=b"").raise_for_status()
    api.get("/v1/hf/api/datasets/default/answers/commits/main").raise_for_status()
    spec = {"dataset": "default/answers#data/rows.jsonl", "metrics": [bundle(judge.url, secret="judge-key")]}
    submit(api, spec, "done")
    assert wait(api, "done")["status"] == "completed"


def test_what_did_not_change_meanwhile_is_there_and_nothing_was_invented(story: Story) -> None:
    before, after, restored = story.before, story.after, story.restored
    still = {key: value for key, value in before.items() if after.get(key) == value}
    if story.there is None:
        still.pop("secret default/judge-key")
        assert restored["secret default/judge-key"] is None
    assert {key: restored.get(key) for key in still} == still
    for kind in (
        "row default/done ",
        "file default/answers#",
        "scores of default/done",
        "commit ",
        "workspaces.Member",
    ):
        assert [key for key in still if key.startswith(kind)], f"nothing of kind {kind!r} was compared"
    at_times = {key for key in restored if not key.startswith("jobs.RowBatch ")}
    assert at_times <= before.keys() | after.keys(), "batches alone come and go between two looks"
    for key, value in restored.items():
        if key.startswith(("row ", "file ", "commit ")):
            assert value == after[key], key


def test_it_shows_one_instant(story: Story) -> None:
    restored = story.restored
    files = sorted(key for key in restored if key.startswith("file default/stream#"))
    assert files == [f"file default/stream#{number:05}.txt" for number in range(len(files))]
    stored, counted = restored["rows of default/running"]
    assert 0 < stored == counted < RUNNING
    lines = {key for key in restored if key.startswith("row default/running ")}
    assert lines <= {key for key in story.after if key.startswith("row default/running ")}
    for key, value in restored.items():
        if key.startswith("count of "):
            noted, there = value
            assert noted == there > 0, key


def test_the_backup_holds_no_keys_unless_asked(story: Story) -> None:
    listed = subprocess.run(["tar", "-tzf", story.archive], capture_output=True, text=True, check=True).stdout
    assert "keys/" not in listed and listed.splitlines()[-1] == "manifest.json"
    assert story.archive.stat().st_mode & 0o777 == 0o600
    assert not list(story.folder.glob(".backup*")), "no draft is left"
    assert not list((story.folder / "data" / "copying").iterdir())


def test_on_postgres_and_on_sqlite_again_all_is_the_same(story: Story) -> None:
    if story.there is None:
        postgres_url()  # says why this is not run
    assert story.there == story.restored
    assert story.there["secret default/judge-key"] == story.before["secret default/judge-key"]
    assert (story.home / "keys" / "encryption.key").stat().st_mode & 0o777 == 0o600


def test_the_running_job_goes_on_and_no_row_is_lost_doubled_or_paid_twice(story: Story) -> None:
    kept = sum(key.startswith("jobs.Reply ") for key in story.restored)  # the other job asked some of the same
    known = {key: value for key, value in story.restored.items() if key.startswith("row default/running ")}
    assert len(known) <= kept
    shutil.copy(story.folder / "data" / "keys" / "encryption.key", story.home / "keys")  # as after one without keys
    story.judge.reset_stats()
    with PlatformProcess(story.home) as platform, httpx.Client(base_url=platform.url, timeout=30) as api:
        api.patch(f"{JOBS}/running", json={"parallelism": 64}).raise_for_status()
        ended = wait(api, "running")
        assert ended["status"] == "completed", ended
        assert [row["row_index"] for row in scores(api, "running")[1]] == list(range(RUNNING))
        assert story.judge.stats()["calls"] == RUNNING - kept
        assert [row["row_index"] for row in scores(api, "done")[1]] == list(range(12))
    [now] = operate(story.home, "read")
    assert {key: now[key] for key in known} == known
