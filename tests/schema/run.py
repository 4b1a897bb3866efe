"""``make schema``: a running platform held to its own ``/openapi.json`` by schemathesis, with every check on.

Each form, with sign-in off and on, has a platform of its own with one of everything. Rounds of generated requests
follow until ``--requests`` were sent; the same ``--seed`` asks for the same. Exit status 1 if a reply broke the
contract, or the platform wrote anything into its log.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))  # run by path, Python puts this folder on its path and not the root

from tests.compat import environments  # noqa: E402
from tests.hub.server import Hub  # noqa: E402
from tests.judge import JudgeProcess  # noqa: E402
from tests.platform_process import PlatformProcess  # noqa: E402
from tests.schema.allowed import ALLOWED  # noqa: E402
from tests.schema.configuration import as_toml, settings  # noqa: E402
from tests.schema.furnishing import ENDED, REPOSITORY, Known, furnish  # noqa: E402

EVERY_PHASE_FROM = 6000
"""Requests of a form: with fewer the phase that tries the limits of every field, some 5000, is left out."""
MOST_EXAMPLES = 40
"""Of an operation, in one round."""
ROUNDS = 20
UNLOCKED = {"DJANGO_SETTINGS_MODULE": "tests.schema.unlocked"}
ROUND_WITHIN_S = 3600


class Tool(environments.Client):
    """schemathesis, with all that it installs pinned in a file of this folder."""

    @property
    def requirements(self) -> Path:
        return HERE / "requirements.txt"


TOOL = Tool("schemathesis", "4.32.5")


@dataclass
class Form:
    """The platform with sign-in on or off, and what came of asking it."""

    auth: str
    sent: dict[str, Counter[str]] = field(default_factory=dict)
    """Statuses by operation."""
    passed: Counter[int] = field(default_factory=Counter)
    """How often an entry of ALLOWED was needed, by its place."""
    broken: bool = False

    @property
    def requests(self) -> int:
        return sum(statuses.total() for statuses in self.sent.values())


@dataclass(frozen=True)
class Running:
    platform: PlatformProcess
    judge: JudgeProcess
    hub: Hub
    token: str
    folder: Path

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def furnished(self) -> tuple[dict[str, object], Known]:
        """Return the platform's own description, and the names of one of everything, made where it is missing."""
        with httpx.Client(base_url=self.platform.url, headers=self.headers, timeout=60) as api:
            return api.get("/openapi.json").raise_for_status().json(), furnish(api, self.judge.url, self.hub.url)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000, help="at least so many, in both forms together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--auth", choices=["off", "on"], action="append", help="only this form")
    parser.add_argument("--only", default="", help="only operations whose path matches this pattern")
    parser.add_argument("--install", action="store_true", help="only make schemathesis's environment")
    asked = parser.parse_args()
    program = environments.environment(TOOL).with_name("schemathesis")
    if asked.install:
        return 0
    forms = [Form(auth) for auth in asked.auth or ["off", "on"]]
    for form in forms:
        with (
            tempfile.TemporaryDirectory(prefix="assay-schema-") as folder,
            running(form.auth, Path(folder)) as platform,
        ):
            ask(form, platform, program, asked.requests // len(forms), asked.seed, asked.only)
    conclude(forms, asked.seed)
    return 1 if any(form.broken for form in forms) else 0


@contextmanager
def running(auth: str, folder: Path) -> Iterator[Running]:
    """Start a judge, a hub, and a platform that may call these and nothing else."""
    with JudgeProcess() as judge, Hub() as hub:
        hub.add_commit(REPOSITORY, {"rows.jsonl": b'{"prompt": "a"}\n'})
        allowed = f"127.0.0.1:{judge.port},{hub.url.removeprefix('http://')}"
        with PlatformProcess(folder / "data", ASSAY_AUTH=auth, ASSAY_EGRESS_ALLOW=allowed, **UNLOCKED) as platform:
            yield Running(platform, judge, hub, administrators_token(platform) if auth == "on" else "", folder)


def administrators_token(platform: PlatformProcess) -> str:
    env = {**platform.env, "ASSAY_DATA_DIR": str(platform.data_dir), "DJANGO_SUPERUSER_PASSWORD": "only-for-this-run-7"}

    def manage(*arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True).stdout.strip()

    manage("createsuperuser", "--noinput", "--username", "admin", "--email", "admin@localhost")
    return manage("create_token", "admin", "--scope", "admin")


def ask(form: Form, running: Running, program: Path, requests: int, seed: int, only: str) -> None:
    """Ask in rounds until as many requests were sent, or something is broken."""
    quiet = running.platform.log.read_text()
    for number in range(ROUNDS):
        began, before = time.monotonic(), form.requests
        description, known = running.furnished()
        operations = sum(len(methods) for methods in description["paths"].values())  # type: ignore[attr-defined]
        examples = max(2, min(MOST_EXAMPLES, (requests - before) // operations))
        phases = ["examples", "fuzzing", "stateful"]
        if number == 0 and requests >= EVERY_PHASE_FROM:
            phases.insert(1, "coverage")
        table = settings(description, known, examples, seed + number, phases, running.headers)
        form.broken = not _round(form, running, program, description, as_toml(table), only)
        print(
            f"auth {form.auth}, seed {seed + number}, {', '.join(phases)}, {examples} examples an operation:", end=" "
        )
        print(f"{form.requests - before} requests in {time.monotonic() - began:.0f} s", flush=True)
        if (said := running.platform.log.read_text().removeprefix(quiet)).strip():
            form.broken = True
            print(f"the platform wrote into its log:\n{said[-8000:]}", flush=True)
        if form.broken or only or form.requests >= requests:
            return


def _round(form: Form, running: Running, program: Path, description: object, table: str, only: str) -> bool:
    """Run schemathesis once, and return whether everything held; it says itself what did not."""
    folder = running.folder
    (folder / "openapi.json").write_text(json.dumps(description), encoding="utf-8")
    (folder / "schemathesis.toml").write_text(table, encoding="utf-8")
    tally = folder / "tally.json"
    tally.unlink(missing_ok=True)
    command = [program, "--config-file", folder / "schemathesis.toml", "--no-color", "run", folder / "openapi.json"]
    command += ["--url", running.platform.url, *(["--include-path-regex", only] if only else [])]
    env = {**os.environ, "ASSAY_SCHEMA_TALLY": str(tally), "ASSAY_SCHEMA_ENDED": json.dumps(ENDED)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=ROUND_WITHIN_S)
    counted = json.loads(tally.read_text(encoding="utf-8")) if tally.exists() else {"sent": {}, "passed": {}}
    for operation, statuses in counted["sent"].items():
        form.sent.setdefault(operation, Counter()).update(statuses)
    form.passed.update({int(place): times for place, times in counted["passed"].items()})
    if done.returncode or not form.sent:
        print(done.stdout, done.stderr, sep="\n", flush=True)
    return done.returncode == 0 and bool(counted["sent"])


def conclude(forms: list[Form], seed: int) -> None:
    """Print how much was asked, what was let pass and why, and which operations never did what they are for."""
    for form in forms:
        statuses: Counter[str] = Counter()
        for each in form.sent.values():
            statuses.update(each)
        shown = ", ".join(f"{times} × {status}" for status, times in sorted(statuses.items()))
        print(f"auth {form.auth}: {form.requests} requests to {len(form.sent)} operations: {shown}")
    for place, allowed in enumerate(ALLOWED):
        times = sum(form.passed[place] for form in forms)
        print(f"let pass {times} times: {allowed.check} of {allowed.operations}\n    {allowed.reason}")
    done = {operation for form in forms for operation, statuses in form.sent.items() if any(s < "4" for s in statuses)}
    never = sorted({operation for form in forms for operation in form.sent} - done)
    print("never done:", ", ".join(never) or "none")
    print(f"seed {seed}:", "BROKEN" if any(form.broken for form in forms) else "everything held")


if __name__ == "__main__":
    sys.exit(main())
