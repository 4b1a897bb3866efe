"""What can be done to a job from its page: only what its state allows, by those who may, and always by POST."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from pydantic import ValidationError

from assay.evaluator.models import EvalResult
from assay.filesets.models import File
from assay.jobs import control
from assay.jobs.models import Job, LogLine, Reply, RowScore, State
from assay.jobs.options import Changes
from assay.jobs.rerun import rerun_failed
from assay.jobs.states import MOVES, TERMINAL
from assay.platform.caller import Action, caller
from assay.platform.errors import NotFound, Refusal
from assay.ui.asked import DIGITS, may_somewhere
from assay.ui.door import show
from assay.ui.job_live import light_job
from assay.workspaces import deletion
from assay.workspaces.lookup import need

VERBS: dict[str, Callable[[Job], Job]] = {
    "cancel": control.cancel,
    "pause": control.pause,
    "resume": control.resume,
    "rerun": rerun_failed,
}


def job_address(job: Job) -> str:
    return reverse("ui:job", args=[job.workspace.name, job.name])


@dataclass(frozen=True)
class Actions:
    """What this person may do to a job in the state that it is in."""

    job: Job
    may_change: bool
    clone: bool
    administers: bool

    @classmethod
    def of(cls, job: Job) -> "Actions":
        who = caller()
        return cls(job, who.may(Action.WRITE, job.workspace_id), may_somewhere(Action.WRITE), who.administers)

    @property
    def cancel(self) -> bool:
        return self.may_change and State.CANCELLING in self._onward

    @property
    def pause(self) -> bool:
        return self.may_change and State.PAUSING in self._onward

    @property
    def resume(self) -> bool:
        return self.may_change and self.job.state == State.PAUSED

    @property
    def change(self) -> bool:
        return self.may_change and self.job.state not in TERMINAL

    @property
    def rerun(self) -> bool:
        lacking = self.job.state != State.COMPLETED or self.job.rows_failed > 0
        return self.may_change and self.job.state in TERMINAL and lacking

    @property
    def delete(self) -> bool:
        return self.may_change and self.job.state in TERMINAL

    @property
    def rows_to_rerun(self) -> int | None:
        """Rows without all of their scores, and those that were never come to; None where nobody counted them."""
        total = self.job.rows_total
        return None if total is None else self.job.rows_failed + max(0, total - self.job.rows_done)

    @property
    def _onward(self) -> frozenset[State]:
        return MOVES[State(self.job.state)] if self.job.state not in TERMINAL else frozenset()


def steer(request: HttpRequest, workspace: str, name: str, verb: str) -> HttpResponse:
    """Do one of ``VERBS`` to the job, and go back to its page, which says what came of it."""
    if verb not in VERBS:
        raise NotFound(f"Nothing that can be done to an evaluation is called '{verb}'.")
    job = light_job(workspace, name)
    try:
        done = VERBS[verb](job)
        messages.success(request, f"{job.name} is {done.state}.")
    except Refusal as refusal:
        messages.error(request, str(refusal.detail))
    return redirect(job_address(job))


# Changes while it runs


@dataclass(frozen=True)
class ChangeForm:
    """What a job may be told while it runs: as it is, or as somebody wrote it, with what is wrong about that."""

    parallelism: str
    tokens: str
    cost_usd: str
    cache: bool
    wrong: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, job: Job) -> "ChangeForm":
        cost = "" if job.budget_cost is None else f"{job.budget_cost.normalize():f}"
        return cls(str(job.parallelism), _shown(job.budget_tokens), cost, job.uses_cache)

    @classmethod
    def sent(cls, posted: Mapping[str, str], wrong: dict[str, str] | None = None) -> "ChangeForm":
        parallelism, tokens, cost = (posted.get(name, "").strip() for name in ("parallelism", "tokens", "cost_usd"))
        return cls(parallelism, tokens, cost, "cache" in posted, wrong or {})

    def changes(self, before: "ChangeForm") -> dict[str, Any]:
        """Return the body of the change: what is not as it was before."""
        found: dict[str, Any] = {}
        if self.parallelism != before.parallelism:
            found["parallelism"] = _whole(self.parallelism)
        if self.cache != before.cache:
            found["cache"] = self.cache
        budget: dict[str, Any] = {}
        if self.tokens != before.tokens:
            budget["tokens"] = _whole(self.tokens) if self.tokens else None
        if self.cost_usd != before.cost_usd:
            budget["cost_usd"] = _amount(self.cost_usd) if self.cost_usd else None
        return found | ({"budget": budget} if budget else {})


def change(request: HttpRequest, workspace: str, name: str, refused: Callable[..., HttpResponse]) -> HttpResponse:
    """Change what may be changed of a job that has not ended; ``refused`` shows its page with what is wrong."""
    job = light_job(workspace, name)
    form = ChangeForm.sent(request.POST)
    try:
        fields = Changes.model_validate(form.changes(ChangeForm.of(job))).fields()
    except ValidationError as error:
        wrong = {str(each["loc"][-1]): each["msg"] for each in error.errors(include_url=False, include_context=False)}
        return refused(ChangeForm.sent(request.POST, wrong))
    try:
        if fields:
            control.change(job, **fields)
        messages.success(request, f"{job.name} goes on with these settings." if fields else "Nothing was changed.")
    except Refusal as refusal:
        messages.error(request, str(refusal.detail))
    return redirect(job_address(job))


def _shown(value: int | None) -> str:
    return "" if value is None else str(value)


def _whole(text: str) -> int | str:
    """Return the number, or the text where it is none, for the check that says so."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS else text


def _amount(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


# The end


@dataclass(frozen=True)
class Going:
    """What goes with a job, and what stays."""

    files: int
    octets: int
    rows: int
    log_lines: int
    replies: int
    keeps_result: bool

    @classmethod
    def of(cls, job: Job) -> "Going":
        held = File.objects.filter(fileset=job.result_fileset_id).aggregate(files=Count("pk"), size=Sum("blob__size"))
        return cls(
            files=held["files"],
            octets=held["size"] or 0,
            rows=RowScore.objects.filter(job=job).count(),
            log_lines=LogLine.objects.filter(job=job).count(),
            replies=Reply.objects.filter(job_uid=job.uid).count(),
            keeps_result=EvalResult.objects.filter(workspace=job.workspace_id, name=job.name).exists(),
        )


def delete(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """Show what would go with the job, what stays and what stands in the way; by POST delete it."""
    job = light_job(workspace, name)
    need(Action.WRITE, job.workspace)
    if request.method == "POST":
        try:
            deletion.delete(job)
            messages.success(request, f"{job.name} and its results are deleted.")
            return redirect(f"{reverse('ui:evaluations')}?{urlencode({'workspace': job.workspace.name})}")
        except Refusal as refusal:
            messages.error(request, str(refusal.detail))
            return redirect(reverse("ui:job_delete", args=[workspace, name]))
    found = deletion.blockers(job)
    crumbs = [("Evaluations", reverse("ui:evaluations")), (job.name, job_address(job))]
    return show(
        request,
        "ui/job_delete.html",
        f"Delete {job.name}?",
        crumbs=crumbs,
        job=job,
        going=Going.of(job),
        blockers=[(blocker, *blocker.name.partition("/")[::2]) for blocker in found],
        unfinished=job.state not in TERMINAL,
    )
