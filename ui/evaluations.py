"""The list of evaluations: filtered, newest first, a page at a time, and two or more picked to be compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse

from assay.jobs.judges import judges_of
from assay.jobs.models import Job, State
from assay.jobs.states import TERMINAL
from assay.jobs.steps import percent
from assay.platform.counts import rows_of
from assay.ui.door import show
from assay.ui.job_live import TONES, seconds_of
from assay.workspaces.models import Workspace

PAGE_ROWS = 25
MOST_WORKSPACES = 1000
FEW = 500
GROUPS = {
    "unfinished": tuple(state for state in State if state not in TERMINAL),
    "running": (State.ACTIVE, State.PAUSING, State.CANCELLING),
    "waiting": (State.CREATED, State.PENDING, State.PAUSED),
}
"""Words of the filter that mean several states."""
GROUP_NAMES = {"unfinished": "not ended yet", "running": "running", "waiting": "waiting or paused"}

LISTED: QuerySet[Job] = Job.objects.select_related("workspace").only(
    "name", "workspace__name", "state", "message", "error", "metrics", "rows_total", "rows_done", "rows_failed",
    "created_at", "pending_at", "active_at", "paused_at", "finished_at", "reruns", "parallelism",
)  # fmt: skip
"""What a line about a job needs, and nothing of what it was submitted with but its metrics."""


@dataclass(frozen=True)
class Line:
    """A job in a list."""

    job: Job

    @property
    def judges(self) -> list[str]:
        return judges_of(self.job)

    @property
    def percent(self) -> float:
        return percent(self.job)

    @property
    def tone(self) -> str:
        return TONES.get(State(self.job.state), "")

    @property
    def seconds(self) -> float | None:
        return seconds_of(self.job)


def newest_first(rows: QuerySet[Job], start: int = 0, count: int = PAGE_ROWS) -> list[int]:
    """Return the keys of the newest of these jobs: an index alone answers that, however large the jobs are."""
    return list(rows.order_by("-created_at", "-pk").values_list("pk", flat=True)[start : start + count])


def lines_of(keys: Sequence[int]) -> list[Line]:
    """Return the jobs with these keys in this order, in one query."""
    found = LISTED.in_bulk(keys)
    return [Line(found[key]) for key in keys if key in found]


@dataclass(frozen=True)
class Choice:
    """Which jobs are listed."""

    workspace: str
    state: str
    search: str
    page: int

    @classmethod
    def of(cls, request: HttpRequest) -> "Choice":
        given = request.GET
        page = given.get("page", "")
        state = given.get("state", "")
        return cls(
            workspace=given.get("workspace", "").strip(),
            state=state if state in GROUPS or state in State.values else "",
            search=given.get("q", "").replace("\x00", "").strip()[:255],
            page=max(1, int(page)) if page.isascii() and page.isdecimal() and len(page) < 10 else 1,
        )

    def jobs(self) -> QuerySet[Job]:
        wanted = Q()
        if self.workspace:
            # By key: the database then reads the index that begins with it.
            home = Workspace.objects.filter(name=self.workspace).values_list("pk", flat=True).first()
            wanted &= Q(workspace_id=home or 0)
        if self.state:
            wanted &= Q(state__in=GROUPS.get(self.state, (self.state,)))
        if self.search:
            wanted &= self._named(wanted)
        return Job.objects.filter(wanted)

    def _named(self, wanted: Q) -> Q:
        """Return the condition on the name. Few jobs are meant by their keys: the index of names finds them.

        Of many, the page's worth is soon found among the newest.
        """
        named = Q(name__icontains=self.search)
        keys = list(Job.objects.filter(wanted & named).order_by().values_list("pk", flat=True)[: FEW + 1])
        return Q(pk__in=keys) if len(keys) <= FEW else named

    def count(self, rows: QuerySet[Job]) -> int:
        """Return how many jobs these are; where nothing but the workspace is asked for, nobody counts them."""
        if self.state or self.search:
            return rows.count()
        home = Workspace.objects.filter(name=self.workspace).first() if self.workspace else None
        return rows_of(Job, workspace=home) if home or not self.workspace else 0

    @property
    def narrowed(self) -> bool:
        return bool(self.workspace or self.state or self.search)

    def at(self, page: int) -> str:
        """Return the query of another page of the same list."""
        said = {"workspace": self.workspace, "state": self.state, "q": self.search, "page": page}
        return "?" + urlencode({name: value for name, value in said.items() if value})


def evaluations(request: HttpRequest) -> HttpResponse:
    choice = Choice.of(request)
    rows = choice.jobs()
    total = choice.count(rows)
    pages = max(1, -(-total // PAGE_ROWS))
    first = (min(choice.page, pages) - 1) * PAGE_ROWS
    lines = lines_of(newest_first(rows, first))
    page = first // PAGE_ROWS + 1
    return show(
        request,
        "ui/evaluations.html",
        "Evaluations",
        choice=choice,
        lines=lines,
        total=total,
        first=first + 1,
        last=first + len(lines),
        newer=choice.at(page - 1) if page > 1 else "",
        older=choice.at(page + 1) if page < pages else "",
        newest=choice.at(1) if page > 2 else "",
        workspaces=list(Workspace.objects.order_by("name").values_list("name", flat=True)[:MOST_WORKSPACES]),
        states=[*GROUP_NAMES.items(), *((state.value, state.value) for state in State)],
    )
