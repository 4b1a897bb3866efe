"""``manage.py beat``: the periodic sweeps alone, for a team install whose workers do not sweep."""

import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from assay.platform import metrics, metrics_read
from assay.platform.celery import start_sweeps


class Command(BaseCommand):
    help = "Run the periodic sweeps."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        metrics_read.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        metrics.processes.labels("beat").set(1)
        metrics_read.serve(options["metrics_host"], options["metrics_port"])
        ends = {signal.SIGTERM, signal.SIGINT}
        signal.pthread_sigmask(signal.SIG_BLOCK, ends)
        start_sweeps()
        signal.sigwait(ends)
