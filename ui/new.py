"""The page that makes an evaluation: data, judge, prompt, scores; tried on a few rows, then submitted."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from assay.evaluator.submission import MISSING_SECRET, read_submission
from assay.jobs.judged import find_job
from assay.jobs.models import Job
from assay.jobs.submit import submit
from assay.platform.caller import Action, caller
from assay.platform.errors import Conflict, Invalid, Refusal
from assay.ui import as_code, new_data, trial
from assay.ui.asked import DIGITS, may_write, need_somewhere
from assay.ui.door import show
from assay.ui.judge_form import KINDS, METHODS, PARSERS, JudgeForm
from assay.ui.new_choices import choices, settled
from assay.ui.new_clone import Clone, clone_of
from assay.ui.new_fields import blank_grade, blank_score, listed, shown_fields, shown_score
from assay.ui.new_outlook import outlook, suggested_name
from assay.ui.new_preview import shown_row
from assay.ui.new_prompt import Rendered, Trouble, rendered
from assay.ui.new_request import FormWrong, Mistakes, by_field, read_metric, read_request
from assay.workspaces.lookup import get_workspace, need

View = Callable[[HttpRequest], HttpResponse]
USER_HELP = "What it is shown of each row. {{ opens the list of columns."
COUNTING_SECONDS = 0.15
COUNTING_ALL_SECONDS = 30.0


def for_makers(view: View) -> View:
    """Return the view for those who may make evaluations somewhere; it raises ``Forbidden`` for others."""

    @wraps(view)
    def checked(request: HttpRequest) -> HttpResponse:
        need_somewhere()
        return view(request)

    return checked


@for_makers
def new(request: HttpRequest) -> HttpResponse:
    """Show the form, empty, filled in from a job or with data chosen; or take it in."""
    if request.method == "POST":
        return _submitted(request)
    if wanted := request.GET.get("from"):
        workspace, _, name = wanted.partition("/")
        clone = clone_of(find_job(workspace, name))
        form = clone.form if may_write(clone.form.workspace) else settled(clone.form)
        return _form(request, form, clone=clone, cloned=wanted)
    workspace, fileset, file = (request.GET.get(name, "").strip() for name in ("workspace", "fileset", "file"))
    return _form(request, settled(JudgeForm(workspace, fileset, file)), first_file=True)


@for_makers
def data(request: HttpRequest) -> HttpResponse:
    """Show what can be chosen now, and the first rows of what is."""
    changed = request.headers.get("HX-Trigger-Name", "")
    form = settled(JudgeForm.of(request.GET), changed)
    context = choices(form, first_file=changed in {"workspace", "fileset"}, download="download" in request.GET)
    context |= {"fields": shown_fields(context["form"], {}), "swapped": True}
    reply = render(request, "ui/new_changed.html", context)
    reply["HX-Trigger-After-Settle"] = "data-changed"
    return reply


@for_makers
def prompt(request: HttpRequest) -> HttpResponse:
    """Show the prompt as the judge would be sent it about one row."""
    form = JudgeForm.of(request.POST)
    number = request.POST.get("row", "0").strip()
    shown: dict[str, Any] = {"row": number}
    if not number.isdecimal() or len(number) > 9 or int(number) > new_data.LAST_ROW:
        shown["prompt"] = Rendered([], {"": Trouble(f"Rows 0 to {new_data.LAST_ROW:,} can be looked at here.")})
    elif form.fileset:
        items = new_data.first_rows(new_data.find_fileset(form.fileset), form.file, 1, start=int(number))
        none = Rendered([], {"": Trouble(f"There is no row {number}.")})
        shown["prompt"] = rendered(form, int(number), items[0]) if items else none
    return render(request, "ui/new_prompt.html", shown)


@for_makers
def forecast(request: HttpRequest) -> HttpResponse:
    """Show what the evaluation will come to."""
    form = JudgeForm.of(request.POST)
    items: list[dict[str, Any]] = []
    count, trouble = _known_count(request, form), ""
    if form.fileset:
        seconds = COUNTING_ALL_SECONDS if "count" in request.POST else COUNTING_SECONDS
        try:
            fileset = new_data.find_fileset(form.fileset)
            items = new_data.first_rows(fileset, form.file, new_data.PREVIEWED)
            count = count or new_data.count_rows(fileset, form.file, seconds)
        except Refusal as refusal:
            trouble = str(refusal)
    context = {"outlook": outlook(form, count, items), "trouble": trouble, "sampled": len(items)}
    context["known"] = f"{count.rows} {form.dataset()}" if count and count.exact else ""
    context["name"] = form.name or suggested_name(form)
    context["administers"] = caller().administers
    return render(request, "ui/new_outlook.html", context)


def _known_count(request: HttpRequest, form: JudgeForm) -> new_data.Count | None:
    """Return how many rows the page itself says there are, from when it was told: they are not counted again."""
    rows, _, dataset = request.POST.get("counted", "").partition(" ")
    return (
        new_data.Count(int(rows), True)
        if dataset == form.dataset() and rows.isdecimal() and len(rows) <= DIGITS
        else None
    )


@for_makers
def code(request: HttpRequest) -> HttpResponse:
    """Show the same as code."""
    form = JudgeForm.of(request.POST)
    try:
        asked = read_request(form)
    except FormWrong as wrong:
        return render(request, "ui/new_code.html", {"mistakes": listed(wrong.mistakes, form)})
    here = as_code.Place(request.build_absolute_uri("/").rstrip("/"), form.workspace, signs_in=settings.AUTH)
    sdk, rest = as_code.sdk_code(asked.metric, asked.body, here), as_code.rest_call(asked.body, here)
    blocks = {"sdk": sdk, "rest": rest, "signs_in": settings.AUTH}
    return render(request, "ui/new_code.html", blocks)


@for_makers
def try_it(request: HttpRequest) -> HttpResponse:
    """Judge the first rows while the caller waits, and show all that was said."""
    form = JudgeForm.of(request.POST)
    try:
        metric = read_metric(form)
        if not form.fileset:
            raise FormWrong({"fileset": "Choose a fileset."})
    except FormWrong as wrong:
        return render(request, "ui/new_trial.html", {"mistakes": listed(wrong.mistakes, form)}, status=422)
    workspace = get_workspace(form.workspace)
    need(Action.WRITE, workspace)  # its secrets are opened
    items = new_data.first_rows(new_data.find_fileset(form.fileset), form.file, trial.TRIED_ROWS)
    if not items:
        raise Invalid("The data holds no rows.")
    tried = trial.try_out(workspace, metric, items)
    return render(request, "ui/new_trial.html", {"trial": tried, "rows": [shown_row(row) for row in tried.rows]})


def _submitted(request: HttpRequest) -> HttpResponse:
    form = JudgeForm.of(request.POST)
    try:
        job = _submit(form)
    except FormWrong as wrong:
        return _form(request, form, wrong.mistakes, status=422)
    except Invalid as error:
        return _form(request, form, by_field(error, form), status=422)
    except Conflict as error:
        where = "secret" if str(error) == MISSING_SECRET else "name"
        return _form(request, form, {where: str(error)}, status=409)
    messages.success(request, f"Evaluation '{job.name}' is submitted.")
    return redirect("ui:job", job.workspace.name, job.name)


def _submit(form: JudgeForm) -> Job:
    """Make the job by the verbs that the API uses; raises ``FormWrong`` and what they refuse."""
    asked = read_request(form).request
    workspace = get_workspace(form.workspace)
    return submit(
        workspace,
        read_submission(workspace, asked.spec),
        name=asked.name or suggested_name(form),
        description=asked.description,
        custom_fields=asked.custom_fields,
        principal=caller().name,
    )


def _form(
    request: HttpRequest,
    form: JudgeForm,
    mistakes: Mistakes | None = None,
    *,
    first_file: bool = False,
    clone: Clone | None = None,
    cloned: str = "",
    status: int = 200,
) -> HttpResponse:
    """Return the page; ``first_file``: choose one where none is named."""
    wrong = mistakes or {}
    context = choices(form, first_file=first_file)
    form = context["form"]
    return show(
        request,
        "ui/new.html",
        "New evaluation",
        status=status,
        **context,
        swapped=False,
        fields=shown_fields(form, wrong),
        scores=[shown_score(score, wrong) for score in form.scores],
        wrong_scores=wrong.get("scores", ""),
        blank_score=blank_score(),
        blank_grade=blank_grade(),
        kinds=KINDS.items(),
        parsers=PARSERS.items(),
        methods=METHODS.items(),
        mistakes=listed(wrong, form),
        clone=clone,
        cloned=cloned,
        user_help=USER_HELP,
        advanced=bool(form.more or form.limit_samples or form.budget_tokens or form.budget_cost or wrong),
        tried_rows=trial.TRIED_ROWS,
    )
