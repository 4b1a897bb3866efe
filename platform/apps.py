from django.apps import AppConfig


class PlatformConfig(AppConfig):
    name = "assay.platform"
    verbose_name = "Platform"

    def ready(self) -> None:
        from assay.platform import celery, checks  # noqa: F401  the Celery app that @shared_task binds to
