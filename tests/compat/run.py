"""``make compat``: the real clients, unmodified, each taken through what its users do against a running platform.

Prints a table of steps by version and what broke; exit status 1 if anything did. A client whose Python is missing is
reported as not run, which is a failure where ``CI=true``.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))  # run by path, Python puts this folder on its path and not the root

from tests.compat import environments, stack  # noqa: E402
from tests.compat.courses import COURSES, chosen  # noqa: E402
from tests.compat.report import Report, conclude  # noqa: E402
from tests.compat.steps import judge_calls  # noqa: E402

LESSON_WITHIN_S = 300


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], help="courses with this text in their name; repeatable")
    parser.add_argument("--list", action="store_true", help="only name the courses")
    parser.add_argument("--keep", action="store_true", help="keep the data folder and logs of this run")
    parser.add_argument("--install", action="store_true", help="only make the environments")
    asked = parser.parse_args()
    courses = chosen(asked.only)
    if asked.list or not courses:
        print(*COURSES, sep="\n")
        return 0 if courses else 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leave through the blocks that stop our processes
    reports = [Report(course) for course in courses]
    with ThreadPoolExecutor(1) as installer:
        pythons = {client: installer.submit(_install, client) for client in dict.fromkeys(c.client for c in courses)}
        try:
            if asked.install:
                for report in reports:
                    _python(report, pythons)
            else:
                with _folder(asked.keep) as folder:
                    _teach(reports, pythons, Path(folder))
        except stack.DidNotStart as trouble:
            print(trouble, flush=True)
            return 1
        finally:
            installer.shutdown(wait=False, cancel_futures=True)
    return conclude(reports)


def _install(client: environments.Client) -> Path:
    began = time.monotonic()
    python = environments.environment(client)
    if (took := time.monotonic() - began) > 1:
        print(f"{client}: environment made in {took:.0f} s", flush=True)
    return python


def _python(report: Report, pythons: dict[environments.Client, Future[Path]]) -> Path | None:
    try:
        return pythons[report.course.client].result()
    except environments.Unavailable as trouble:
        report.trouble, report.not_run = str(trouble), isinstance(trouble, environments.NoPython)
        return None


def _folder(keep: bool) -> contextlib.AbstractContextManager[str]:
    if not keep:
        return tempfile.TemporaryDirectory(prefix="assay-compat-")
    folder = tempfile.mkdtemp(prefix="assay-compat-")
    print(f"keeping {folder}", flush=True)
    return contextlib.nullcontext(folder)


def _teach(reports: list[Report], pythons: dict[environments.Client, Future[Path]], folder: Path) -> None:
    """Two courses at a time; those that ask the judge follow each other, for its calls are counted."""
    lanes = [[report for report in reports if report.course.asks_judge is asks] for asks in (True, False)]
    with stack.running(folder) as addresses, ThreadPoolExecutor(2) as pool, _classroom(addresses, folder) as room:
        for lane in [pool.submit(room.attend_all, lane, pythons) for lane in lanes]:
            lane.result()
    if any(report.failed for report in reports):
        print(f"\nend of the platform's log:\n{addresses.platform_log.read_text(errors='replace')[-4000:]}")


@dataclass
class Classroom:
    """Where courses are taken: the stack, a folder for their homes, and the client processes now running."""

    addresses: stack.Stack
    folder: Path
    running: set[subprocess.Popen[str]] = field(default_factory=set)
    closed: bool = False

    def attend_all(self, reports: list[Report], pythons: dict[environments.Client, Future[Path]]) -> None:
        for report in reports:
            if (python := _python(report, pythons)) and not self.closed:
                began, before = time.monotonic(), judge_calls(self.addresses.judge_url)
                self._attend(report, python)
                if report.course.asks_judge:
                    _check_judge_calls(report, judge_calls(self.addresses.judge_url) - before)
                print(f"{report.course}: {time.monotonic() - began:.0f} s{' FAILED' * report.failed}", flush=True)

    def _attend(self, report: Report, python: Path) -> None:
        """Run the script in the client's environment, away from this project's packages, settings and home folder."""
        course, addresses = report.course, self.addresses
        home = self.folder / f"home-{course.workspace}"
        home.mkdir()
        command = [str(python), str(course.script), "--workspace", course.workspace]
        command += ["--base-url", addresses.platform_url, "--judge-url", addresses.judge_url]
        command += ["--hub-url", addresses.hub_url, "--hub-revision", addresses.hub_revision]
        command += ["--dataset", str(addresses.dataset)]
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL")}
        settings = kept | {"HOME": str(home), "TMPDIR": str(home), "NO_PROXY": "*"}
        settings |= {"PYTHONPATH": str(environments.HERE)} | course.settings(addresses)
        errors = self.folder / f"client-{course.workspace}.err"
        with errors.open("w") as err:
            child = subprocess.Popen(command, cwd=home, env=settings, stdout=subprocess.PIPE, stderr=err, text=True)
            self.running.add(child)
            try:
                output, _ = child.communicate(timeout=LESSON_WITHIN_S)
                fault = None if child.returncode in (0, 1) else f"exit status {child.returncode}"
            except subprocess.TimeoutExpired:
                child.kill()
                output, _ = child.communicate()
                fault = f"not finished within {LESSON_WITHIN_S} s"
            self.running.discard(child)
        errors.with_suffix(".jsonl").write_text(output)  # what each step took and found: for who keeps the folder
        report.lines += [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        if not fault and not report.lines:
            fault = "it said nothing"
        if fault:
            report.add(course.script.stem, f"{fault}\n{errors.read_text(errors='replace')[-2000:]}")


@contextlib.contextmanager
def _classroom(addresses: stack.Stack, folder: Path) -> Iterator[Classroom]:
    """Left early, it takes its client processes with it: the threads that wait for them would hold up the end."""
    room = Classroom(addresses, folder)
    try:
        yield room
    finally:
        room.closed = True
        for child in list(room.running):
            child.kill()


def _check_judge_calls(report: Report, calls: int) -> None:
    """No call to the judge outside the steps that judge: each of those has already matched its calls to its rows."""
    told = sum(line.get("judge_calls", 0) for line in report.lines)
    if not report.failed:
        report.add("judge_calls_add_up", None if calls == told else f"{calls} calls in all, {told} accounted for")


if __name__ == "__main__":
    sys.exit(main())
