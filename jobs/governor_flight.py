"""Who may have how many calls in flight, where an endpoint allows only so many: a part of the rate governor."""

from collections import Counter
from collections.abc import Mapping
from typing import Protocol

TURN_SECONDS = 2.0
"""Where there are fewer calls than members, each may hold one for so long before it is another's turn."""


class Flyer(Protocol):
    """A member, as far as its calls in flight go."""

    job: str
    waits: int
    flying: int
    held: int
    fed: float


def share_of_flight(members: Mapping[str, Flyer], name: str, allowed: int | None, now: float) -> int | None:
    """Return how many calls the member may have in flight, and write it down; None where there is no limit.

    What others hold is theirs until they give it back, so that all together never have more than is allowed.
    """
    if allowed is None:
        return None
    member = members[name]
    free = allowed - sum(each.held for key, each in members.items() if key != name)
    due = max(0, min(_fair(members, allowed, now)[name], free))
    held = max(due, member.flying)  # calls beyond its due are still in flight, and end by themselves
    if bool(held) != bool(member.held):
        member.fed = now
    member.held = held
    return due


def _fair(members: Mapping[str, Flyer], allowed: int, now: float) -> Counter[str]:
    """Return everybody's due: call by call to the job that has least, in it to the member that has least.

    Of those that have as much, whoever just began its turn comes first, then whoever had none for longest.
    """
    wants_by_name = Counter({name: each.waits + each.flying for name, each in members.items()})
    if wants_by_name.total() <= allowed:
        return wants_by_name
    by_job: Counter[str] = Counter()
    due: Counter[str] = Counter()
    wanting = {
        name: (each.job, each.waits + each.flying, 0.0 if each.held and now - each.fed < TURN_SECONDS else each.fed)
        for name, each in members.items()
        if each.waits + each.flying
    }
    for _ in range(allowed):
        if not wanting:
            break
        name = min(wanting, key=lambda key: (by_job[wanting[key][0]], due[key], wanting[key][2], key))
        job, wants, _ = wanting[name]
        by_job[job] += 1
        due[name] += 1
        if due[name] == wants:
            del wanting[name]
    return due
