from django.apps import AppConfig


class FilesetsConfig(AppConfig):
    name = "assay.filesets"
    default_auto_field = "django.db.models.BigAutoField"
    counted = {"Fileset": ""}
