"""Jobs in the admin: to watch, to stop and to go on with, and to read whatever rows are judged so far."""

from collections.abc import Callable
from typing import Any

import orjson
from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from assay.evaluator.admin import ReadOnly, pretty, score_table
from assay.filesets import local
from assay.jobs import control, results
from assay.jobs.budget import left_of
from assay.jobs.judges import judged_by_stand_in, judges_of
from assay.jobs.models import Job, LogLine, Reply, RowScore, State, Terms, Usage
from assay.jobs.packs import whole_rows
from assay.jobs.rerun import rerun_failed
from assay.jobs.states import MOVES, TERMINAL
from assay.jobs.steps import percent
from assay.jobs.terms import plain_address
from assay.jobs.waiting import waiting_of
from assay.platform.audit import record
from assay.platform.caller import Action, caller
from assay.platform.errors import Refusal
from assay.workspaces.guarded import GuardedAdmin

LOG_LINES = 50
STAND_IN_NOTICE = (
    "<p><strong>These are scores of the stand-in judge.</strong> It is a set of text rules for trying out the "
    "platform, not a model: do not use its scores for anything real.</p>"
)
COLOURS = {
    State.COMPLETED: "success",
    State.ERROR: "danger",
    State.ACTIVE: "info",
    State.PENDING: "info",
    State.PAUSED: "warning",
    State.CANCELLED: "warning",
}


def _asking(title: str, description: str) -> Any:
    """Return a dialog: what it confirms is sent by POST with its token, so that no mere link can do it."""
    return {"title": title, "description": description, "form_class": BaseDialogForm, "form_submit_text": title}


