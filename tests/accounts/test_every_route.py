"""Every route of the platform, asked by everybody of every workspace: nobody does or sees more than they may.

What is expected stands in `routes.py`, `pages.py`, `references.py` and `callers.py`, written down by hand.
``ASSAY_ROUTES=full`` asks for every person, with a session and with every kind of token, everywhere; else for those
whose roles and scopes differ, each of what they see and of what they do not.
"""

import os
import re
from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any

import pytest
from django.apps import apps
from django.test import override_settings
from django.urls import get_resolver, resolve
from django.urls.resolvers import URLPattern
from pytest_django.plugin import DjangoDbBlocker

from assay.platform.caller import Scope
from tests.accounts.asking import ABSENT, OTHER, SMALL, World, ask, faults, leaks, told_apart, undone
from tests.accounts.callers import GONE, GONE_TOKEN, NOBODY, PEOPLE, ROOT, WRONG, Caller, by_session, by_token
from tests.accounts.pages import PAGES, TABLES
from tests.accounts.references import KEPT, REFERENCES, USES
from tests.accounts.routes import API, SHADOWED, Need, Route
from tests.accounts.world import rows_now

pytestmark = pytest.mark.django_db
FULL = os.environ.get("ASSAY_ROUTES") == "full"
ROUTES = [*API, *PAGES]
STRANGER, VIEWER, EDITOR, OUTSIDER = map(by_session, ("stranger", "viewer", "editor", "outsider"))
READER, LIMITED = by_token("admin", Scope.READ), by_token("both", Scope.ADMIN, only="own")
ALWAYS = [NOBODY, STRANGER, VIEWER, EDITOR, OUTSIDER, READER, LIMITED]
COMPLETING = [by_session("admin"), by_session(ROOT), by_token(ROOT, Scope.METRICS)]
"""They ask what none of the others may do, so that nothing is refused to everybody for a wrong reason."""
REFUSED = [WRONG, GONE, GONE_TOKEN]
EVERYBODY = [
    *map(by_session, (*PEOPLE, ROOT)),
    *(by_token(name, scope) for name in (*PEOPLE, ROOT) for scope in Scope),
    *(by_token(name, scope, only="own") for name in ("both", ROOT) for scope in Scope),
]
LONG = [] if FULL else [STRANGER, VIEWER, EDITOR, READER, LIMITED]
"""They ask most: left to ``make thorough``."""
CALLERS = [*ALWAYS, *REFUSED, *(each for each in (EVERYBODY if FULL else COMPLETING) if each not in ALWAYS)]
SETTINGS: dict[str, Any] = {
    "AUTH": True,
    "EGRESS_ALLOW": ["127.0.0.1"],
    "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
}
NAMES = attrgetter("name")


