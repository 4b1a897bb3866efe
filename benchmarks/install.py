"""What an installation weighs: packages and MB of a fresh environment, time to ready, memory and CPU at rest."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Report
from tests.platform_process import ROOT, PlatformProcess

NOT_OURS = {"pip", "setuptools", "wheel"}
STARTS = 3
SETTLE_SECONDS, IDLE_SECONDS = 5, 30
SDK_IMPORTS = 5


def measure() -> Report:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packages, megabytes = fresh_environment(folder / "venv")
        python = str(folder / "venv" / "bin" / "python")
        imports = min(seconds_to_import(python) for _ in range(SDK_IMPORTS))
        fresh, again = [], []
        for turn in range(STARTS):
            platform = PlatformProcess(folder / f"data-{turn}")
            platform.argv[0] = python
            fresh.append(seconds_to_ready(platform))
            platform.stop()
            again.append(seconds_to_ready(platform))
            if turn + 1 < STARTS:
                platform.stop()
        try:
            time.sleep(SETTLE_SECONDS)
            pids = sorted(processes(platform))
            before = sum(map(cpu_seconds, pids))
            time.sleep(IDLE_SECONDS)
            share = (sum(map(cpu_seconds, pids)) - before) / IDLE_SECONDS
            proportional, resident = (sum(megabytes_of(pid, kind) for pid in pids) for kind in ("Pss", "Rss"))
        finally:
            platform.stop()
    return Report(
        "An installation at rest",
        "python -m benchmarks install",
        ["what", "measured", "goal"],
        [
            ["packages, our SDK among them", str(packages), "60"],
            ["size of them", f"{megabytes:.0f} MB", "300 MB"],
            ["`import assay_sdk`", f"{imports:.2f} s", "0.3 s"],
            ["start to ready, empty data folder", seconds(fresh), "3 s"],
            ["start to ready, later", seconds(again), "3 s"],
            [f"memory at rest, {len(pids)} processes (PSS)", f"{proportional:.0f} MB", "200 MB"],
            ["the same, shared pages counted in each (RSS)", f"{resident:.0f} MB", ""],
            [f"CPU at rest, over {IDLE_SECONDS} s", f"{share * 100:.2f} % of a core", "0.5 %"],
        ],
    )


def fresh_environment(folder: Path) -> tuple[int, float]:
    """The packages and megabytes that requirements.txt brings."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "install", "--quiet", "-r", "requirements.txt"], cwd=ROOT, check=True, stderr=subprocess.DEVNULL
    )
    listed = json.loads(subprocess.run([*pip, "list", "--format=json"], check=True, stdout=subprocess.PIPE).stdout)
    names = [package["name"] for package in listed if package["name"] not in NOT_OURS]
    site = next((folder / "lib").glob("python*/site-packages"))
    own = [path for path in site.iterdir() if path.name.split("-")[0] not in NOT_OURS]
    return len(names), sum(size(path) for path in own) / 2**20


def size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(found.stat().st_size for found in path.rglob("*") if found.is_file())


def seconds_to_import(python: str) -> float:
    code = "import time; began = time.perf_counter(); import assay_sdk; print(time.perf_counter() - began)"
    return float(subprocess.run([python, "-c", code], check=True, stdout=subprocess.PIPE).stdout)


def seconds_to_ready(platform: PlatformProcess) -> float:
    began = time.monotonic()
    platform.start()
    return time.monotonic() - began


def seconds(measured: list[float]) -> str:
    """The middle one, and the spread."""
    least, *_, most = ordered = sorted(measured)
    return f"{ordered[len(ordered) // 2]:.1f} s ({least:.1f} to {most:.1f})"


def processes(platform: PlatformProcess) -> set[int]:
    """The supervisor and all that it started."""
    assert platform.process is not None
    return {platform.process.pid, *platform.children("")}


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def megabytes_of(pid: int, kind: str) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.partition(f"\n{kind}:")[2].split()[0]) / 1024
