"""Everything that is measured, in one run: `python -m benchmarks`, or some of it: `python -m benchmarks engine job`.

Writes the sections it measured into benchmarks/results.md. Each benchmark runs in a process of its own.
"""

import argparse
import importlib
import subprocess
import sys
from pathlib import Path

NAMES = ("transports", "engine", "peers", "serving", "job", "files", "hub", "datasets", "install")
LONG = ("scale",)
"""Only run when they are named."""
SECONDS = {"scale": 3600, "serving": 600, "engine": 180, "peers": 900, "hub": 600, "datasets": 240, "install": 240}
RESULTS = Path(__file__).with_name("results.md")
HEAD = """# Measured

Written by `make bench`. On a shared machine trust the ratios and the CPU seconds; walls come and go.

"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "names", nargs="*", metavar="name", help=f"{', '.join(NAMES)}: all when none is given; {', '.join(LONG)}"
    )
    parser.add_argument("--here", action="store_true", help="measure in this process, and only print")
    asked = parser.parse_args()
    names = asked.names or list(NAMES)
    if unknown := set(names) - {*NAMES, *LONG}:
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    if asked.here:
        for name in names:
            print(importlib.import_module(f"benchmarks.{name}").measure().markdown())
        return 0
    return max([_one(name) for name in names])


def _one(name: str) -> int:
    argv = [sys.executable, "-m", "benchmarks", name, "--here"]
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=SECONDS.get(name, 120))
    except subprocess.TimeoutExpired:
        print(f"{name}: not done in time", file=sys.stderr)
        return 1
    if done.returncode:
        print(f"{name}: failed", file=sys.stderr)
        return 1
    print(done.stdout, flush=True)
    _keep(name, done.stdout)
    return 0


def _keep(name: str, section: str) -> None:
    """Replace the section of one benchmark in the results, in the order of NAMES."""
    kept = {}
    if RESULTS.exists():
        for part in RESULTS.read_text().split("\n<!-- ")[1:]:
            label, _, text = part.partition(" -->\n")
            kept[label] = text.strip() + "\n"
    kept[name] = section.strip() + "\n"
    parts = [f"\n<!-- {label} -->\n{kept[label]}" for label in (*NAMES, *LONG) if label in kept]
    RESULTS.write_text(HEAD.rstrip() + "\n" + "".join(parts))


if __name__ == "__main__":
    sys.exit(main())
