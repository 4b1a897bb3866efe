"""``manage.py rotate_encryption_keys``: a new key for all secrets while the platform runs (docs/secrets.md)."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from assay.secrets import rotation
from assay.secrets.rotation import Standing
from assay.secrets.vault import SecretUnreadable, key_file


class Command(BaseCommand):
    help = "Seal every secret with a new encryption key, while the platform runs."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data-dir", help="database, files and keys (default: ASSAY_DATA_DIR, else ./data)")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--check", action="store_true", help="change nothing: say what each key seals, open it all")
        what.add_argument(
            "--forget-old", action="store_true", help="then drop the old keys that nothing stored is sealed with"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            self._tell_uses()
            return self._tell_unreadable(rotation.unreadable())
        if not settings.ENCRYPTION_KEYS:
            rotation.add_key()
            self.stdout.write(f"A new key stands first in {key_file().path}.")
        elif options["forget_old"]:
            raise CommandError("The keys are in ASSAY_ENCRYPTION_KEYS: take the old ones out there (docs/secrets.md).")
        done = rotation.reseal_all()
        self.stdout.write(f"Values sealed anew: {done.values}.")
        if options["forget_old"]:
            self.stdout.write(f"Old keys dropped: {rotation.forget_unused()}.")
        self._tell_uses()
        return self._tell_unreadable(done.unreadable)

    def _tell_uses(self) -> None:
        self.stdout.write("Key               Standing  Values")
        uses = rotation.key_uses()
        for use in uses:
            self.stdout.write(f"{use.key_id:16}  {use.standing:8}  {use.values}")
        left = sum(use.values for use in uses if use.standing is not Standing.NEWEST)
        self.stdout.write(f"Values sealed with another key than the newest: {left}.")

    def _tell_unreadable(self, found: list[SecretUnreadable]) -> None:
        for error in found:
            self.stderr.write(str(error))
        if found:
            raise CommandError(f"Values that cannot be opened: {len(found)}.")
