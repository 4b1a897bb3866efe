"""The menu: our pages first, what they stand on below; the theme asks for it (``UNFOLD`` in the settings)."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

Item = dict[str, Any]


def menu(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the menu's groups, with what the caller may see."""
    work = [
        _item("Home", "home", "ui:home"),
        _item("Evaluations", "gavel", "ui:evaluations"),
        _item("New evaluation", "add_circle", "ui:new"),
        _item("Compare", "compare_arrows", "ui:compare"),
    ]
    holdings = [
        _item("Filesets", "folder_open", "ui:filesets"),
        _item("Secrets", "key", "ui:secrets"),
        _item("Workspaces", "workspaces", "ui:workspaces"),
    ]
    rest = [
        _item("Limits and prices", "speed", "admin:jobs_terms_changelist", needs="jobs.view_terms"),
        _item("Users", "group", "admin:auth_user_changelist", needs="auth.view_user"),
        _item("All tables", "table", "admin:index"),
        {"title": "API", "icon": "api", "link": "/docs"},
    ]
    return [{"items": work}, {"separator": True, "items": holdings}, {"separator": True, "items": rest}]


def _item(title: str, icon: str, view: str, needs: str = "") -> Item:
    item: Item = {"title": title, "icon": icon, "link": reverse(view)}
    if needs:
        item["permission"] = lambda request: request.user.has_perm(needs)
    return item
