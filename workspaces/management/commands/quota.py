"""``manage.py quota``: show or set what a workspace may use."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from assay.platform.errors import NotFound
from assay.workspaces.lookup import get_workspace
from assay.workspaces.quotas import NAMES, allowance_of, set_quota

AS_ALL = "default"


class Command(BaseCommand):
    help = "Show what a workspace may use, or set it: --bytes, --jobs (that have not ended), --rows (of one job)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("workspace")
        for name in NAMES:
            parser.add_argument(f"--{name}", help=f"a whole number, or '{AS_ALL}' for what all may")

    def handle(self, *args: Any, **options: Any) -> None:
        limits: dict[str, int | None] = {}
        for name in NAMES:
            word = options[name]
            if word is not None and word != AS_ALL and not (word.isdecimal() and len(word) <= 18):
                raise CommandError(f"--{name} takes a whole number, or '{AS_ALL}'.")
            if word is not None:
                limits[name] = None if word == AS_ALL else int(word)
        try:
            workspace = get_workspace(options["workspace"])
        except NotFound as error:
            raise CommandError(str(error)) from None
        allowed = set_quota(workspace, **limits) if limits else allowance_of(workspace)
        for name in NAMES:
            limit = getattr(allowed, name)
            self.stdout.write(f"{name}: {'no limit' if limit is None else limit}")
