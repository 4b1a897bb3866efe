"""The results of finished jobs, which outlive their jobs (platform-v2 section 8)."""

from django.db import transaction

from assay.evaluator.models import EvalResult
from assay.platform.audit import record
from assay.platform.caller import Action
from assay.workspaces.lookup import need


def delete_result(result: EvalResult) -> None:
    need(Action.WRITE, result.workspace)
    with transaction.atomic():
        record("eval_result.delete", result, before={"metrics": result.metric_types, "dataset": result.dataset_ref})
        result.delete()
