"""``manage.py beat``: the periodic sweeps alone, for a team install whose workers do not sweep."""

import signal
from typing import Any

from django.core.management.base import BaseCommand

from assay.platform.celery import start_sweeps


class Command(BaseCommand):
    help = "Run the periodic sweeps."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        ends = {signal.SIGTERM, signal.SIGINT}
        signal.pthread_sigmask(signal.SIG_BLOCK, ends)
        start_sweeps()
        signal.sigwait(ends)
