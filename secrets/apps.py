from django.apps import AppConfig


class SecretsConfig(AppConfig):
    name = "assay.secrets"
    default_auto_field = "django.db.models.BigAutoField"
