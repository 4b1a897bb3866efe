from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "assay.accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from assay.accounts import signing_in

        signing_in.watch()
