"""``manage.py verify_audit``: is the audit what was written, from the first event to the last?"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from assay.platform import audit


class Command(BaseCommand):
    help = "Check the seals of the whole audit. Note down the head that it prints; --head compares with it later."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--head", nargs=2, metavar=("NUMBER", "SEAL"), help="a head that was noted down before")

    def handle(self, *args: Any, **options: Any) -> None:
        given = options["head"]
        if given and not given[0].isdecimal():
            raise CommandError("--head takes the number and the seal that were printed.")
        verdict = audit.verify(audit.Head(int(given[0]), given[1]) if given else None)
        for fault in verdict.faults:
            self.stderr.write(fault)
        if verdict.faults:
            raise CommandError("The audit is not what was written.")
        self.stdout.write(f"The audit is whole. Head: {verdict.head}")