@admin.register(Job)
class JobAdmin(ReadOnly, GuardedAdmin):
    list_display = ("name", "workspace", "shown_state", "progress", "judges", "created_at")
    list_select_related = ("workspace",)
    list_filter = ("state", "workspace")
    search_fields = ("name", "description")
    ordering = ("-created_at",)
    fields = (
        "name", "workspace", "shown_state", "message", "waiting", "error", "progress", "judges", "scores", "downloads",
        "rows", "used", "dataset", "parallelism", "limit_samples", "uses_cache", "log", "description", "project",
        "created_by", "created_at", "pending_at", "active_at", "paused_at", "finished_at", "reruns", "uid",
    )  # fmt: skip
    actions_detail = ("cancel_job", "pause_job", "resume_job", "rerun_failed")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        jobs: QuerySet[Job] = super().get_queryset(request)
        return jobs.defer("spec", "forms")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and (not isinstance(obj, Job) or obj.state in TERMINAL)

    # What is shown

    @display(description="state", ordering="state", label={str(state): colour for state, colour in COLOURS.items()})
    def shown_state(self, job: Job) -> str:
        return job.state

    @admin.display
    def progress(self, job: Job) -> str:
        total = "?" if job.rows_total is None else job.rows_total
        unscored = f", {job.rows_failed} unscored" if job.rows_failed else ""
        return f"{percent(job):g} % ({job.rows_done} of {total} rows{unscored})"

    @admin.display
    def waiting(self, job: Job) -> str:
        found = waiting_of(job)
        if found is None:
            return "–"
        look = f"; next looked at by {found.next_look_at:%H:%M:%S} UTC" if found.next_look_at else ""
        return f"{found.why}{look}"

    @admin.display
    def used(self, job: Job) -> SafeString | str:
        """What each model has done for the job, and what is left of its budget."""
        told = [
            f"{line.calls} calls of {line.model} at {line.address}, {line.kept} kept replies, "
            f"{line.tokens_in} tokens in, {line.tokens_out} out, {line.cost:.4f} USD"
            for line in job.usage.order_by("model", "address")
        ]
        left = left_of(job)
        if left.tokens is not None:
            told.append(f"{max(0, left.tokens)} of {job.budget_tokens} tokens left")
        if left.cost is not None:
            told.append(f"{max(0, left.cost):.4f} of {job.budget_cost} USD left")
        return format_html_join(SafeString("<br>"), "{}", ((line,) for line in told)) or "–"

    @admin.display
    def judges(self, job: Job) -> str:
        return ", ".join(judges_of(job))

    @admin.display
    def scores(self, job: Job) -> SafeString | str:
        notice = SafeString(STAND_IN_NOTICE if judged_by_stand_in(job) else "")  # our own words  # nosec B703
        if job.state != State.COMPLETED:
            return notice or "The job has not completed; the rows judged so far are below."
        _, place = local.content(job.result_fileset, results.path_of(job, results.AGGREGATES))
        return format_html("{}{}", notice, score_table(orjson.loads(place.read_bytes())))

    @admin.display
    def downloads(self, job: Job) -> SafeString | str:
        base = f"/apis/evaluator/v2/workspaces/{job.workspace}/evaluate/jobs/{job.name}/results"
        links = [(f"{base}/{result.name}/download", result.name) for result in results.results_of(job)]
        return format_html_join(", ", '<a href="{}">{}</a>', links) or "–"

    @admin.display
    def rows(self, job: Job) -> SafeString:
        address = reverse("admin:jobs_rowscore_changelist")
        return format_html('<a href="{}?job__id__exact={}">{} row scores</a>', address, job.pk, job.rows_done)

    @admin.display
    def dataset(self, job: Job) -> str:
        dataset = job.spec["dataset"]
        return dataset if isinstance(dataset, str) else f"{len(dataset)} rows sent with the job"

    @admin.display
    def log(self, job: Job) -> SafeString:
        lines = LogLine.objects.filter(job=job).order_by("-pk")[:LOG_LINES]
        text = "\n".join(f"{line.at:%Y-%m-%d %H:%M:%S}  {line.message}" for line in reversed(lines))
        return format_html('<pre class="code">{}</pre>', text)

    # What can be done

    @action(
        description="Cancel",
        permissions=["cancel"],
        dialog=_asking("Cancel the job", "It stops for good. The rows judged so far stay readable here."),
    )
    def cancel_job(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._do(request, object_id, control.cancel)

    @action(
        description="Pause",
        permissions=["pause"],
        dialog=_asking("Pause the job", "It stops until it is resumed, and then goes on with the rows that are left."),
    )
    def pause_job(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._do(request, object_id, control.pause)

    @action(
        description="Resume",
        permissions=["resume"],
        dialog=_asking("Resume the job", "It goes on with the rows that are left."),
    )
    def resume_job(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._do(request, object_id, control.resume)

    @action(
        description="Rerun failed rows",
        permissions=["rerun"],
        dialog=_asking(
            "Rerun failed rows", "Rows that are not fully scored are judged again. What is scored stays as it is."
        ),
    )
    def rerun_failed(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._do(request, object_id, rerun_failed)

    def has_cancel_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self._may(object_id, State.CANCELLING)

    def has_pause_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self._may(object_id, State.PAUSING)

    def has_resume_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self._may(object_id, State.PENDING) and self._state(object_id) == State.PAUSED

    def has_rerun_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        lacking = Job.objects.filter(~Q(state=State.COMPLETED) | Q(rows_failed__gt=0))
        return self._state(object_id) in TERMINAL and lacking.filter(pk=object_id or 0).exists()

    def _may(self, object_id: str | None, to: State) -> bool:
        state = self._state(object_id)
        return state is not None and to in MOVES[state]

    def _state(self, object_id: str | None) -> State | None:
        """Return the state of a job that the caller may change."""
        found = Job.objects.filter(pk=object_id).values_list("workspace", "state").first() if object_id else None
        return State(found[1]) if found and caller().may(Action.WRITE, found[0]) else None

    def _do(self, request: HttpRequest, object_id: str, verb: Callable[[Job], Job]) -> HttpResponse:
        try:
            job = verb(Job.objects.get(pk=object_id))
            self.message_user(request, f"Job {job} is {job.state}.", messages.SUCCESS)
        except Refusal as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
        page = reverse("admin:jobs_job_change", args=[object_id])
        return HttpResponse(headers={"HX-Redirect": page}) if "HX-Request" in request.headers else redirect(page)


@admin.register(RowScore)
class RowScoreAdmin(ReadOnly):
    """The rows of every job, of failed and cancelled ones too."""

    list_display = ("row_index", "job", "scored", "values", "error")
    list_select_related = ("job__workspace",)
    list_filter = ("scored",)
    ordering = ("job", "row_index")
    show_full_result_count = False
    fields = ("job", "row_index", "scored", "error", "whole_row", "created_at")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[RowScore]:
        rows: QuerySet[RowScore] = super().get_queryset(request)
        return rows.defer("doubtful", "job__spec", "job__metrics")

    @admin.display(description="scores")
    def values(self, row: RowScore) -> str:
        scores = [score for listed in row.scores.values() for score in listed]
        return ", ".join(f"{name} = {'–' if value is None else value}" for name, value, *_ in scores)

    @admin.display(description="row")
    def whole_row(self, row: RowScore) -> SafeString:
        found = next(whole_rows(row.job, start=row.row_index, stop=row.row_index + 1), None)
        return pretty(orjson.loads(found[-1]) if found else None)


@admin.register(Usage)
class UsageAdmin(ReadOnly):
    """The ledgers of all jobs, by the servers' own counts."""

    list_display = ("job", "model", "address", "calls", "kept", "tokens_in", "tokens_out", "cost")
    list_select_related = ("job__workspace",)
    list_filter = ("model",)
    search_fields = ("model", "address", "job__name")
    ordering = ("-pk",)
    fields = (*list_display, "uncounted")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Usage]:
        lines: QuerySet[Usage] = super().get_queryset(request)
        return lines.defer("job__spec", "job__metrics", "job__submitted")


@admin.register(Reply)
class ReplyAdmin(ReadOnly):
    """What was paid for, without what was said; ``manage.py replies`` prunes it."""

    list_display = ("model", "address", "workspace", "status", "private", "created_at")
    list_select_related = ("workspace",)
    list_filter = ("private", "workspace")
    ordering = ("-pk",)
    show_full_result_count = False
    fields = ("model", "address", "workspace", "status", "private", "hex_key", "job_uid", "row_index", "created_at")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reply]:
        replies: QuerySet[Reply] = super().get_queryset(request)
        return replies.defer("body")

    @admin.display(description="key")
    def hex_key(self, reply: Reply) -> str:
        return bytes(reply.key).hex()


class TermsForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_address(self) -> str:
        return plain_address(self.cleaned_data["address"])


@admin.register(Terms)
class TermsAdmin(ModelAdmin):  # type: ignore[misc]
    """What endpoints allow and cost; running jobs keep to a change within seconds."""

    form = TermsForm
    list_display = (
        "address", "model", "requests_per_minute", "tokens_per_minute", "calls_in_flight", "price_in", "price_out",
    )  # fmt: skip
    list_editable = list_display[2:]
    search_fields = ("address", "model")
    ordering = ("address", "model")

    def save_model(self, request: HttpRequest, obj: Terms, form: Any, change: bool) -> None:
        stored = Terms.objects.filter(pk=obj.pk).first()
        super().save_model(request, obj, form, change)
        record(f"terms.{'update' if change else 'create'}", obj, before=_said(stored), after=_said(obj))

    def delete_model(self, request: HttpRequest, obj: Terms) -> None:
        record("terms.delete", obj, before=_said(obj))
        super().delete_model(request, obj)


def _said(terms: Terms | None) -> dict[str, Any] | None:
    return None if terms is None else {name: getattr(terms, name) for name in TermsAdmin.list_display}
