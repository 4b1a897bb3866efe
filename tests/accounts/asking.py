"""Asking every route as everybody: the requests, the replies, and what is wrong with them."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client

from assay.accounts.tokens import PREFIX, make_token
from assay.platform.caller import Scope
from assay.platform.models import AuditEvent
from assay.workspaces.models import Workspace
from tests.accounts.callers import GONE, WRONG, Caller, cast
from tests.accounts.routes import Need, Route
from tests.accounts.world import Holdings, Place, furnish, rows_now

OWN, OTHER, ABSENT = "qzmyown", "qzother", "qzabsnt"
AUDIT = AuditEvent._meta.db_table
HOUSEKEEPING = ("accounts_accesstoken", "django_session", "axes_")
"""Tables that a request may write to which changes nothing."""
NEW = re.compile(r"(csrfmiddlewaretoken\" value=\"|\"X-CSRFToken\": \")[A-Za-z0-9]+")
PER_REPLY = {"x-request-id", "set-cookie", "expires"}
"""Headers that differ between two replies to the same request."""
SMALL = {"HX-Request": "true"}
"""With it a page's refusal is a note and not a whole page."""


@dataclass(frozen=True)
class Reply:
    status: int
    headers: str
    body: str

    @classmethod
    def of(cls, response: HttpResponse) -> "Reply":
        content = b"".join(response.streaming_content) if response.streaming else response.content
        response.close()
        kept = sorted((name, value) for name, value in response.items() if name.lower() not in PER_REPLY)
        return cls(response.status_code, repr(kept), NEW.sub("", content.decode("utf-8", "backslashreplace")))

    def __contains__(self, text: str) -> bool:
        return text in self.body or text in self.headers


