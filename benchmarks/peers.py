"""What it costs to judge a row: our engine beside the reference SDK, other libraries, and a bare loop."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.engine import ANSWER, CPU_IN_FLIGHT, PROMPT
from benchmarks.judge_server import BenchJudge
from benchmarks.report import Report
from tests.compat.environments import Client, Unavailable, answer, environment

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "benchmarks" / "judged"
ROWS = 500
ROUNDS = 3
ROUND_WITHIN_S = 90
KEPT = ("PATH", "LANG", "LC_ALL")
SILENT = {  # nobody is told of this run
    "DEEPEVAL_DISABLE_DOTENV": "1",
    "DEEPEVAL_TELEMETRY_OPT_OUT": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "NEMO_TELEMETRY_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
    "RAGAS_DO_NOT_TRACK": "true",
}


class Library(Client):
    """A library whose packages are pinned beside the programs."""

    def __str__(self) -> str:
        return f"peers/{self.package}-{self.version}"

    @property
    def requirements(self) -> Path:
        return PROGRAMS / f"{self.package}-{self.version}.txt"


PYTHONS = ("3.12", "3.13")
REFERENCE = Client("nemo-platform", "0.6.0", PYTHONS)
OPENEVALS = Library("openevals", "0.2.2", PYTHONS)
DEEPEVAL = Library("deepeval", "4.3.1", PYTHONS)


@dataclass
class Peer:
    """One way of judging rows, and what was measured of it."""

    name: str
    program: str
    client: Client | None = None  # what its environment holds; None is ours
    python: Path | None = None
    milliseconds: list[float] = field(default_factory=list)  # of CPU for a row, one a round
    calls: float = 0.0  # to the judge, for a row
    trouble: str = ""

    @property
    def middle(self) -> float:
        return statistics.median(self.milliseconds)

    def cells(self, ours: float | None) -> list[str]:
        python = self.python and answer(self.python)
        if self.trouble or not self.milliseconds:
            return [self.name, python or "", f"not measured: {self.trouble}", "", ""]
        spread = f"{self.middle:.2f} ms ({min(self.milliseconds):.2f} to {max(self.milliseconds):.2f})"
        ratio = f"{self.middle / ours:.1f} × ours" if ours else ""
        return [self.name, python or "", spread, ratio, f"{self.calls:.2f}"]


def measure() -> Report:
    peers = [
        Peer("Assay's engine", "by_engine"),
        Peer("bare loop over our transport", "by_bare_loop"),
        Peer(f"reference SDK, in nemo-platform {REFERENCE.version}", "by_reference", REFERENCE),
        Peer(f"openevals {OPENEVALS.version}", "by_openevals", OPENEVALS),
        Peer(f"DeepEval {DEEPEVAL.version}, GEval", "by_deepeval", DEEPEVAL),
    ]
    for peer in peers:
        _find_python(peer)
    with BenchJudge() as judge:
        for _ in range(ROUNDS):
            for peer in peers:
                if peer.python and not peer.trouble:
                    _round(peer, peer.python, judge.url)
    engine = peers[0]
    ours = None if engine.trouble else engine.middle
    return Report(
        f"{ROWS} rows judged by our engine and by others",
        "python -m benchmarks peers",
        ["by", "Python", f"CPU a row, median of {ROUNDS} rounds (least to most)", "ratio", "judge calls a row"],
        [peer.cells(ours) for peer in peers],
        [
            f"The rows, prompt and replies of the engine's benchmark, {CPU_IN_FLIGHT} in flight; GEval puts its own "
            "prompt around the texts. Each is a process of its own, turn by turn, and counts its own CPU: without "
            f"imports, and after {CPU_IN_FLIGHT} rows to warm up. Telemetry is off."
        ],
    )


def _find_python(peer: Peer) -> None:
    try:
        peer.python = environment(peer.client) if peer.client else Path(sys.executable)
    except Unavailable as trouble:
        peer.trouble = _brief(str(trouble))


def _round(peer: Peer, python: Path, url: str) -> None:
    """One process that warms up and judges; whatever goes wrong is the peer's trouble and nobody else's."""
    rows = [{"question": f"What about number {number}?", "answer": ANSWER} for number in range(ROWS)]
    task = {"url": url, "prompt": PROMPT, "rows": rows, "in_flight": CPU_IN_FLIGHT, "warm_up": CPU_IN_FLIGHT}
    before = _calls(url)
    with tempfile.TemporaryDirectory(prefix="assay-peers-") as home:
        settings = {name: value for name, value in os.environ.items() if name in KEPT}
        settings |= SILENT | {"HOME": home, "TMPDIR": home, "NO_PROXY": "*"}
        if peer.client is None:
            settings["PYTHONPATH"] = str(ROOT)
        try:
            done = subprocess.run(
                [python, PROGRAMS / f"{peer.program}.py"],
                input=json.dumps(task), capture_output=True, text=True, timeout=ROUND_WITHIN_S, cwd=home, env=settings,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            peer.trouble = f"not done in {ROUND_WITHIN_S} s"
            return
    if done.returncode:
        peer.trouble = _brief(done.stderr)
        return
    try:
        told = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        peer.trouble = "it did not tell what it measured"
        return
    if told["scored"] != ROWS:
        peer.trouble = f"{told['scored']} of {ROWS} rows scored"
    peer.milliseconds.append(told["seconds"] / ROWS * 1000)
    peer.calls = (_calls(url) - before) / (ROWS + CPU_IN_FLIGHT)


def _calls(url: str) -> int:
    with urllib.request.urlopen(f"{url}/calls", timeout=10) as reply:
        return int(json.load(reply)["calls"])


def _brief(trouble: str) -> str:
    """The last line that says something, fit for a cell of a table."""
    lines = [line.strip() for line in trouble.splitlines() if line.strip()]
    return (lines or ["it said nothing"])[-1].replace("|", "/")[:160]
