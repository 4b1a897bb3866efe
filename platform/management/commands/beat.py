"""``manage.py beat``: the periodic sweeps, for a team install where web runs elsewhere. Run exactly one."""

from typing import Any

from celery.beat import Scheduler, Service
from django.core.management.base import BaseCommand

from assay.platform.celery import app


class Command(BaseCommand):
    help = "Run the periodic sweeps (Celery beat)."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        Service(app, scheduler_cls=Scheduler).start()
