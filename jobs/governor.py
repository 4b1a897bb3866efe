"""The rate governor: who may call an endpoint when, over all jobs and all workers.

A *line* is one endpoint as one key sees it. Its state is one small document that all who call it share (see
`governor_stores.py`); `sync` reads and changes it, and is all there is to it. No clock, no store and no Django here:
time is an argument.

Where nothing limits the line, members only look in now and then. Where something does, calls are handed out one by one:
evenly spaced over all members, in turn to each job that waits, whatever nobody else wants to whoever wants it.
"""

from dataclasses import asdict, dataclass, field
from math import ceil
from typing import Any

import orjson

from assay.jobs.governor_flight import share_of_flight
from assay.jobs.governor_headers import Window
from assay.jobs.governor_learning import Learned, Phase, Seen

TARGET = 0.97
"""Of what an endpoint says that it allows."""
HORIZON_SECONDS = 0.5
"""Calls are handed out so long ahead: until then their members look in again."""
SLACK_SECONDS = 0.5
"""So long the line may have stood idle and still make up for it."""
QUICK_SECONDS, LAZY_SECONDS = 0.05, 0.5
"""How soon members look in again."""
MEMBER_SECONDS = 3.0
"""A member that has not looked in for so long is gone, and what it held with it."""
WAITING_SECONDS = 1.5
"""A job none of whose members has looked in for so long does not wait."""
SATED_SECONDS = 2.0
"""If nobody wanted more than was given for so long, the line's limit is not what holds its callers back."""
WINDOW_SECONDS = 120.0
"""How long a server's word on what is left is gone by."""
RATION_SECONDS = 5.0
"""How long the pace is set by that, too."""
SLOWEST = 1e-3
USUAL_TOKENS = 500.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What people say that an endpoint allows; None where they do not."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    calls_in_flight: int | None = None


@dataclass(slots=True)
class Ask:
    """One member's word on how it stands. A member is one shard's run of a job."""

    member: str
    job: str
    waits: int = 0
    """Calls that could go out if they may."""
    flying: int = 0
    seen: Seen = field(default_factory=Seen)
    limits: Limits = Limits()
    windows: dict[str, Window] = field(default_factory=dict)
    """What the server last said is left, of "requests" and "tokens"."""
    tokens: float = USUAL_TOKENS
    """What a call takes as far as the member can tell; the server's own counts are better."""
    knew: Learned | None = None
    """What the member was last told was learned, in case the document is lost."""
    share: float = 1.0
    """Of the limits: less than one where a member that cannot reach the others goes by itself."""
    leaves: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """What a member is told."""

    limited: bool
    """Whether each call needs a start."""
    starts: list[float]
    """Seconds from now at which one call each may go out."""
    flight: int | None
    """How many calls the member may have in flight."""
    again: float
    """Seconds until it should look in again."""
    next_call: float
    """Seconds until the line has a call to give to somebody."""
    why: str
    """What limits the line most: "requests", "tokens", "flight", "learned", "held"; empty where nothing does."""
    rate: float
    """Calls a second, of the whole line."""
    jobs: int
    members: int
    silence: float
    """Seconds since the line last answered, where it refuses everything."""
    learned: Learned


@dataclass(slots=True)
class Member:
    job: str
    seen: float
    waits: int
    flying: int
    held: int = 0
    """Calls that it may have in flight."""
    fed: float = 0.0
    """When it last began or ceased to hold any."""


@dataclass(slots=True)
class Line:
    """The document. Times are seconds of the store's clock."""

    at: float = 0.0
    next_call: float = 0.0
    """When the next call is due by the requests that are allowed, and by the tokens."""
    next_token: float = 0.0
    turn: float = 0.0
    """The virtual time of the line: what the job that has had least has had."""
    unmet_at: float = 0.0
    """When a member last wanted more than it was given."""
    tokens: float = 0.0
    """That a call takes, on average; 0 while unknown."""
    jobs: dict[str, float] = field(default_factory=dict)
    """What each job has had, in seconds of the line."""
    members: dict[str, Member] = field(default_factory=dict)
    windows: dict[str, Window] = field(default_factory=dict)
    learned: Learned = field(default_factory=Learned)

    @classmethod
    def read(cls, document: bytes | None) -> "Line":
        """Return the line that the document describes; a new one where it is missing or of another version."""
        try:
            fields: dict[str, Any] = orjson.loads(document or b"{}")
            members = {name: Member(**member) for name, member in fields.pop("members", {}).items()}
            windows = {name: Window(**window) for name, window in fields.pop("windows", {}).items()}
            learned = Learned(**fields.pop("learned", {}))
            learned.phase = Phase(learned.phase)
            return cls(**fields, members=members, windows=windows, learned=learned)
        except (ValueError, TypeError, AttributeError):
            return cls()

    def document(self) -> bytes:
        return orjson.dumps(self)


