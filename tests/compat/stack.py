"""What the clients talk to: the platform, the stand-in judge and a small model hub, each a real process or server."""

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.hub.server import Hub

ROOT = Path(__file__).resolve().parent.parent.parent
READY_WITHIN_S = 60.0
GONE_WITHIN_S = 15.0


class DidNotStart(Exception):
    """A part of the stack did not come up; carries the end of what it printed."""


@dataclass(frozen=True)
class Stack:
    """The addresses a client needs, and the rows that the hub serves."""

    platform_url: str
    judge_url: str
    hub_url: str
    hub_revision: str
    dataset: Path
    platform_log: Path

    @property
    def hf_endpoint(self) -> str:
        """What a user of Hugging Face tools exports as ``HF_ENDPOINT``."""
        return f"{self.platform_url}/v1/hf"


@contextmanager
def running(folder: Path) -> Iterator[Stack]:
    """Start all three on free local ports, and stop them, in ``folder``; raises DidNotStart."""
    dataset = folder / "validation.jsonl"
    dataset.write_text(rows("validation", 24), encoding="utf-8")
    with ExitStack() as stack:
        hub = stack.enter_context(Hub())
        files = {
            "README.md": b"# HelpSteer2, made up\n",
            "train.jsonl.gz": gzip.compress(rows("train", 40).encode(), mtime=0),
            "validation.jsonl.gz": gzip.compress(dataset.read_bytes(), mtime=0),
        }
        revision = hub.add_commit("nvidia/HelpSteer2", files)
        judge_log, platform_log = folder / "judge.log", folder / "platform.log"
        judge_command = [sys.executable, "examples/standin_judge.py", "--port", "0"]
        judge = stack.enter_context(_process(judge_command, judge_log))
        judge_url = _wait(judge, judge_log, lambda: _announced(judge_log))
        port = _free_port()
        serve = [sys.executable, "manage.py", "serve", "--host", "127.0.0.1", "--port", str(port)]
        platform = stack.enter_context(_process([*serve, "--data-dir", str(folder / "data")], platform_log))
        platform_url = f"http://127.0.0.1:{port}"
        _wait(platform, platform_log, lambda: _answers(f"{platform_url}/health/ready"))
        yield Stack(platform_url, judge_url, hub.url, revision, dataset, platform_log)


def rows(split: str, count: int) -> str:
    """Rows shaped like HelpSteer2, the same in every run; no two responses are alike."""
    lines = []
    for index in range(count):
        facts = [
            f"point {point} of {split} {index}: use about {point * (index + 3)} units" for point in range(index % 6)
        ]
        scores = {"helpfulness": index % 5, "correctness": (index + 1) % 5, "coherence": (index * 3) % 5}
        scores |= {"complexity": (index * 7 + 2) % 5, "verbosity": min(4, len(facts))}
        prompt = f"Question {index}: how do I measure the {split} of a “sample”?\nBe brief."
        response = "\n".join([f"Answer {index}.", *facts]) if index % 7 else ""
        lines.append(json.dumps({"prompt": prompt, "response": response, **scores}, ensure_ascii=False))
    return "\n".join(lines) + "\n"


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    settings = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    settings["PYTHONUNBUFFERED"] = "1"
    with log.open("wb") as out:
        child = subprocess.Popen(
            command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env=settings, start_new_session=True
        )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(GONE_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)  # with whatever it started: it leads a group of its own
            child.wait()


def _wait(child: subprocess.Popen[bytes], log: Path, ready: Callable[[], str | None]) -> str:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and child.poll() is None:
        if found := ready():
            return found
        time.sleep(0.1)
    state = "is not ready" if child.poll() is None else f"ended with {child.returncode}"
    raise DidNotStart(f"{child.args!r} {state}; it printed:\n{log.read_text(errors='replace')[-3000:]}")


def _announced(log: Path) -> str | None:
    """The judge's address, from the line in which it says where it listens."""
    for line in log.read_text(errors="replace").splitlines():
        if "listening on http" in line:
            return line.split("listening on ", 1)[1].split()[0]
    return None


def _answers(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return str(url) if reply.status == 200 else None
    except (urllib.error.URLError, OSError):
        return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
