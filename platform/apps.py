from django.apps import AppConfig
from django.db.models.signals import post_migrate

from assay.platform import supervised


class PlatformConfig(AppConfig):
    name = "assay.platform"
    verbose_name = "Platform"

    def ready(self) -> None:
        supervised.travel_light()
        from assay.platform import audit, celery, checks, counts  # noqa: F401  the Celery app that @shared_task binds to

        post_migrate.connect(counts.keep_counting, sender=self)
        post_migrate.connect(audit.guard_table, sender=self)
