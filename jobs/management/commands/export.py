"""``manage.py export``: a job's rows as a file, without a server."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from assay.jobs.exports import Format, export
from assay.jobs.judged import find_job
from assay.platform.errors import NotFound


class Command(BaseCommand):
    help = "Write a job's rows so far as JSON lines, CSV or Parquet."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("workspace")
        parser.add_argument("job")
        parser.add_argument("--format", choices=[str(form) for form in Format], default=str(Format.JSONL))
        parser.add_argument("--out", type=Path, help="the file to write (default: standard output)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            job = find_job(options["workspace"], options["job"])
        except NotFound as error:
            raise CommandError(str(error)) from None
        pieces = export(job, Format(options["format"]))
        out: Path | None = options["out"]
        if out is None:
            sys.stdout.buffer.writelines(pieces)
            return
        draft = out.with_name(f".{out.name}.part")
        try:
            with draft.open("wb") as file:
                file.writelines(pieces)
            draft.replace(out)
        finally:
            draft.unlink(missing_ok=True)
