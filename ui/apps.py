from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig


class UiConfig(AppConfig):
    name = "assay.ui"
    verbose_name = "Admin web UI"
    default = True


class TablesConfig(SimpleAdminConfig):
    """Django's admin with a site of ours."""

    default_site = "assay.ui.site.Site"
    default = False
