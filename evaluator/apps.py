from django.apps import AppConfig


class EvaluatorConfig(AppConfig):
    name = "assay.evaluator"
    default_auto_field = "django.db.models.BigAutoField"
    counted = {"EvalResult": ""}
