"""``manage.py serve``: the whole platform on one machine; web and workers, supervised.

`manage.py` starts the supervisor without Django; this is for who comes another way, and for ``manage.py help``.
"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from assay.platform.supervisor import CannotServe, Supervisor, add_arguments


class Command(BaseCommand):
    help = "Migrate, then run the web server and the workers; restart a child that dies; drain on SIGTERM."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            Supervisor(options["host"], options["port"], options["workers"]).run()
        except CannotServe as error:
            raise CommandError(str(error)) from None
