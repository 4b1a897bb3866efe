"""How much a fault test does, and how it reads a platform whose parts are being killed."""

import os
import secrets
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.judge import JudgeProcess
from tests.rest import TERMINAL, bundle, scores

FULL = os.environ.get("ASSAY_CHAOS") == "full"
"""`make chaos`; otherwise the short form that is part of `make test`."""
SEED = int(os.environ.get("ASSAY_CHAOS_SEED") or secrets.randbelow(10**6))
"""What the random moments are drawn with. It is printed; give it again to have the same moments again."""

JOBS = "/apis/evaluator/v2/workspaces/default/evaluate/jobs"
BUSY = frozenset({502, 503, 504})
"""What a platform may answer while a part of it is away; whatever else it answers is to be true."""


def until(true: Callable[[], object], seconds: float, what: str) -> float:
    """Wait for it, and return the seconds that it took."""
    start = time.monotonic()
    while not true():
        assert time.monotonic() - start < seconds, f"{what}: not within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - start


def asked(api: httpx.Client, method: str, path: str, **also: Any) -> httpx.Response | None:
    """Ask once; None where nobody answered, or only that it cannot answer now."""
    try:
        reply = api.request(method, path, **also)
    except httpx.TransportError:
        return None
    return None if reply.status_code in BUSY else reply


def status(api: httpx.Client, job: str) -> dict[str, Any] | None:
    """Return the job's status; None while nobody answers."""
    reply = asked(api, "GET", f"{JOBS}/{job}/status")
    return None if reply is None else dict(reply.raise_for_status().json())


def spec(judge: JudgeProcess, count: int, *, label: str, parallelism: int = 8, **metric: Any) -> dict[str, Any]:
    """Return a job of so many rows. No other label has the same rows, so that no job is given another's replies."""
    items = [{"prompt": f"{label}: what is {n} plus {n}?", "response": f"It is {2 * n}."} for n in range(count)]
    return {"dataset": items, "params": {"parallelism": parallelism}, "metrics": [bundle(judge.url, **metric)]}


def submit(
    api: httpx.Client, job: str, judge: JudgeProcess, count: int, *, label: str | None = None, **also: Any
) -> None:
    """Submit a job of so many rows, again and again until it is taken."""
    body = {"name": job, "spec": spec(judge, count, label=label or job, **also)}
    replies: list[httpx.Response] = []

    def taken() -> bool:
        reply = asked(api, "POST", JOBS, json=body)
        replies.extend([reply] if reply is not None else [])
        return reply is not None

    until(taken, 60, f"submitting {job}")
    # A conflict: it had been taken the time before, only the reply was lost.
    assert replies[-1].status_code in {201, 409}, replies[-1].text


def ended(api: httpx.Client, job: str, seconds: float, *, still: float = 30.0) -> dict[str, Any]:
    """Wait for the job's end by itself, and return its last status. It may stand ``still`` no longer than that."""
    seen: dict[str, Any] = {}
    start = moved = time.monotonic()
    while seen.get("status") not in TERMINAL:
        now = status(api, job)
        if now is not None and now != seen:
            seen, moved = now, time.monotonic()
        assert time.monotonic() - moved < still, f"{job} stands still for {still} s: {seen}"
        assert time.monotonic() - start < seconds, f"{job} has not ended after {seconds} s: {seen}"
        time.sleep(0.05)
    return seen


def whole(api: httpx.Client, job: str, count: int) -> tuple[list[dict[str, Any]], dict[int, Any]]:
    """Return the aggregates of a completed job and the scores by row, each of its rows there once."""
    details = (status(api, job) or {})["status_details"]
    assert (details["samples_processed"], details["samples_total"]) == (count, count), details
    aggregates, judged = scores(api, job)
    assert [row["row_index"] for row in judged] == list(range(count)), "a row is missing or doubled"
    assert all(each["count"] + each["nan_count"] == count for each in aggregates)
    return aggregates, {row["row_index"]: row["metrics"] for row in judged}