@dataclass(frozen=True, slots=True)
class Pace:
    """What limits a line at the moment, in calls and in tokens a second; None where nothing does."""

    calls: float | None
    tokens: float | None
    why: str


def sync(line: Line, ask: Ask, now: float) -> Grant:
    """Take in a member's word, hand out what is its due, and return that; the line is changed in place."""
    _turn_clock(line, now)
    _recall(line, ask, now)
    _enter(line, ask, now)
    for name, window in ask.windows.items():
        line.windows[name] = window.after(line.windows.get(name), now)
    line.learned.take(ask.seen, now)
    wanted = now - line.unmet_at < SATED_SECONDS
    line.learned.follow(ask.seen, now, limited=bool(_pace(line, ask, now).why), wanted=wanted)
    pace = _pace(line, ask, now)
    _count_tokens(line, ask.seen, pace)
    flight = None if ask.leaves else share_of_flight(line.members, ask.member, ask.limits.calls_in_flight, now)
    starts = [] if ask.leaves else _starts(line, ask, pace, now)
    limited = bool(pace.calls or pace.tokens)
    unmet = ask.waits - len(starts) if limited else 0
    line.unmet_at = now if unmet > 0 else line.unmet_at
    next_call = max(line.next_call if pace.calls else now, line.next_token if pace.tokens else now, _held(line, now))
    again = LAZY_SECONDS
    if unmet > 0:
        again = min(LAZY_SECONDS, max(2 * QUICK_SECONDS, next_call - HORIZON_SECONDS - now))
    elif ask.waits and flight is not None and flight <= ask.flying:
        again = 2 * QUICK_SECONDS
    return Grant(
        limited=limited,
        starts=[start - now for start in starts],
        flight=flight,
        again=again,
        next_call=max(0.0, next_call - now),
        why="held" if limited and _held(line, now) > now else pace.why,
        rate=min(pace.calls or float("inf"), (pace.tokens or float("inf")) / _tokens_a_call(line, ask)),
        jobs=len(_waiting(line, now) | {ask.job}),
        members=len(line.members),
        silence=now - line.learned.silent_since if line.learned.silent_since else 0.0,
        learned=line.learned,
    )


def _turn_clock(line: Line, now: float) -> None:
    """Forget the times in the document where the clock was set back."""
    if now < line.at - 1.0:
        line.next_call = line.next_token = now
        line.members, line.windows = {}, {}
        line.learned.forget_times(now)
    line.at = now


def _recall(line: Line, ask: Ask, now: float) -> None:
    """Take over what the member knew if the document was lost."""
    if ask.knew is not None and ask.knew.changed > line.learned.changed:
        line.learned = Learned(**asdict(ask.knew))
        # Others may still hold starts that were handed out before.
        line.next_call = line.next_token = max(line.next_call, now + HORIZON_SECONDS)


def _enter(line: Line, ask: Ask, now: float) -> None:
    """Write the member down, and those off that are gone."""
    for name in [name for name, each in line.members.items() if each.seen < now - MEMBER_SECONDS]:
        del line.members[name]
    waiting = _waiting(line, now)
    if waiting:
        line.turn = max(line.turn, min(line.jobs[job] for job in waiting))
    if ask.job not in waiting:
        line.jobs[ask.job] = max(line.jobs.get(ask.job, 0.0), line.turn)  # no credit for having been idle
    if ask.leaves:
        line.members.pop(ask.member, None)
    else:
        member = line.members.setdefault(ask.member, Member(ask.job, now, 0, 0))
        member.seen, member.waits, member.flying = now, ask.waits, ask.flying
    present = {each.job for each in line.members.values()}
    line.jobs = {job: had for job, had in line.jobs.items() if job in present}


