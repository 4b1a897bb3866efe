"""``manage.py serve``: the whole platform on one machine; web, worker and sweeps, supervised."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from assay.platform.supervisor import CannotServe, Supervisor


class Command(BaseCommand):
    help = "Migrate, then run the web server and a worker; restart a child that dies; drain on SIGTERM."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="beyond loopback sign-in is on, unless ASSAY_AUTH=off")
        parser.add_argument("--port", type=int, default=8080)
        parser.add_argument("--data-dir", help="database, files and keys (default: ASSAY_DATA_DIR, else ./data)")
        parser.add_argument("--workers", type=int, default=1, help="worker processes")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            Supervisor(options["host"], options["port"], options["workers"]).run()
        except CannotServe as error:
            raise CommandError(str(error)) from None
