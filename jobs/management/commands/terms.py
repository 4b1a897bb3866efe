"""``manage.py terms``: what endpoints allow and cost, as people know it."""

from argparse import ArgumentParser
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from assay.jobs import terms
from assay.jobs.models import Terms

OPTIONS = {
    "--rpm": ("requests_per_minute", int, "requests a minute"),
    "--tpm": ("tokens_per_minute", int, "tokens a minute, in and out"),
    "--in-flight": ("calls_in_flight", int, "calls in flight at once"),
    "--price-in": ("price_in", Decimal, "US dollars for a million tokens in"),
    "--price-out": ("price_out", Decimal, "US dollars for a million tokens out"),
}


class Command(BaseCommand):
    help = "List, set or remove what an endpoint allows and costs. Running jobs keep to it within seconds."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="show all terms")
        for verb, text in (("set", "0 takes a limit away; what is not named stays"), ("remove", "forget all of it")):
            words = verbs.add_parser(verb, help=text)
            words.add_argument("address", help="the models' URL, e.g. https://api.example.com/v1")
            words.add_argument("--model", default="", help="only for this model (default: all models there together)")
            if verb == "set":
                for option, (name, kind, meaning) in OPTIONS.items():
                    words.add_argument(option, dest=name, type=kind, help=meaning)

    def handle(self, *args: Any, **options: Any) -> None:
        match options["verb"]:
            case "set":
                names = [name for name, _, _ in OPTIONS.values()]
                said = {name: options[name] or None for name in names if options[name] is not None}
                if not said:
                    raise CommandError(f"Say what it allows or costs: {', '.join(OPTIONS)}.")
                if any((value or 0) < 0 for value in said.values()):
                    raise CommandError("No limit and no price is below 0.")
                self._show(terms.set_terms(options["address"], options["model"], **said))
            case "remove":
                if not terms.remove_terms(options["address"], options["model"]):
                    raise CommandError("There are no such terms. `manage.py terms list` shows those there are.")
            case _:
                for each in Terms.objects.order_by("address", "model"):
                    self._show(each)

    def _show(self, said: Terms) -> None:
        told = {name: getattr(said, name) for name, _, _ in OPTIONS.values()}
        listed = ", ".join(f"{name} {value}" for name, value in told.items() if value is not None)
        self.stdout.write(f"{said.address} {said.model or '(all models)'}: {listed or 'nothing'}")