@pytest.fixture(scope="module")
def world(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    settings = override_settings(**SETTINGS, DATA_DIR=tmp_path_factory.mktemp("data"))
    with django_db_blocker.unblock(), undone(), settings:
        yield World.made([*CALLERS, by_session("mixed")])


@pytest.mark.parametrize(
    "caller", [pytest.param(each, marks=[pytest.mark.thorough] * (each in LONG), id=each.name) for each in CALLERS]
)
def test_every_route(caller: Caller, world: World) -> None:
    found = [
        f"{route}{f' ({where})' if where else ''}: {fault}"
        for route, where in _asked_by(caller)
        for fault in faults(world, caller, route, where, brief=not FULL)
    ]
    assert not found, f"{len(found)} faults\n" + "\n".join(found)


def _asked_by(caller: Caller) -> Iterator[tuple[Route, str]]:
    for route in ROUTES:
        places = ("own", "other") if route.placed else ("",)
        if not FULL:
            places = tuple(where for where in places if _tells_something(caller, route, where))
        yield from ((route, where) for where in places)


def _tells_something(caller: Caller, route: Route, where: str) -> bool:
    """Return whether nobody else of those few tells the same."""
    if caller in COMPLETING:
        return not any(each.may(route, where) for each in ALWAYS)
    if caller in REFUSED:
        return not where  # the one door lets them in nowhere
    if caller in (READER, LIMITED) and route.page:
        return route.address == "/admin/"  # to pages they are nobody
    if caller in (NOBODY, STRANGER):
        return where != "own"  # the one is to them as the other
    if caller is OUTSIDER:
        return where != "other"
    if where == "own":
        return True
    if where and route.page:
        return route.method == ("GET" if caller is VIEWER else "POST")
    return not where or caller is not READER or route.need is Need.READ


# That nothing is missing from the list

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
ON_PAGES = ("PUT", "PATCH", "DELETE", "GET", "POST")


def test_every_address_and_method_is_listed(world: World) -> None:
    listed: dict[str, dict[str, Route]] = {}
    for route in ROUTES:
        listed.setdefault(_pattern_of(world, route), {})[route.method] = route
    found = dict(_patterns(get_resolver().url_patterns))
    unlisted = [each for each in found if each not in listed and not each.startswith(TABLES) and not _shadowed(each)]
    assert not unlisted, f"not in routes.py or pages.py: {unlisted}"
    for pattern, routes in listed.items():
        more = [method for method in _taken(world, found[pattern], routes) if method not in routes]
        assert not more, f"not in routes.py or pages.py: {more} {pattern}"


def _pattern_of(world: World, route: Route) -> str:
    return resolve(world.places["own"].fill(route.address).partition("?")[0]).route


def _patterns(patterns: list[Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every address of the platform, as ``ResolverMatch.route`` has it, with its view."""
    for each in patterns:
        whole = before + str(each.pattern).removeprefix("^") if before else str(each.pattern)
        if isinstance(each, URLPattern):
            yield whole, each.callback
        else:
            yield from _patterns(each.url_patterns, whole)


def _shadowed(pattern: str) -> bool:
    """Return whether an address of this pattern is always taken for another's."""
    after = next((each for each in SHADOWED if pattern.endswith(rf"s/(?P<name>[^/]+){each}\Z")), "")
    return bool(after) and resolve(f"/v1/hf/api/datasets/data{after}").kwargs["namespace"] == "data"


def _taken(world: World, view: Any, routes: Mapping[str, Route]) -> Iterator[str]:
    """Yield the methods that a view takes, by its class; of a page those that are not listed and not refused."""
    route = next(iter(routes.values()))
    if hasattr(view, "cls"):
        yield from (method for method in METHODS if hasattr(view.cls, method.lower()))
    elif route.page:
        for method in ON_PAGES:
            if method not in routes:
                with undone():
                    asked = Route(method, route.address, route.need, form={})
                    if ask(world.clients[ROOT], asked, world.places["own"]).status != 405:
                        yield method


def test_what_no_route_is_for_tells_nothing_either(world: World) -> None:
    client, place = world.clients[STRANGER.name], world.places["other"]
    absent = place.absent(ABSENT)
    listed = {(route.method, route.address) for route in ROUTES}
    found = []
    for address in dict.fromkeys(route.address for route in API if "$" in route.address):
        unlisted = [method for method in METHODS if (method, address) not in listed]
        for method in ("OPTIONS", *(unlisted if FULL else unlisted[:1])):
            asked = Route(method, address, Need.READ)
            with world.tried():
                reply, nothing = ask(client, asked, place), ask(client, asked, absent)
            wrong = [*told_apart(place, absent, reply, nothing), *leaks(world, STRANGER, asked, "other", reply)]
            found += [f"{asked}: {each}" for each in [*wrong, *world.written]]
    assert not found, "\n".join(found)


def test_the_tables_are_for_administrators(world: World) -> None:
    tables = {model._meta.db_table: model._meta.label_lower.replace(".", "/") for model in apps.get_models()}
    keys = {tables[table]: key for table, key in world.theirs.rows if table in tables}
    listed = {_pattern_of(world, route) for route in PAGES}
    found = []
    for pattern, _ in _patterns(get_resolver().url_patterns):
        if not pattern.startswith(TABLES) or pattern in listed:
            continue
        table = "/".join(pattern.removeprefix(TABLES).split("/")[:2])
        address = "/" + re.sub(r"<[\w:]+>", str(keys.get(table, 1)), pattern).replace("(?P<url>.*)$", "nothing/")
        address = re.sub(r"\(\?P<app_label>(\w+)[^)]*\)", r"\1", address).removesuffix("$")
        asked = [("admin", "GET", 403), ("admin", "POST", 403), ("nobody", "GET", 302), ("nobody", "POST", 302)]
        if pattern == f"{TABLES}{table}/":
            asked.append((ROOT, "GET", 200))
        for name, method, told in asked:
            with world.tried():
                headers = SMALL if name == "admin" else None
                reply = ask(world.clients[name], Route(method, address, Need.ADMINISTER, form={}), None, headers)
            if reply.status != told or world.written or (name != ROOT and OTHER in reply):
                found.append(f"{method} {address}: {name} is told {reply.status}, {world.written}")
    assert not found, "\n".join(found)


# What one workspace names of another


@pytest.mark.parametrize("caller", [EDITOR, LIMITED], ids=NAMES)
def test_what_is_named_of_another_workspace_is_not_there(caller: Caller, world: World) -> None:
    own, other, client = world.places["own"], world.places["other"], world.clients[caller.name]
    absent = other.absent(ABSENT)
    found = []
    for route in REFERENCES:
        if route.page and not caller.session:
            continue
        with world.tried():
            reply = ask(client, route, own.beside(other))
            wrong = world.theirs.harmed(rows_now()) if world.written else []
        with undone():
            nothing = ask(client, route, own.beside(absent))
        if reply.status >= 400 or nothing.status >= 400:
            wrong += told_apart(other, absent, reply, nothing)
        wrong += [f"{reply.status} {reply.body[:300]}"] if reply.status >= 500 else []
        found += [f"{route} {route.body or route.form}: {each}" for each in wrong]
    assert not found, "\n".join(found)


def test_who_may_only_read_a_workspace_uses_none_of_its_secrets(world: World) -> None:
    own, other = world.places["own"], world.places["other"]
    found = []
    for route in USES:
        with world.tried():
            reply = ask(world.clients["mixed"], route, own.beside(other))
        if reply.status not in {403, 422} or KEPT not in reply or world.written:
            found.append(f"{route} {route.body or route.form}: {reply.status} {reply.body[:200]} {world.written}")
    assert not found, "\n".join(found)
