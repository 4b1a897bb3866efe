"""What was asked: words of its query, the part of a list that it shows, forms; and where the caller may write."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from assay.platform.api import page_of_rows
from assay.platform.caller import Action, caller
from assay.platform.errors import Forbidden, Refusal
from assay.workspaces.models import Workspace

M = TypeVar("M", bound=Model)
PAGE = 50
LAST = 10**9
DIGITS = 18
"""Of a number; Python itself refuses to read thousands of them."""
AT_ONCE = timedelta(seconds=1)
CHOICES = 500
"""Workspaces in a choice."""


def text(request: HttpRequest, name: str) -> str:
    """Return a word of the query, without what no database can look for."""
    return request.GET.get(name, "").replace("\x00", "").strip()[:1024]


def posted(request: HttpRequest, name: str) -> str:
    """Return a word of a form, without what no database can look for."""
    return request.POST.get(name, "").replace("\x00", "").strip()[:1024]


def number(request: HttpRequest, name: str, default: int = 0) -> int:
    """Return a whole number of the query; the default for anything else."""
    word = request.GET.get(name, "")
    return min(int(word), LAST) if word.isascii() and word.isdecimal() and len(word) <= DIGITS else default


def where(action: Action) -> frozenset[int] | None:
    """Return the keys of the workspaces where the caller may do this; None: everywhere."""
    who = caller()
    return None if who.administers else frozenset(key for key in who.rooms.actions if who.may(action, key))


def may_somewhere(action: Action) -> bool:
    """Return whether there is a workspace where the caller may do this."""
    return where(action) != frozenset()


def need_somewhere() -> None:
    """Return if there is a workspace that the caller may write to; raises ``Forbidden``."""
    if not may_somewhere(Action.WRITE):
        raise Forbidden("There is no workspace that you may write to. Make one, or ask an Admin of one to let you in.")


def may_write(workspace: str) -> bool:
    """Return whether the caller may write to the workspace of this name, if there is one."""
    who = caller()
    return who.administers or who.may(Action.WRITE, who.rooms.keys.get(workspace, 0))


def workspaces(action: Action = Action.READ) -> list[str]:
    """Return the names to choose a workspace from: of those where the caller may do this."""
    keys = where(action)
    rows = Workspace.objects.order_by("name")
    chosen = rows if keys is None else rows.filter(pk__in=keys)
    return list(chosen.values_list("name", flat=True)[:CHOICES])


def changed(row: Any) -> datetime | None:
    """Return when it was changed after it was made, if it was; both times are of the same moment at first."""
    return row.updated_at if row.updated_at - row.created_at > AT_ONCE else None


@dataclass(frozen=True)
class Portion(Generic[M]):
    """One page of a list; ``total`` is None where counting would take longer than showing it."""

    rows: list[M]
    page: int
    more: bool
    total: int | None

    @property
    def first(self) -> int:
        return (self.page - 1) * PAGE + 1

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1

    @property
    def earlier(self) -> int | None:
        return self.page - 1 if self.page > 1 else None

    @property
    def later(self) -> int | None:
        return self.page + 1 if self.more else None


def portion(request: HttpRequest, ordered: QuerySet[M], total: int | None) -> Portion[M]:
    """Return the page of the rows that the query's ``page`` asks for."""
    page = max(1, number(request, "page", 1))
    found = list(page_of_rows(ordered, (page - 1) * PAGE, PAGE + 1))
    return Portion(found[:PAGE], page, len(found) > PAGE, total)


@dataclass(frozen=True)
class Wrong:
    """Why a form was not taken: of each field, and of the whole."""

    said: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, refusal: Refusal, fields: Iterable[str]) -> "Wrong":
        """Put each mistake to its field, where the form has it. What was typed is not repeated."""
        if isinstance(refusal.detail, str):
            return cls(said=refusal.detail)
        told: dict[str, str] = {}
        rest: list[str] = []
        for mistake in refusal.detail:
            place = str(mistake["loc"][-1])
            sentence = _sentence(mistake)
            if place in fields:
                told[place] = sentence
            else:
                rest.append(f"{place}: {sentence}")
        return cls("; ".join(rest), told)


NAME = "2 to 63 lowercase letters, digits and - @ . + _; a letter first, no double dash, no dash at the end."


def _sentence(mistake: dict[str, Any]) -> str:
    if mistake["type"] == "string_pattern_mismatch" and mistake["loc"][-1] == "name":
        return NAME
    return str(mistake["msg"]).removeprefix("Value error, ")
