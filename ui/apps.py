from django.apps import AppConfig


class UiConfig(AppConfig):
    name = "assay.ui"
    verbose_name = "Admin web UI"
