"""``manage.py doctor``: is the platform well, and what mends it where it is not?"""

import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

import orjson
from django.core.management.base import BaseCommand

from assay.operations.checks.finding import Depth
from assay.operations.doctor import examine


class Command(BaseCommand):
    help = "Look at everything, and say what is wrong, why it matters and how to mend it. Exit code 1: something is."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data-dir", help="database, files and keys (default: ASSAY_DATA_DIR, else ./data)")
        parser.add_argument("--deep", action="store_true", help="every stored file byte by byte, and every row")
        parser.add_argument("--network", action="store_true", help="call the hubs that filesets are on")
        parser.add_argument("--json", action="store_true", help="findings as a JSON array")

    def handle(self, *args: Any, **options: Any) -> None:
        found = []
        for finding in examine(Depth(deep=options["deep"], network=options["network"])):
            found.append(finding)
            if not options["json"]:
                self.stdout.write(f"{finding.check}: {finding.what}\n    {finding.why}\n    Mend: {finding.mend}")
        if options["json"]:
            listed = [asdict(finding) for finding in found]
            self.stdout.write(orjson.dumps(listed, option=orjson.OPT_INDENT_2).decode())
        elif not found:
            self.stdout.write("All is well.")
        if found:
            sys.exit(1)
