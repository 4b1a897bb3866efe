"""``manage.py restore``: a backup, into an empty data folder and an empty database."""

import gc
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from assay.operations.archive import BrokenBackup
from assay.operations.restore import CannotRestore, restore


class Command(BaseCommand):
    help = "Bring a backup back, on SQLite or Postgres, whichever it was made on. Nothing is ever overwritten."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="the backup: a file or a folder")
        parser.add_argument("--data-dir", help="an empty folder (default: ASSAY_DATA_DIR, else ./data)")

    def handle(self, *args: Any, **options: Any) -> None:
        gc.disable()  # as in `prepare`: migrations make hundreds of classes, and this process ends soon
        try:
            done = restore(options["path"])
        except (CannotRestore, BrokenBackup) as error:
            raise CommandError(str(error)) from None
        manifest = done.manifest
        self.stdout.write(
            f"Restored the backup of {manifest.made_at}: {manifest.rows('workspaces_workspace')} workspaces, "
            f"{manifest.rows('jobs_job')} jobs, {manifest.files} files."
        )
        if done.resumed:
            self.stdout.write(f"{done.resumed} jobs have not ended: they go on, and call their models, with a worker.")
        if manifest.missing:
            self.stdout.write(f"{len(manifest.missing)} files were missing when the backup was made, and still are.")
        if done.sealed:
            self.stdout.write(
                f"{done.sealed} secrets cannot be opened with the keys that are here: bring the old keys in "
                "ASSAY_ENCRYPTION_KEYS, or in keys/encryption.key of the data folder, before the platform starts."
            )
