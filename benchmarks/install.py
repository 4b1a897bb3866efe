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
SETTLE_SECONDS, IDLE_SECONDS = 5, 10
SDK_IMPORTS = 5


def measure() -> Report:
    with tempfile.TemporaryDirectory() as name:
        packages, megabytes = fresh_environment(Path(name) / "venv")
        python = str(Path(name) / "venv" / "bin" / "python")
        imports = min(seconds_to_import(python) for _ in range(SDK_IMPORTS))
        platform = PlatformProcess(Path(name) / "data")
        platform.argv[0] = python
        started = time.monotonic()
        try:
            platform.start()
            ready = time.monotonic() - started
            time.sleep(SETTLE_SECONDS)
            assert platform.process is not None
            pids = [platform.process.pid, *platform.children("")]
            before = sum(map(cpu_seconds, pids))
            time.sleep(IDLE_SECONDS)
            share = (sum(map(cpu_seconds, pids)) - before) / IDLE_SECONDS
            memory = sum(map(proportional_megabytes, pids))
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
            ["start to ready, empty data folder", f"{ready:.1f} s", "3 s"],
            [f"memory at rest, {len(pids)} processes (PSS)", f"{memory:.0f} MB", "200 MB"],
            ["CPU at rest", f"{share * 100:.1f} % of a core", "0.5 %"],
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


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def proportional_megabytes(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.partition("\nPss:")[2].split()[0]) / 1024
