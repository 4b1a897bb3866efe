"""The menu: our pages first, what they stand on below; the theme asks for it (``UNFOLD`` in the settings)."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from assay.platform.caller import Action, caller
from assay.ui.asked import may_somewhere

Item = dict[str, Any]


def menu(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the menu's groups, with what is for the caller."""
    new = [_item("New evaluation", "add_circle", "ui:new")] if may_somewhere(Action.WRITE) else []
    work = [
        _item("Home", "home", "ui:home"),
        _item("Evaluations", "gavel", "ui:evaluations"),
        *new,
        _item("Compare", "compare_arrows", "ui:compare"),
    ]
    holdings = [
        _item("Filesets", "folder_open", "ui:filesets"),
        _item("Secrets", "key", "ui:secrets"),
        _item("Workspaces", "workspaces", "ui:workspaces"),
    ]
    looks_back = [_item("Audit", "history", "ui:audit")] if may_somewhere(Action.MANAGE) else []
    own = [
        _item("Access tokens", "vpn_key", "ui:tokens"),
        *looks_back,
        {"title": "API", "icon": "api", "link": "/docs"},
    ]
    platform = [
        _item("People", "group", "ui:accounts"),
        _item("Limits and prices", "speed", "admin:jobs_terms_changelist"),
        _item("All tables", "table", "admin:index"),
    ]
    groups = [work, holdings, own, *([platform] if caller().administers else [])]
    return [{"separator": group is not work, "items": group} for group in groups]


def _item(title: str, icon: str, view: str) -> Item:
    return {"title": title, "icon": icon, "link": reverse(view)}