@dataclass
class World:
    """Two workspaces, and everybody who calls."""

    places: dict[str, Place]
    theirs: Holdings
    """What is in the other workspace."""
    clients: dict[str, Client]
    written: list[str] = field(default_factory=list)
    """The tables that were written to."""
    marks: dict[str, int] = field(default_factory=dict)
    """How much was written at each savepoint."""
    nothings: dict[tuple[Any, ...], Reply] = field(default_factory=dict)
    """What is said of a workspace that is not there."""

    @classmethod
    def made(cls, callers: list[Caller]) -> "World":
        own = furnish(OWN)
        before = rows_now()
        other = furnish(OTHER)
        after = rows_now()
        homes = [Workspace.objects.get(name=place.values["ws"]) for place in (own, other)]
        accounts = cast(*homes)
        clients = {caller.name: _client(caller, accounts, homes[0]) for caller in callers}
        User.objects.filter(username=GONE.name).update(is_active=False)
        theirs = {key: row for key, row in after.items() if key not in before}
        return cls({"own": own, "other": other}, Holdings(theirs, rows_now()), clients)

    @contextmanager
    def tried(self) -> Iterator[None]:
        """Note which tables are written to, and undo it in the end."""
        self.written.clear()
        with undone(), connection.execute_wrapper(self._note):
            yield

    def _note(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        done = execute(sql, params, many, context)
        if point := re.match(r'(ROLLBACK TO )?SAVEPOINT "?(\w+)', sql):
            if point[1]:
                del self.written[self.marks[point[2]] :]
            else:
                self.marks[point[2]] = len(self.written)
            return done
        found = re.match(r'(?:INSERT INTO|UPDATE|DELETE FROM) "?(\w+)', sql)
        # SQLite counts no row of an INSERT that returns them.
        if found and (sql.startswith("INSERT") or context["cursor"].rowcount) and not found[1].startswith(HOUSEKEEPING):
            self.written.append(found[1])
        return done


@contextmanager
def undone() -> Iterator[None]:
    """Undo in the end what the block does to the database."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _client(caller: Caller, accounts: Mapping[str, User], own: Workspace) -> Client:
    """Return a client that sends what the caller is known by, and keeps no cookie that it is given."""
    name, _, words = caller.name.partition(", ")
    sent = {}
    if caller.session:
        signed_in = Client()
        signed_in.force_login(accounts[name], "django.contrib.auth.backends.ModelBackend")
        sent = {"Cookie": signed_in.cookies.output(header="").strip().partition(";")[0]}
    elif caller == WRONG:
        sent = {"Authorization": f"Bearer {PREFIX}{'x' * 43}"}
    elif words:
        _, text = make_token(accounts[name], words, Scope(words.split()[0]), workspace=own if caller.limited else None)
        sent = {"Authorization": f"Bearer {text}"}
    return Client(raise_request_exception=False, headers=sent)


def ask(client: Client, route: Route, place: Place | None, headers: Mapping[str, str] | None = None) -> Reply:
    address, body, form = (place.fill(each) if place else each for each in (route.address, route.body, route.form))
    data, kind = "" if body is None else json.dumps(body), "application/json"
    if isinstance(body, str):
        data, kind = body, "text/plain"
    elif form is not None:
        data, kind = urlencode(form), "application/x-www-form-urlencoded"
    return Reply.of(client.generic(route.method, address, data, kind, headers=headers))


def faults(world: World, caller: Caller, route: Route, where: str, *, brief: bool) -> Iterator[str]:
    """Ask for the route in that place, and say what is wrong with what comes of it; ``brief``: quickly."""
    place, client = world.places.get(where), world.clients[caller.name]
    allowed = caller.may(route, where)
    headers = SMALL if brief and route.page and caller.session and caller.known and not allowed else None
    with world.tried():
        reply = ask(client, route, place, headers)
        changed = set(world.written)
        if changed and not caller.sees("other"):
            yield from world.theirs.harmed(rows_now())
    yield from leaks(world, caller, route, where, reply)
    if reply.status >= 500:
        yield f"{reply.status} {reply.body[:300]}"
    if changed and AUDIT not in changed and route.method not in {"GET", "HEAD"}:
        yield f"changed {changed}, and nothing of it in the audit"
    if allowed:
        if reply.status not in route.answers if route.answers else reply.status >= 400:
            yield f"who may is told {reply.status}: {reply.body[:300]}"
        return
    if changed:
        yield f"who may not changed {changed}, told {reply.status}"
    if place is None or caller.sees(where) or not caller.known:
        yield from _refusal(caller, route, reply)
    elif route.makes:
        if reply.status not in {403, 404}:
            yield f"told {reply.status}: {reply.body[:300]}"
    else:
        absent = place.absent(ABSENT)
        nothing = _nothing(world, caller, route, absent, headers, brief=brief)
        yield from told_apart(place, absent, reply, nothing)


def _nothing(
    world: World, caller: Caller, route: Route, absent: Place, headers: Mapping[str, str] | None, *, brief: bool
) -> Reply:
    """Return what the caller is told of a place that is not there; ``brief``: what others like them are told."""
    asked = (str(route), repr(route.body), str(absent.values))
    key = (*asked, caller.scope, caller.limited, caller.session)
    known = world.nothings.get(key) if brief and not route.page else None
    if known is None:
        with undone():
            known = ask(world.clients[caller.name], route, absent, headers)
        if brief and not route.page:
            world.nothings[key] = known
    return known


def told_apart(place: Place, absent: Place, reply: Reply, nothing: Reply) -> Iterator[str]:
    """Say how a reply about a place can be told from one about a place that is not there."""
    if reply.status != nothing.status:
        yield f"{reply.status}, and {nothing.status} if it were not there: {reply.body[:200]} / {nothing.body[:200]}"
    for what in ("headers", "body"):
        seen, expected = place.as_if(absent, getattr(reply, what)), getattr(nothing, what)
        if seen != expected:
            yield f"other {what} than if it were not there: {_difference(seen, expected)}"


def leaks(world: World, caller: Caller, route: Route, where: str, reply: Reply) -> Iterator[str]:
    """Say what a reply shows of a place that its caller does not see and has not named."""
    for name, place in world.places.items():
        if name != where and not caller.sees(name) and place.tag in reply:
            yield f"shows something of {name}: {_around(reply, place.tag)}"
    if not caller.sees("other"):
        sent = repr(world.places[where].fill([route.address, route.body, route.form])) if where else ""
        shown = [mark for mark in world.theirs.ids if mark in reply and mark not in sent]
        yield from (f"shows an id of other: {_around(reply, mark)}" for mark in shown)


def _refusal(caller: Caller, route: Route, reply: Reply) -> Iterator[str]:
    """Say what is wrong with the refusal of somebody who is not let in, or who sees the workspace."""
    if route.page and not (caller.session and caller.known):
        if reply.status != 302 or "/admin/tables/login/?next=" not in reply.headers:
            yield f"who is not signed in is not led there, but told {reply.status}"
        return
    wanted = 403 if caller.known or route.need is Need.PERMIT else 401
    if reply.status != wanted and not (route.told and reply.status == 422):
        yield f"who may not is told {reply.status} and not {wanted}: {reply.body[:300]}"
    if not _well_formed(route, reply):
        yield f"the refusal has another shape: {reply.headers} {reply.body[:300]}"


def _well_formed(route: Route, reply: Reply) -> bool:
    """Return whether a refusal has the shape that clients of its kind read."""
    if route.page:
        return "text/html" in reply.headers
    if route.hub:
        return "X-Error-Message" in reply.headers
    return route.method == "HEAD" or ("application/json" in reply.headers and set(json.loads(reply.body)) == {"detail"})


def _around(reply: Reply, mark: str) -> str:
    text = reply.headers + reply.body
    at = text.index(mark)
    return text[max(0, at - 100) : at + 60]


def _difference(one: str, two: str) -> str:
    at = next((n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    return f"{one[max(0, at - 60) : at + 60]!r} / {two[max(0, at - 60) : at + 60]!r}"
