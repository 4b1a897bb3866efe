"""What the platform counts of itself, for Prometheus: the instruments. `metrics_read.py` reads them.

Where ``PROMETHEUS_MULTIPROC_DIR`` names a folder, processes count in files there, and each of those that share it is
read for all of them; the supervisor names one to what it starts. Elsewhere a process counts in its own memory.

A label has few values: never the name of a workspace, a job, a model or a caller, nor a path as it was asked for.
"""

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from assay.platform.supervised import METRICS_VARIABLE

FOLDER = Path(os.environ[METRICS_VARIABLE]) if METRICS_VARIABLE in os.environ else None
"""Where the files are; None where this process counts in its memory."""
registry = CollectorRegistry()
disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each

if FOLDER is not None:
    FOLDER.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in FOLDER.glob(f"gauge_*_{os.getpid()}.db"):
        left.unlink()  # of an earlier process with the same id: gauges would go on from what it had

ROLES = ("judge", "target", "remote metric")
OUTCOMES = ("ok", "refused", "error", "timeout")
PAUSES = ("requests", "tokens", "flight", "learned", "held")
"""Why calls wait for their turn: a limit of requests or tokens a minute, of calls in flight, a pace that was learned,
or an endpoint that wants to be left alone for a while."""

# Requests

requests = Counter("assay_http_requests", "Requests answered", ["method", "route", "status"], registry=registry)
request_seconds = Histogram(
    "assay_http_request_seconds",
    "Seconds from a request to the last byte of its reply",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0),
    registry=registry,
)
requests_in_flight = Gauge(
    "assay_http_requests_in_flight", "Requests being answered", multiprocess_mode="livesum", registry=registry
)

# Calls of models and of remote metrics

calls = Counter("assay_calls", "Calls that ended, each attempt one", ["role", "outcome"], registry=registry)
call_seconds = Histogram(
    "assay_call_seconds",
    "Seconds that a call took, each attempt one",
    ["role"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0),
    registry=registry,
)
calls_in_flight = Gauge("assay_calls_in_flight", "Calls under way", multiprocess_mode="livesum", registry=registry)
calls_waiting = Gauge(
    "assay_calls_waiting", "Calls that wait for their turn", multiprocess_mode="livesum", registry=registry
)
call_pauses = Counter("assay_call_pauses", "Calls that had to wait for their turn", ["reason"], registry=registry)
call_pause_seconds = Counter(
    "assay_call_pause_seconds", "Seconds that calls waited for their turn", ["reason"], registry=registry
)
retries = Counter("assay_call_retries", "Attempts after the first one for the same question", registry=registry)
tokens = Counter("assay_tokens", "Tokens used, by the servers' own counts", ["direction"], registry=registry)
replies_reused = Counter("assay_replies_reused", "Replies that came from the store", registry=registry)

# Jobs

rows = Counter("assay_rows", "Rows stored, by what became of them", ["result"], registry=registry)
job_moves = Counter("assay_job_moves", "Changes of jobs' states, by the new one", ["state"], registry=registry)
shards_taken_over = Counter(
    "assay_shards_taken_over", "Shards taken from workers that had gone silent or died", registry=registry
)
sweep_failures = Counter("assay_sweep_failures", "Periodic sweeps that failed", ["sweep"], registry=registry)
sign_ins_failed = Counter("assay_sign_ins_failed", "Sign-ins with a wrong password", registry=registry)
processes = Gauge("assay_processes", "Processes seen here", ["kind"], multiprocess_mode="livesum", registry=registry)

# What never happened yet is a zero and no gap.
for role in ROLES:
    call_seconds.labels(role)
    for outcome in OUTCOMES:
        calls.labels(role, outcome)
for reason in PAUSES:
    call_pauses.labels(reason)
    call_pause_seconds.labels(reason)
for direction in ("in", "out"):
    tokens.labels(direction)
