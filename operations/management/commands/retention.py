"""``manage.py retention``: what goes after its time, once or from cron."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from assay.jobs.management.commands.replies import size, span
from assay.operations.retention import OF_A_WORKSPACE, Rule, What, apply
from assay.workspaces.models import Workspace


class Command(BaseCommand):
    help = "Delete what is older than a span: ended jobs, results, replies, downloads. What is in use stays."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data-dir", help="database, files and keys (default: ASSAY_DATA_DIR, else ./data)")
        parser.add_argument("--what", nargs="+", required=True, choices=[str(each) for each in What], metavar="WHAT",
                            help=f"one or more of {', '.join(What)}")  # fmt: skip
        parser.add_argument("--older-than", type=span, metavar="SPAN", help="90d, 12h, …")
        parser.add_argument("--workspace", help="of this workspace only")
        parser.add_argument("--keep-bytes", type=size, metavar="SIZE", help="of the hub cache keep 500M, 20G, …")
        parser.add_argument("--dry-run", action="store_true", help="only say what would go")

    def handle(self, *args: Any, **options: Any) -> None:
        kinds = [What(each) for each in dict.fromkeys(options["what"])]
        rule = Rule(options["older_than"], options["workspace"], options["keep_bytes"], options["dry_run"])
        _check(kinds, rule)
        lines = 0
        for what in kinds:
            for line in apply(what, rule):
                lines += 1
                self.stdout.write(str(line))
        if not lines:
            self.stdout.write("There is nothing that old.")
        elif rule.dry:
            self.stdout.write("Nothing was deleted: it would be, without --dry-run.")


def _check(kinds: list[What], rule: Rule) -> None:
    if rule.workspace is not None:
        if not Workspace.objects.filter(name=rule.workspace).exists():
            raise CommandError(f"There is no workspace '{rule.workspace}'.")
        if shared := [str(each) for each in kinds if each not in OF_A_WORKSPACE]:
            raise CommandError(f"{' and '.join(shared)} belong to no workspace: leave --workspace out.")
    if rule.older_than is None and set(kinds) & set(OF_A_WORKSPACE):
        raise CommandError("Say how old: --older-than 90d.")
    if What.HUB_CACHE in kinds and rule.older_than is None and rule.keep_bytes is None:
        raise CommandError("Say what of the hub cache: --older-than 30d, --keep-bytes 20G, or both.")
    if rule.keep_bytes is not None and What.HUB_CACHE not in kinds:
        raise CommandError("--keep-bytes is for the hub cache; `manage.py replies prune` has one for replies.")
