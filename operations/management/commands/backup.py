"""``manage.py backup``: the whole platform in one file or folder, while it works; or a look at one."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from assay.operations.archive import BrokenBackup, CannotWrite, Manifest
from assay.operations.backup import back_up, verify


class Command(BaseCommand):
    help = "Write the database and every file that it refers to into one archive; the platform may run meanwhile."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="the file (.tar, .tar.gz or .tgz), else a folder; made anew")
        parser.add_argument("--data-dir", help="database, files and keys (default: ASSAY_DATA_DIR, else ./data)")
        parser.add_argument("--with-keys", action="store_true", help="the data folder's keys too: see docs/backup.md")
        parser.add_argument("--verify", action="store_true", help="only read the one at PATH, and check every digest")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["verify"]:
                self._told(verify(options["path"]), "is whole")
                return
            manifest = back_up(options["path"], with_keys=options["with_keys"])
        except (CannotWrite, BrokenBackup) as error:
            raise CommandError(str(error)) from None
        self._told(manifest, "written")
        if manifest.missing:
            raise CommandError(
                f"{len(manifest.missing)} files were not there, or damaged, and are not in it, the first of them "
                f"{manifest.missing[0]}. `manage.py doctor --deep` tells whose they are. All else is in the backup."
            )

    def _told(self, manifest: Manifest, what: str) -> None:
        rows = sum(table.rows for table in manifest.tables)
        keys = f", keys: {', '.join(manifest.keys)}" if manifest.keys else ", without keys"
        gone = f", {len(manifest.missing)} files missing since before" if manifest.missing else ""
        self.stdout.write(
            f"Backup of {manifest.made_at} {what}: Assay {manifest.assay} on {manifest.database}, "
            f"{manifest.rows('workspaces_workspace')} workspaces, {manifest.rows('jobs_job')} jobs, {rows} rows in "
            f"{len(manifest.tables)} tables, {manifest.files} files of {manifest.file_bytes} bytes{gone}{keys}."
        )