def _waiting(line: Line, now: float) -> set[str]:
    return {each.job for each in line.members.values() if each.waits and each.seen >= now - WAITING_SECONDS}


def _pace(line: Line, ask: Ask, now: float) -> Pace:
    """Return what limits the line: of what people say, what the server says, and what was learned, the least."""
    limits, learned = ask.limits, line.learned
    calls: list[tuple[float, str]] = []
    tokens: list[float] = []
    if limits.requests_per_minute:
        calls.append((TARGET * limits.requests_per_minute / 60, "requests"))
    if limits.tokens_per_minute:
        tokens.append(TARGET * limits.tokens_per_minute / 60)
    if learned.phase is not Phase.OPEN:
        calls.append((max(learned.rate, SLOWEST), "learned"))
    limited = bool(calls or tokens)
    if (allowed := _by_window(line.windows.get("requests"), now, limited)) is not None:
        calls.append((allowed, "learned"))
    if (allowed := _by_window(line.windows.get("tokens"), now, limited)) is not None:
        tokens.append(allowed)
    rate, why = min(calls, default=(float("inf"), ""))
    if tokens and min(tokens) / _tokens_a_call(line, ask) < rate:
        why = "tokens"
    if not why and limits.calls_in_flight:
        why = "flight"
    return Pace(ask.share * rate if calls else None, ask.share * min(tokens) if tokens else None, why)


def _by_window(window: Window | None, now: float, limited: bool) -> float | None:
    """Return how fast a window may be used up; None where there is none, or enough left of it."""
    if window is None or now - window.at > WINDOW_SECONDS or not (window.scarce or limited):
        return None
    rate = TARGET * window.limit / window.period
    if now - window.at > RATION_SECONDS:
        return rate
    return min(rate, max(rate / 10, window.remaining / max(window.reset, 1.0)))


def _tokens_a_call(line: Line, ask: Ask) -> float:
    return line.tokens or ask.tokens


def _count_tokens(line: Line, seen: Seen, pace: Pace) -> None:
    """Charge what calls have really taken instead of what they were thought to take, and think better from now on."""
    if not seen.counted:
        return
    average = seen.tokens / seen.counted
    if pace.tokens and line.tokens:
        line.next_token += seen.counted * (average - line.tokens) / pace.tokens
    weight = min(1.0, seen.counted / 10) if line.tokens else 1.0
    line.tokens += weight * (average - line.tokens)


def _held(line: Line, now: float) -> float:
    return max(now, line.learned.held_until)


def _starts(line: Line, ask: Ask, pace: Pace, now: float) -> list[float]:
    """Hand out the times at which calls of the member may start, and charge its job for them."""
    gap = max(1 / pace.calls if pace.calls else 0.0, _tokens_a_call(line, ask) / pace.tokens if pace.tokens else 0.0)
    if not gap:
        return []
    earliest = max(now - SLACK_SECONDS, line.learned.held_until)
    line.next_call, line.next_token = max(line.next_call, earliest), max(line.next_token, earliest)
    waiting = _waiting(line, now)
    floor = min((line.jobs[job] for job in waiting), default=0.0)
    lead = max(gap, HORIZON_SECONDS)
    room = (now + HORIZON_SECONDS - max(line.next_call, line.next_token)) / gap + 1
    starts: list[float] = []
    for _ in range(min(ask.waits, ceil(max(room, 0.0) / max(1, len(waiting))))):
        start = max(line.next_call if pace.calls else 0.0, line.next_token if pace.tokens else 0.0, now)
        if start > now + HORIZON_SECONDS or line.jobs[ask.job] > floor + lead:
            break
        starts.append(start)
        line.next_call += 1 / pace.calls if pace.calls else 0.0
        line.next_token += _tokens_a_call(line, ask) / pace.tokens if pace.tokens else 0.0
        line.jobs[ask.job] += gap
    return starts
