"""Stored metrics, eval results and v1's definitions in the admin: to read and to delete."""

from typing import Any

import orjson
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from assay.evaluator.eval_results import delete_result
from assay.evaluator.models import Definition, EvalResult, StoredMetric
from assay.platform.v1 import masked
from assay.workspaces.guarded import GuardedAdmin

COLUMNS = ("mean", "min", "max", "std_dev", "count", "nan_count")


def pretty(value: Any) -> SafeString:
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return format_html('<pre class="code">{}</pre>', text)


def score_table(aggregates: dict[str, Any]) -> SafeString:
    """Return the aggregates as a table, one score a line; ``nan_count`` is headed by what it counts."""
    heads = ("score", *COLUMNS[:-1], "unscored")
    head = format_html_join("", "<th scope='col'>{}</th>", ((text,) for text in heads))
    lines = format_html_join(
        "",
        "<tr>{}</tr>",
        (
            (format_html_join("", "<td>{}</td>", ((cell,) for cell in _cells(score))),)
            for score in aggregates.get("scores", [])
        ),
    )
    return format_html("<table class='listing'><tr>{}</tr>{}</table>", head, lines)


def _cells(score: dict[str, Any]) -> list[str]:
    values = [score.get(column) for column in COLUMNS]
    return [score["name"], *("–" if value is None else f"{value:.4g}" for value in values)]


class ReadOnly(ModelAdmin):  # type: ignore[misc]
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(StoredMetric)
class StoredMetricAdmin(ReadOnly, GuardedAdmin):
    list_display = ("name", "workspace", "metric_type", "description", "created_at")
    list_select_related = ("workspace",)
    list_filter = ("workspace", "metric_type")
    search_fields = ("name", "description")
    fields = ("name", "workspace", "project", "metric_type", "description", "definition", "uid", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[StoredMetric]:
        metrics: QuerySet[StoredMetric] = super().get_queryset(request)
        return metrics.defer("bundle")

    @admin.display
    def definition(self, metric: StoredMetric) -> SafeString:
        return pretty(metric.bundle["payload"].get("metric"))


@admin.register(EvalResult)
class EvalResultAdmin(ReadOnly):
    list_display = ("name", "workspace", "metric_types", "dataset_ref", "created_at")
    list_select_related = ("workspace",)
    list_filter = ("workspace",)
    search_fields = ("name", "dataset_ref")
    fields = ("name", "workspace", "project", "aggregates", "metric_types", "dataset_ref", "bundle_ref", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[EvalResult]:
        found: QuerySet[EvalResult] = super().get_queryset(request)
        return found.defer("scores")

    def delete_model(self, request: HttpRequest, obj: EvalResult) -> None:
        delete_result(obj)

    @admin.display(description="scores")
    def aggregates(self, result: EvalResult) -> SafeString:
        return score_table(result.scores)


@admin.register(Definition)
class DefinitionAdmin(ReadOnly, GuardedAdmin):
    """A key that came inside one is a sealed secret: only its mask is shown."""

    list_display = ("name", "workspace", "kind", "description", "created_at")
    list_select_related = ("workspace",)
    list_filter = ("workspace", "kind")
    search_fields = ("name", "description")
    fields = ("name", "workspace", "project", "kind", "description", "content", "uid", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Definition]:
        definitions: QuerySet[Definition] = super().get_queryset(request)
        return definitions.defer("body")

    @admin.display(description="definition")
    def content(self, definition: Definition) -> SafeString:
        return pretty(masked(definition.body))
