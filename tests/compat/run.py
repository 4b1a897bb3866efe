"""``make compat``: every supported ``nemo-platform`` client, unmodified, takes the tutorial against a running platform.

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
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))  # run by path, Python puts this folder on its path and not the root

from tests.compat import environments, stack  # noqa: E402
from tests.compat.environments import CLIENTS, Client  # noqa: E402

LESSON_WITHIN_S = 300


@dataclass
class Report:
    """What came of one client."""

    client: Client
    lines: list[dict[str, Any]] = field(default_factory=list)
    trouble: str | None = None
    not_run: bool = False

    @property
    def outcomes(self) -> dict[str, str]:
        return {line["step"]: line["outcome"] for line in self.lines}

    def add(self, step: str, fault: str | None) -> None:
        self.lines.append({"step": step, "outcome": "failed" if fault else "passed", "error": fault})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=[client.version for client in CLIENTS], help="repeatable")
    parser.add_argument("--keep", action="store_true", help="keep the data folder and logs of this run")
    parser.add_argument("--install", action="store_true", help="only make the environments")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leave through the blocks that stop our processes
    reports = [Report(client) for client in CLIENTS if not asked.only or client.version in asked.only]
    pythons = {report.client.version: _install(report) for report in reports}
    if not asked.install:
        with _folder(asked.keep) as folder:
            try:
                _teach(reports, pythons, folder)
            except stack.DidNotStart as trouble:
                print(trouble, flush=True)
                return 1
    return _conclude(reports)


def _install(report: Report) -> Path | None:
    began = time.monotonic()
    try:
        python = environments.environment(report.client)
    except environments.Unavailable as trouble:
        report.trouble, report.not_run = str(trouble), isinstance(trouble, environments.NoPython)
        return None
    print(f"nemo-platform {report.client.version}: environment ready in {time.monotonic() - began:.0f} s", flush=True)
    return python


def _folder(keep: bool) -> contextlib.AbstractContextManager[str]:
    if not keep:
        return tempfile.TemporaryDirectory(prefix="assay-compat-")
    folder = tempfile.mkdtemp(prefix="assay-compat-")
    print(f"keeping {folder}", flush=True)
    return contextlib.nullcontext(folder)


def _teach(reports: list[Report], pythons: dict[str, Path | None], folder: str) -> None:
    with stack.running(Path(folder)) as addresses:
        for report in reports:
            if python := pythons[report.client.version]:
                began, before = time.monotonic(), _judge_calls(addresses)
                _attend(report, python, addresses, Path(folder))
                _check_judge_calls(report, _judge_calls(addresses) - before)
                print(f"nemo-platform {report.client.version}: {time.monotonic() - began:.0f} s", flush=True)
        if any("failed" in report.outcomes.values() for report in reports):
            print(f"\nend of the platform's log:\n{addresses.platform_log.read_text(errors='replace')[-4000:]}")


def _attend(report: Report, python: Path, addresses: stack.Stack, folder: Path) -> None:
    """Run the tutorial in the client's environment, away from this project's packages, settings and home folder."""
    version = report.client.version
    home = folder / f"home-{version}"
    home.mkdir()
    command = [str(python), str(ROOT / "tests/compat/tutorial.py"), "--base-url", addresses.platform_url]
    command += ["--judge-url", addresses.judge_url, "--hub-url", addresses.hub_url]
    command += ["--hub-revision", addresses.hub_revision]
    command += ["--dataset", str(addresses.dataset), "--workspace", f"compat-{version.replace('.', '-')}"]
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL")}
    # The local run takes the judge's key from the environment, under the name of the secret.
    settings = kept | {"HOME": str(home), "TMPDIR": str(home), "NVIDIA_API_KEY": "compat-key", "NO_PROXY": "*"}
    errors = folder / f"client-{version}.err"
    with errors.open("w") as err:
        try:
            done = subprocess.run(
                command, cwd=home, env=settings, stdout=subprocess.PIPE, stderr=err, text=True, timeout=LESSON_WITHIN_S
            )
            output, fault = done.stdout, None if done.returncode in (0, 1) else f"exit status {done.returncode}"
        except subprocess.TimeoutExpired as late:
            output = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
            fault = f"not finished within {LESSON_WITHIN_S} s"
    report.lines += [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    if not fault and not report.lines:
        fault = "the tutorial said nothing"
    if fault:
        report.add("tutorial", f"{fault}\n{errors.read_text(errors='replace')[-2000:]}")


def _check_judge_calls(report: Report, calls: int) -> None:
    """No call to the judge outside the steps that judge: each of those has already matched its calls to its rows."""
    told = sum(line.get("judge_calls", 0) for line in report.lines)
    judged = all(outcome != "failed" for outcome in report.outcomes.values())
    if judged:
        report.add("judge_calls_add_up", None if calls == told else f"{calls} calls in all, {told} accounted for")


def _judge_calls(addresses: stack.Stack) -> int:
    with urllib.request.urlopen(addresses.judge_url.removesuffix("/v1") + "/stats", timeout=10) as reply:
        return int(json.load(reply)["calls"])


def _conclude(reports: list[Report]) -> int:
    places = [(step, place) for report in reports for place, step in enumerate(report.outcomes)]
    steps = list(dict.fromkeys(step for step, _ in sorted(places, key=lambda one: -one[1])))[::-1]
    if steps:
        print("\n" + " ".join([f"{'step':30}", *(f"{report.client.version:>8}" for report in reports)]))
    for step in steps:
        print(" ".join([f"{step:30}", *(f"{report.outcomes.get(step, '-'):>8}" for report in reports)]))
    for report in reports:
        if report.trouble:
            print(f"\n{report.client.version} {'not run' if report.not_run else 'FAILED'}: {report.trouble}")
        for line in report.lines:
            if line["outcome"] != "passed":
                print(f"\n{report.client.version} {line['step']} {line['outcome']}: {line['error']}")
    outcomes = [outcome for report in reports for outcome in report.outcomes.values()]
    missing = [report for report in reports if report.trouble]
    excused = [report for report in missing if report.not_run and os.environ.get("CI") != "true"]
    failed = outcomes.count("failed") + len(missing) - len(excused)
    if steps or failed:
        print(
            f"\n{outcomes.count('passed')} passed, {failed} failed, {outcomes.count('skipped') + len(excused)} skipped"
        )
    return 1 if failed or outcomes.count("skipped") else 0


if __name__ == "__main__":
    sys.exit(main())
