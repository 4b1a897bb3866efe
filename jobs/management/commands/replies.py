"""``manage.py replies``: what the store of replies holds, pruning it, and taking it elsewhere."""

import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from assay.jobs.replies_kept import NotAnExport, Which, export, import_from, prune, stats
from assay.workspaces.models import Workspace

SPANS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
SIZES = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def span(text: str) -> timedelta:
    """Return a span such as ``30d`` or ``12h``."""
    found = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if not found:
        raise ArgumentTypeError(f"{text!r} is no span of time; 30d, 12h, 4w and 45m are")
    return timedelta(**{SPANS[found[2]]: int(found[1])})


def size(text: str) -> int:
    """Return a size such as ``500M``, in bytes."""
    found = re.fullmatch(r"(\d{1,15})([KMGT]?)i?B?", text)
    if not found:
        raise ArgumentTypeError(f"{text!r} is no size; 500M, 2G and 1000000 are")
    return int(found[1]) * SIZES[found[2]]


class Command(BaseCommand):
    help = "Show, prune, export or import the replies that judges were paid for."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        for verb, about in (
            ("stats", "what is kept, by workspace and model"),
            ("prune", "delete replies; jobs that ask the same again pay again"),
            ("export", "write them to a file (JSON lines, gzip)"),
            ("import", "keep the replies of such a file"),
        ):
            one = verbs.add_parser(verb, help=about)
            one.add_argument("--data-dir", help="database, files and keys (default: ASSAY_DATA_DIR, else ./data)")
            one.add_argument("--workspace", help="of this workspace only" if verb != "import" else "into this one")
            if verb == "import":
                one.add_argument("file", help="the file; - is standard input")
                continue
            one.add_argument("--model", help="of this model only")
            one.add_argument("--older-than", type=span, metavar="SPAN", help="30d, 12h, …")
            if verb == "prune":
                one.add_argument(
                    "--keep-bytes", type=size, metavar="SIZE", help="the oldest, until 500M, 2G, … are left"
                )
                one.add_argument("--all", action="store_true", help="whatever there is")
            if verb == "export":
                one.add_argument("file", help="the file, made anew; - is standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        verb = options["verb"]
        if options["workspace"] is not None and not Workspace.objects.filter(name=options["workspace"]).exists():
            raise CommandError(f"There is no workspace '{options['workspace']}'.")
        which = Which(options["workspace"], options.get("model"), options.get("older_than"))
        match verb:
            case "stats":
                self._stats(which)
            case "prune":
                self._prune(which, options["keep_bytes"], options["all"])
            case "export":
                self._export(which, options["file"])
            case "import":
                self._import(options["workspace"], options["file"])

    def _stats(self, which: Which) -> None:
        for line in stats(which):
            since = f"{line.oldest:%Y-%m-%d %H:%M} to {line.newest:%Y-%m-%d %H:%M}"
            self.stdout.write(f"{line.workspace}  {line.model}  {line.replies} replies, {line.bytes} bytes, {since}")

    def _prune(self, which: Which, keep_bytes: int | None, everything: bool) -> None:
        if which == Which() and keep_bytes is None and not everything:
            raise CommandError("Say what: --older-than, --model, --workspace, --keep-bytes, or --all.")
        count, freed = prune(which, keep_bytes=keep_bytes)
        self.stdout.write(f"{count} replies deleted, {freed} bytes.")

    def _export(self, which: Which, path: str) -> None:
        if path == "-":
            count = export(which, sys.stdout.buffer)
        else:
            # Replies may quote what was judged: nobody else needs to read them.
            Path(path).touch(mode=0o600)
            with Path(path).open("wb") as file:
                count = export(which, file)
        self.stderr.write(f"{count} replies exported.")

    def _import(self, workspace: str | None, path: str) -> None:
        home = None if workspace is None else Workspace.objects.get(name=workspace)
        try:
            with sys.stdin.buffer if path == "-" else Path(path).open("rb") as file:
                read, new = import_from(file, workspace=home)
        except (NotAnExport, OSError) as error:
            raise CommandError(f"{path}: {error}") from None
        self.stdout.write(f"{read} replies read, {new} of them new.")
