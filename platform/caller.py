"""Who calls, and what they may do where: the table of roles and scopes, and the one check that every door asks.

A request has a caller for as long as it lasts (``acting``). Tasks and commands have none: there the platform itself
acts, and may do everything. What a caller may not read is not there for them: the models' managers leave it out
(`sight.py`), so that another team's workspace answers as one that nobody has made.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum

from django.contrib.auth.models import AbstractBaseUser

from assay.platform.errors import Forbidden, Unauthenticated


class Action(StrEnum):
    READ = "read"
    WRITE = "write"
    MANAGE = "manage"
    """Members, secret values in clear, and the workspace itself."""
    ADMINISTER = "administer"
    """The platform: accounts, encryption keys, limits, the audit of everybody."""
    MEASURE = "measure"
    """The platform's own metrics."""


class Role(StrEnum):
    VIEWER = "Viewer"
    EDITOR = "Editor"
    ADMIN = "Admin"


class Scope(StrEnum):
    """What a token is for; it never allows more than its owner may do."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"
    METRICS = "metrics"


EVERYTHING = frozenset(Action)
OF_ROLE: Mapping[str, frozenset[Action]] = {
    Role.VIEWER: frozenset({Action.READ}),
    Role.EDITOR: frozenset({Action.READ, Action.WRITE}),
    Role.ADMIN: frozenset({Action.READ, Action.WRITE, Action.MANAGE}),
}
OF_SCOPE: Mapping[str, frozenset[Action]] = {
    Scope.READ: frozenset({Action.READ}),
    Scope.WRITE: frozenset({Action.READ, Action.WRITE}),
    Scope.ADMIN: EVERYTHING,
    Scope.METRICS: frozenset({Action.MEASURE}),
}
NOT_KNOWN = "Authentication credentials were not provided."
EVERYBODY = "*"
"""As a member's name: whoever is signed in."""
WORDS = {
    Action.READ: "read",
    Action.WRITE: "change",
    Action.MANAGE: "manage",
    Action.ADMINISTER: "administer the platform",
    Action.MEASURE: "read the platform's metrics",
}


@dataclass(frozen=True)
class Rooms:
    """What somebody may do in which workspace, by the workspace's key; names lead to keys."""

    actions: dict[int, frozenset[Action]] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)

    def add(self, key: int, name: str, roles: Iterable[str]) -> None:
        """Take in a membership: a workspace's key and name, and the roles there."""
        self.keys[name] = key
        allowed = (OF_ROLE.get(role, frozenset()) for role in roles)
        self.actions[key] = self.actions.get(key, frozenset()).union(*allowed)


@dataclass(frozen=True)
class Caller:
    name: str
    """The account's; empty with sign-in off and for somebody unknown."""
    via: str
    """How they are known: ``session``, ``password``, ``token <id>``; ``local`` with sign-in off, else ``nobody``."""
    known: bool = True
    refused: str = ""
    """Why the credentials that were sent are no good."""
    user: AbstractBaseUser | None = None
    address: str = ""
    administers: bool = False
    """A platform administrator: may do everything everywhere."""
    scope: frozenset[Action] = EVERYTHING
    only: int | None = None
    """The key of the one workspace that the token is for."""
    rooms: Rooms = field(default_factory=Rooms)

    def sees(self) -> frozenset[int] | None:
        """Return the keys of the workspaces that are there for the caller; None: all of them."""
        if Action.READ not in self.scope:
            return frozenset()
        if self.administers:
            return None if self.only is None else frozenset({self.only})
        seen = {key for key, actions in self.rooms.actions.items() if Action.READ in actions}
        return frozenset(seen if self.only is None else seen & {self.only})

    def may(self, action: Action, workspace: int) -> bool:
        """Return whether the caller may do this in the workspace of this key."""
        if action not in self.scope or self.only not in {None, workspace}:
            return False
        return self.administers or action in self.rooms.actions.get(workspace, frozenset())

    def may_anywhere(self, action: Action) -> bool:
        """Return whether there is any place where the caller may do this; a new workspace is one."""
        return self.known and action in self.scope and (self.administers or action in OF_ROLE[Role.ADMIN])

    def need(self, action: Action, workspace: int, name: str) -> None:
        """Return if the caller may do this there; raises ``Forbidden``."""
        if not self.may(action, workspace):
            why = "The token" if action not in self.scope else "Your role"
            raise Forbidden(f"{why} does not allow to {WORDS[action]} workspace '{name}'.")

    def need_platform(self, action: Action) -> None:
        """Return if the caller may do this to the platform itself; raises ``Unauthenticated`` or ``Forbidden``."""
        self.need_known()
        if not self.administers or action not in self.scope or self.only is not None:
            raise Forbidden(f"Only an administrator may {WORDS[action]}.")

    def need_known(self) -> None:
        """Return if it is known who calls; raises ``Unauthenticated``."""
        if not self.known:
            raise Unauthenticated(self.refused or NOT_KNOWN)


PLATFORM = Caller(name="platform", via="platform", administers=True)
LOCAL = Caller(name="", via="local", administers=True)
NOBODY = Caller(name="", via="nobody", known=False, scope=frozenset())
_calling: ContextVar[Caller] = ContextVar("caller", default=PLATFORM)


def caller() -> Caller:
    """Return who calls; the platform itself outside of requests."""
    return _calling.get()


@contextmanager
def acting(who: Caller) -> Iterator[None]:
    """Run the block as ``who``."""
    before = _calling.set(who)
    try:
        yield
    finally:
        _calling.reset(before)


def admit(action: Action | None, workspace: str | None) -> None:
    """The one check of every door: may the caller do this, in the workspace that the address names, if it names one?

    Raises ``Unauthenticated`` or ``Forbidden``. A workspace that the caller does not see passes: it is not there for
    them, and the answer is what it would be for a name that nobody has taken. No action: whoever is known may.
    """
    who = caller()
    who.need_known()
    if action is None:
        return None
    if action in {Action.ADMINISTER, Action.MEASURE}:
        return who.need_platform(action)
    if action not in who.scope:
        raise Forbidden(f"The token does not allow to {WORDS[action]} anything.")
    if workspace is not None and not who.administers:
        key = who.rooms.keys.get(workspace)
        seen = who.sees()
        if key is not None and (seen is None or key in seen):
            who.need(action, key, workspace)
    return None
