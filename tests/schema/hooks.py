"""Loaded by schemathesis into its own process: counts what it sends, and lets pass what `allowed.py` lets pass."""

import atexit
import json
import os
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import schemathesis

sys.path.insert(0, str(Path(__file__).resolve().parent))

from allowed import ALLOWED

ENDED = json.loads(os.environ["ASSAY_SCHEMA_ENDED"])
SENT: defaultdict[str, Counter[int]] = defaultdict(Counter)
PASSED: Counter[int] = Counter()
"""How often each entry of ALLOWED was needed, by its place."""


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Follow no log of a job that may never end."""
    if str((case.query or {}).get("follow")).lower() == "true" and case.path_parameters.get("name") not in ENDED:
        case.query = {name: value for name, value in case.query.items() if name != "follow"}


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    SENT[case.operation.label][response.status_code] += 1


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    said = f"{response.status_code} {response.content.decode(errors='replace')}"
    for place, allowed in enumerate(ALLOWED):
        if allowed.holds(failure.checks, case.operation.label, said):
            PASSED[place] += 1
            return False
    return True


@atexit.register
def write() -> None:
    tally = {"sent": SENT, "passed": PASSED}
    Path(os.environ["ASSAY_SCHEMA_TALLY"]).write_text(json.dumps(tally), encoding="utf-8")
