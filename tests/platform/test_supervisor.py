"""``manage.py serve``: what it starts, what it starts again, and what it says when it cannot."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from assay.platform import supervised
from tests.platform_process import ROOT, PlatformProcess

WORKER = "manage.py worker"
WAIT = (
    "from assay.platform.supervised import wait_until_prepared as wait\n"
    "print('waits', flush=True); wait(); print('goes')"
)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformProcess]:
    with PlatformProcess(tmp_path_factory.mktemp("serve") / "data", prepared=False) as running:
        until(lambda: running.children(WORKER))
        yield running


def until(seen: Callable[..., object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def test_it_is_ready_at_once_with_everything_in_place(platform: PlatformProcess) -> None:
    assert httpx.get(f"{platform.url}/static/unfold/css/styles.css").status_code == 200
    assert httpx.get(f"{platform.url}/apis/entities/v2/workspaces").status_code == 200
    assert httpx.get(f"{platform.url}/admin/", follow_redirects=True).status_code == 200


def test_nobody_else_on_the_machine_reads_what_it_writes(platform: PlatformProcess) -> None:
    kept = [platform.data_dir, *platform.data_dir.iterdir()]
    assert platform.data_dir / "assay.sqlite3" in kept
    assert not [place.name for place in kept if place.exists() and place.stat().st_mode & 0o077]


@pytest.mark.parametrize("word", [WORKER, "granian"])
def test_whatever_dies_is_started_again(platform: PlatformProcess, word: str) -> None:
    before = set(platform.children(word))
    platform.kill(word)
    until(lambda: len(platform.children(word)) == len(before) and not before & set(platform.children(word)))
    platform.wait_ready()


def test_a_web_server_whose_parent_dies_leaves_the_port(platform: PlatformProcess) -> None:
    assert platform.process is not None
    web = platform.children("granian")
    (parent,) = (pid for pid in web if parent_of(pid) == platform.process.pid)
    os.kill(parent, signal.SIGKILL)
    until(lambda: len(platform.children("granian")) > 1 and parent not in platform.children("granian"))
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in web))
    platform.wait_ready()


@pytest.mark.thorough
def test_a_worker_that_cannot_start_is_not_tried_without_a_pause(platform: PlatformProcess) -> None:
    for _ in range(3):
        until(lambda: platform.children(WORKER))
        killed = platform.children(WORKER)
        platform.kill(WORKER)
        until(lambda killed=killed: not set(killed) & set(platform.children(WORKER)))
    log = platform.log.read_text()
    assert "worker 0 ended with code -9; starting it again\n" in log
    assert log.count("starting it again in 1 s") >= 1


def test_a_second_one_over_the_same_folder_is_refused(platform: PlatformProcess) -> None:
    ended = serve(PlatformProcess(platform.data_dir))
    assert ended.returncode == 1
    assert ended.stderr == "Another `manage.py serve` uses this data folder already.\n"


def test_a_port_that_is_taken_is_named(platform: PlatformProcess, tmp_path: Path) -> None:
    ended = serve(PlatformProcess(tmp_path), "--port", str(platform.port))
    assert ended.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{platform.port}: Address already in use." in ended.stderr


@pytest.mark.thorough
def test_a_database_that_cannot_be_migrated_ends_it(tmp_path: Path) -> None:
    (tmp_path / "assay.sqlite3").write_bytes(b"this is no database" * 100)
    ended = serve(PlatformProcess(tmp_path))
    assert ended.returncode == 1
    assert "file is not a database" in ended.stderr
    assert ended.stderr.endswith("The database cannot be got ready; the reason is above.\n")


@pytest.mark.thorough
def test_asked_to_stop_while_it_starts_it_stops(tmp_path: Path) -> None:
    starting = PlatformProcess(tmp_path)
    process = subprocess.Popen(starting.argv, cwd=ROOT, env=starting.env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Assay is starting on")
    process.terminate()
    assert process.wait(20) == 0
    assert process.stdout.read() == ""


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])


def serve(platform: PlatformProcess, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [*platform.argv, *words]
    return subprocess.run(argv, cwd=ROOT, env=platform.env, capture_output=True, text=True, timeout=60)


@pytest.mark.thorough
def test_who_waits_for_the_database_goes_on_when_it_is_ready(tmp_path: Path) -> None:
    env = {**os.environ, supervised.VARIABLE: str(tmp_path)}
    with supervised.preparing(tmp_path):
        waiting = subprocess.Popen([sys.executable, "-c", WAIT], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "waits\n"
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.3)
    assert waiting.stdout.read() == "goes\n"
    assert waiting.wait(30) == 0


def test_the_supervisor_takes_no_more_memory_than_supervising_needs() -> None:
    code = "import assay.platform.supervisor, sys; print(*sys.modules)"
    env = {**os.environ, "ASSAY_DATA_DIR": os.environ["ASSAY_DATA_DIR"]}
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True).stdout
    assert not {"django", "celery", "pydantic", "asyncio", "ssl"} & set(loaded.split())
