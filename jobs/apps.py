from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "assay.jobs"
    default_auto_field = "django.db.models.BigAutoField"
    counted = {"Job": "dialect"}
    """Tables of which `platform/counts.py` keeps count, and the column that tells kinds apart."""
