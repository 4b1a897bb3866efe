"""``manage.py sweep``: the periodic sweeps by hand, and what they did."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error, close_old_connections

from assay.operations import counters, sweeping


class Command(BaseCommand):
    help = "Run the periodic sweeps here, as `manage.py beat` does, and say what each of them did."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data-dir", help="database, files and keys (default: ASSAY_DATA_DIR, else ./data)")
        parser.add_argument("--once", action="store_true", help="each of them once, and end")
        parser.add_argument("--recount", action="store_true", help="first count the rows of lists anew")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["recount"]:
            for table in counters.recount():
                self.stdout.write(f"{table}: counted anew")
        due = dict.fromkeys(sweeping.sweeps(), 0.0)
        while True:
            for name, moment in due.items():
                if moment <= time.monotonic():
                    self._sweep(name, quiet=not options["once"])
                    due[name] = time.monotonic() + sweeping.sweeps()[name]
            if options["once"]:
                return
            try:
                time.sleep(max(0.0, min(due.values()) - time.monotonic()))
            except KeyboardInterrupt:
                return

    def _sweep(self, name: str, *, quiet: bool) -> None:
        try:
            did = sweeping.run(name)
        except (Error, OSError) as error:
            close_old_connections()
            self.stderr.write(f"{name} failed: {error}")
            return
        if did or not quiet:
            self.stdout.write(f"{name}: {did or 'nothing to do'}")
