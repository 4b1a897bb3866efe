"""``manage.py worker``: one Celery worker, here or on another machine beside the same database and broker."""

import os
import sys
import warnings
from argparse import ArgumentParser
from typing import Any

from celery.exceptions import SecurityWarning
from celery.signals import worker_ready, worker_shutting_down
from django.core.management.base import BaseCommand
from django.db import close_old_connections

from assay.jobs import recover
from assay.jobs.attendance import Attendance
from assay.platform import metrics, metrics_read, traces
from assay.platform.celery import app, start_sweeps
from assay.platform.drain import draining
from assay_sdk.engine.transport import open_transport


class Command(BaseCommand):
    help = "Run a Celery worker that judges rows."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data-dir", help="database, files and keys (default: ASSAY_DATA_DIR, else ./data)")
        parser.add_argument(
            "--sweeps", action="store_true", help="run the periodic sweeps too, instead of a beat process"
        )
        parser.add_argument("--concurrency", type=int, default=8, help="shards judged at once, each with many calls")
        metrics_read.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        metrics.processes.labels("worker").set(1)
        metrics_read.serve(options["metrics_host"], options["metrics_port"])
        traces.start("worker")

        @worker_shutting_down.connect(weak=False)
        def drain(**signal: Any) -> None:
            draining.set()

        attendance = Attendance(options["concurrency"])

        @worker_ready.connect(weak=False)
        def take_over(**signal: Any) -> None:
            attendance.begin()
            recover.take_over()
            close_old_connections()

        open_transport()  # imported now, the first job does not wait for it
        os.environ["CELERY_SKIP_CHECKS"] = "1"  # they load every view; `manage.py check` is the place for them
        if options["sweeps"]:
            start_sweeps()
        # Celery warns root of pickled messages; ours are JSON, and in the container nobody is root.
        warnings.filterwarnings("ignore", category=SecurityWarning)
        # Threads: a shard waits for judges, not for a core; and one process holds one pool of memory.
        worker = app.Worker(
            pool="threads",
            concurrency=options["concurrency"],
            loglevel="WARNING",
            quiet=True,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        worker.start()
        attendance.end()
        sys.exit(worker.exitcode)
