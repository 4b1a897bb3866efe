"""``manage.py prepare``: what has to be done before the platform serves, at its first start and after an upgrade."""

import gc
from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Migrate the database, and gather the admin UI's static files in the data folder."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data-dir", help="database, files and keys (default: ASSAY_DATA_DIR, else ./data)")

    def handle(self, *args: Any, **options: Any) -> None:
        gc.disable()  # a quarter of the time: migrations make hundreds of classes, and this process ends soon
        call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
