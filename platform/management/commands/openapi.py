"""``manage.py openapi``: the API's description of itself, made of what the views say."""

import importlib.util
from argparse import ArgumentParser
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from assay.platform import openapi


class Command(BaseCommand):
    help = "Print the OpenAPI document of every address; --write keeps it where /openapi.json is read."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--write", action="store_true", help=f"write platform/{openapi.DOCUMENT.name}")
        what.add_argument("--check", action="store_true", help="fail where the file is not what the views say")

    def handle(self, *args: Any, **options: Any) -> None:
        if importlib.util.find_spec("drf_spectacular") is None:
            raise CommandError("It takes drf-spectacular: pip install -r requirements-dev.txt")
        from assay.platform.openapi_document import Undescribed, made

        try:
            document = made()
        except Undescribed as error:
            raise CommandError(str(error)) from None
        if options["write"]:
            openapi.DOCUMENT.write_bytes(document)
        elif not options["check"]:
            self.stdout.write(document.decode(), ending="")
        elif orjson.loads(document) != orjson.loads(openapi.DOCUMENT.read_bytes()):
            raise CommandError("platform/openapi.json is not what the views say: run `manage.py openapi --write`")
