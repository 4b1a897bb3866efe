"""Who calls in the test of every route, and what they may do: written down by hand, beside the code."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.contrib.auth.models import User

from assay.platform.caller import Scope
from assay.workspaces.models import Member, Workspace
from tests.accounts.routes import Need, Route
from tests.accounts.signing_in import person

READS, WRITES, MANAGES = {Need.READ}, {Need.READ, Need.WRITE}, {Need.READ, Need.WRITE, Need.MANAGE}
ROLES = {"Viewer": READS, "Editor": WRITES, "Admin": MANAGES}
SCOPES = {
    Scope.READ: READS,
    Scope.WRITE: WRITES | {Need.FOUND},
    Scope.ADMIN: MANAGES | {Need.FOUND, Need.ADMINISTER, Need.MEASURE},
    Scope.METRICS: {Need.MEASURE},
}
PEOPLE: Mapping[str, Mapping[str, str]] = {
    "stranger": {},
    "viewer": {"own": "Viewer"},
    "editor": {"own": "Editor"},
    "admin": {"own": "Admin"},
    "outsider": {"other": "Admin"},
    "both": {"own": "Admin", "other": "Admin"},
    "mixed": {"own": "Editor", "other": "Viewer"},
}
ROOT = "root"


@dataclass(frozen=True)
class Caller:
    name: str
    known: bool = True
    session: bool = False
    scope: frozenset[Need] = frozenset(SCOPES[Scope.ADMIN])
    rooms: Mapping[str, set[Need]] = field(default_factory=dict)
    """What they may do in which place, whatever the token says."""
    root: bool = False
    limited: bool = False
    """By a token for one workspace."""

    def sees(self, where: str) -> bool:
        return Need.READ in self.scope & self.rooms.get(where, set())

    def may(self, route: Route, where: str = "") -> bool:
        """Return whether the route lets them, in that place where it is asked of one."""
        match route.need:
            case Need.OPEN:
                return True
            case _ if route.page and not self.session:
                return False
            case Need.PERMIT:
                return False
            case Need.KNOWN:
                return self.known
            case Need.ADMINISTER | Need.MEASURE:
                return self.root and not self.limited and route.need in self.scope
            case Need.SOMEWHERE | Need.LEADING:
                needed = Need.WRITE if route.need is Need.SOMEWHERE else Need.MANAGE
                somewhere = any(needed in self.scope & allowed for allowed in self.rooms.values())
                return somewhere and (not where or self.sees(where))
            case Need.FOUND:
                return self.known and not self.limited and Need.FOUND in self.scope
        allowed = self.known and route.need in self.scope
        return allowed and (not where or route.need in self.rooms.get(where, set()))


NOBODY, WRONG, GONE, GONE_TOKEN = (
    Caller(name, known=False, session=name == "gone", scope=frozenset())
    for name in ("nobody", "wrong token", "gone", "gone, admin token")
)
"""Nobody at all; a token that is none; an Admin of one's own workspace who was deactivated, and their token."""


def cast(own: Workspace, other: Workspace) -> dict[str, User]:
    """Make the accounts, and return them by name."""
    homes = {"own": own, "other": other}
    found = {}
    for name, rooms in PEOPLE.items():
        found[name] = person(name)
        for where, role in rooms.items():
            Member.objects.create(workspace=homes[where], principal=name, roles=[role])
    found[ROOT] = person(ROOT, is_superuser=True, is_staff=True)
    found["gone"] = person("gone")
    Member.objects.create(workspace=own, principal="gone", roles=["Admin"])
    return found


def by_session(name: str) -> Caller:
    rooms = {where: ROLES[role] for where, role in PEOPLE.get(name, {}).items()}
    if name == ROOT:
        rooms = {"own": MANAGES, "other": MANAGES}
    return Caller(name, session=True, rooms=rooms, root=name == ROOT)


def by_token(name: str, scope: Scope, only: str = "") -> Caller:
    whole = by_session(name)
    rooms = {where: allowed for where, allowed in whole.rooms.items() if only in {"", where}}
    allowed = frozenset(SCOPES[scope])
    return Caller(
        f"{name}, {scope} token{f' for {only}' if only else ''}",
        scope=allowed,
        rooms=rooms,
        root=whole.root,
        limited=bool(only),
    )
