"""``ASSAY_FUZZ_SECONDS=3600 python -m tests.fuzz [target …]``: the targets share the time.

Each runs in a process of its own with a limit of memory, which is ended where a case does not come back at all. What is
found is printed, with the seed, and kept below ``tests/fuzz/found`` as a seed of every later run.
"""

import argparse
import faulthandler
import json
import logging
import os
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import django

from tests.fuzz.fuzzing import Finding, fuzz

MEMORY = 4 << 30
"""Bytes of address space of a process that tries cases."""
STUCK_SECONDS = 60
"""On the wall, for one case: native code does not listen to less."""
SECONDS = 60.0
SLICE_SECONDS = 120.0
"""A target is given its time in pieces, so that all have had some whenever the run is broken off."""


def main() -> int:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.pytest_settings"
    django.setup()
    from tests.fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="target", help=", ".join(TARGETS))
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--case", type=Path, help="try one file, and nothing else")
    parser.add_argument("--here", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--note", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if unknown := set(asked.names) - TARGETS.keys():
        parser.error(f"no target is called {', '.join(sorted(unknown))}")
    if asked.case:
        return _try(asked.names[0], asked.case)
    if asked.here:
        return _here(asked.names[0], asked.seed, asked.here, asked.note)
    return _all(asked.names or [*TARGETS], asked.seed, float(os.environ.get("ASSAY_FUZZ_SECONDS", SECONDS)))


def _all(names: list[str], seed: int, seconds: float) -> int:
    print(f"seed {seed}, {seconds:g} s for {len(names)} targets", flush=True)
    counts = dict.fromkeys(names, 0)
    found: dict[str, Finding] = {}
    rounds = max(1, round(seconds / len(names) / SLICE_SECONDS))
    for part in range(rounds):
        for name in names:
            count, findings = _slice(name, seed + part, seconds / len(names) / rounds)
            counts[name] += count
            for finding in findings:
                kind = f"{name} {finding.what.partition(': ')[0]}"  # the same in another guise is not another one
                if kind not in found:
                    found[kind] = finding
                    print(f"{finding}\n  kept: {finding.keep()}", flush=True)
        print(", ".join(f"{name} {count:,}" for name, count in counts.items()), flush=True)
    print(f"{sum(counts.values()):,} cases, {len(found)} findings")
    return bool(found)


def _slice(name: str, seed: int, seconds: float) -> tuple[int, list[Finding]]:
    """Fuzz one target in a process of its own, begun again where it dies; returns how many cases, and the findings."""
    count, findings = 0, []
    until = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder, "case")
        while (left := until - time.monotonic()) > 0:
            argv = [sys.executable, "-m", "tests.fuzz", name, "--seed", str(seed), "--here", str(left)]
            env = os.environ | {"TMPDIR": folder}  # what a process leaves that did not end by itself
            done = subprocess.run([*argv, "--note", str(note)], stdout=subprocess.PIPE, text=True, env=env)
            for line in done.stdout.splitlines(keepends=True):
                # The last line of one that was ended may be half a line.
                entry = json.loads(line) if line.startswith("{") and line.endswith("\n") else {}
                if "what" in entry:
                    findings.append(Finding(name, entry["what"], bytes.fromhex(entry["case"])))
                count += entry.get("cases", 0)
            if done.returncode == 0:
                break
            case = note.read_bytes() if note.exists() else b""
            findings.append(Finding(name, f"the process ended: {done.returncode}", case))
            seed += 1_000_003
    return count, findings


def _here(name: str, seed: int, seconds: float, note: Path) -> int:
    from tests.fuzz.targets import TARGETS, prepared

    logging.disable()
    with prepared(TARGETS[name]) as target, note.open("wb", buffering=0) as place:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))

        def write_down(case: bytes) -> None:
            place.seek(0)
            place.truncate()
            place.write(case)
            faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True)

        count = 0
        for finding in fuzz(target, seed, seconds, note=write_down):
            count += 1
            if finding is not None:
                print(json.dumps({"what": finding.what, "case": finding.case.hex()}), flush=True)
        faulthandler.cancel_dump_traceback_later()
        print(json.dumps({"cases": count}), flush=True)
    return 0


def _try(name: str, case: Path) -> int:
    from tests.fuzz.fuzzing import try_case
    from tests.fuzz.targets import TARGETS, prepared

    with prepared(TARGETS[name]) as target:
        outcome, finding = try_case(target, case.read_bytes())
    print(finding or outcome)
    return finding is not None


if __name__ == "__main__":
    sys.exit(main())
