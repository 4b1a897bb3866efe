"""``manage.py create_token``: an access token for an account, printed once."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from assay.accounts.tokens import make_token
from assay.platform.caller import Scope
from assay.platform.errors import Refusal
from assay.workspaces.lookup import get_workspace

DAYS = 90


class Command(BaseCommand):
    help = "Make an access token for an account and print it; it cannot be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account")
        parser.add_argument("--name", help="what its owner knows it by; the time by default")
        parser.add_argument("--scope", choices=[str(scope) for scope in Scope], default=str(Scope.WRITE))
        parser.add_argument("--workspace", help="the one workspace that it is for; all of the account's by default")
        parser.add_argument("--days", type=int, default=DAYS, help=f"until it expires; {DAYS} by default, 0: never")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = User.objects.filter(username=options["account"]).first()
        if owner is None:
            raise CommandError(
                f"There is no account '{options['account']}'. `manage.py createsuperuser` makes the first."
            )
        now = timezone.now()
        try:
            _, text = make_token(
                owner,
                options["name"] or f"made {now:%Y-%m-%d %H:%M:%S}",
                Scope(options["scope"]),
                workspace=get_workspace(options["workspace"]) if options["workspace"] else None,
                expires_at=now + timedelta(days=options["days"]) if options["days"] else None,
            )
        except (Refusal, OverflowError) as refusal:
            raise CommandError(str(getattr(refusal, "detail", refusal))) from None
        self.stdout.write(text)
