"""A rate-limited server and the members that call it, in simulated time: hours of them in a second.

The members do what shards' gates do (jobs/gate.py), with calls that take no more than a number to make.
"""

import heapq
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, NamedTuple

from assay.jobs.governor import Ask, Grant, Limits, Line, sync
from assay.jobs.governor_headers import Window
from assay.jobs.governor_learning import Seen


class Answer(NamedTuple):
    ok: bool
    wait: float = 0.0
    """What its Retry-After says."""
    windows: dict[str, Window] = {}


Server = Callable[[float], Answer]


def sliding(limit: int, seconds: float = 60.0, *, telling: bool = False, headers: bool = False) -> Server:
    """A server that looks back over the last minute."""
    taken: deque[float] = deque()

    def answer(now: float) -> Answer:
        while taken and taken[0] <= now - seconds:
            taken.popleft()
        ok = len(taken) < limit
        if ok:
            taken.append(now)
        reset = taken[0] + seconds - now
        said = {"requests": Window(limit, seconds, limit - len(taken), reset)} if headers else {}
        return Answer(ok, 0.0 if ok or not telling else reset, said)

    return answer


def fixed(limit: int, seconds: float = 60.0, *, offset: float = 0.0, telling: bool = False) -> Server:
    """A server that counts from the full minute."""
    taken: Counter[float] = Counter()

    def answer(now: float) -> Answer:
        window = (now + offset) // seconds
        ok = taken[window] < limit
        taken[window] += ok
        return Answer(ok, 0.0 if ok or not telling else (window + 1) * seconds - offset - now)

    return answer


def bucket(limit: int, burst: float, *, telling: bool = False) -> Server:
    """A server with a token bucket."""
    tokens, filled = burst, 0.0

    def answer(now: float) -> Answer:
        nonlocal tokens, filled
        tokens, filled = min(burst, tokens + (now - filled) * limit / 60), now
        ok = tokens >= 1
        tokens -= ok
        return Answer(ok, 0.0 if ok or not telling else (1 - tokens) * 60 / limit)

    return answer


def random_refusals(share: float, *, wait: float = 0.0, seed: int = 1) -> Server:
    """A server that refuses some calls whatever is done."""
    dice = random.Random(seed)

    def answer(now: float) -> Answer:
        return Answer(True) if dice.random() >= share else Answer(False, wait)

    return answer


@dataclass
class Call:
    at: float
    job: str
    ok: bool


@dataclass
class World:
    """Everything that calls one server; ``run`` lets time pass."""

    server: Server
    limits: Limits = Limits()
    seed: int = 1
    now: float = 0.0
    line: Line = field(default_factory=Line)
    calls: list[Call] = field(default_factory=list)
    syncs: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self.members: list[SimMember] = []

    def at(self, when: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), do))

    def join(self, name: str, job: str, parallelism: int = 8, **also: Any) -> "SimMember":
        member = SimMember(self, name, job, parallelism, **also)
        self.members.append(member)
        member.look()
        return member

    def jobs(self, jobs: int = 3, shards: int = 4, parallelism: int = 2, **also: Any) -> None:
        for job in range(jobs):
            for shard in range(shards):
                self.join(f"{job}.{shard}", f"job {job}", parallelism, **also)

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, do = heapq.heappop(self._events)
            do()
        self.now = until

    def flush(self) -> None:
        """Lose the document."""
        self.line = Line()

    def done(self, start: float = 0.0, stop: float = 1e9, job: str | None = None) -> int:
        return sum(c.ok and start <= c.at < stop and job in (None, c.job) for c in self.calls)

    def refused(self, start: float = 0.0, stop: float = 1e9) -> float:
        """The share of the calls of that time that were refused."""
        calls = [c for c in self.calls if start <= c.at < stop]
        return sum(not c.ok for c in calls) / max(1, len(calls))


@dataclass(eq=False)
class SimMember:
    """One shard's run: rows without end (or so many), at most ``parallelism`` of them called for at once."""

    world: World
    name: str
    job: str
    parallelism: int
    latency: float = 0.3
    rows: float = float("inf")
    queue: int = 0
    flying: int = 0
    most_flying: int = 0
    resting: int = 0
    alive: bool = True
    seen: Seen = field(default_factory=Seen)
    windows: dict[str, Window] = field(default_factory=dict)
    grant: Grant | None = None

    def __post_init__(self) -> None:
        self.places = float(self.parallelism)
        self.planned = -1.0
        self.ready = 0

    @property
    def limited(self) -> bool:
        return self.grant is not None and self.grant.limited

    def refill(self) -> None:
        """Begin rows as there is room."""
        while self.rows > 0 and self.queue + self.flying < int(self.places):
            self.rows -= 1
            self.queue += 1
            if self.queue == 1 and self.limited:
                self.plan(0.05)
        self.pump()

    def pump(self) -> None:
        flight = self.grant.flight if self.grant else None
        while self.alive and self.queue and (self.ready or not self.limited):
            if flight is not None and self.flying >= flight:
                return
            self.ready -= self.limited
            self.queue -= 1
            self.fly()

    def fly(self) -> None:
        self.flying += 1
        self.most_flying = max(self.most_flying, self.flying)
        world = self.world
        answer = world.server(world.now)
        world.calls.append(Call(world.now, self.job, answer.ok))
        slow = 6.0 if answer.ok and world.dice.random() < 0.05 else 1.0
        world.at(world.now + slow * self.latency * world.dice.uniform(0.5, 1.5), lambda: self.land(answer))

    def land(self, answer: Answer) -> None:
        world = self.world
        if not self.alive:
            return
        self.flying -= 1
        self.windows |= answer.windows
        if answer.ok:
            self.seen.ok += 1
            self.seen.in_a_row = 0
            self.places = min(self.parallelism, self.places + 1 / 6)
        else:
            self.seen.refused += 1
            self.seen.in_a_row += 1
            self.seen.telling += answer.wait > 0
            self.seen.wait = max(self.seen.wait, answer.wait)
            if self.limited:
                self.queue += 1
            else:
                self.places = max(1.0, self.places - 0.5)
                pause = max(world.dice.uniform(0, 1.5), answer.wait)
                world.at(world.now + pause, self.back)
            if self.limited or self.seen.refused >= 3:
                self.plan(0.05)
        if not self.limited and any(window.is_scarce() for window in answer.windows.values()):
            self.plan(0.05)
        self.refill()

    def back(self) -> None:
        self.queue += 1
        self.pump()

    def plan(self, delay: float) -> None:
        """Look in again so soon, if not sooner."""
        when = self.world.now + delay + self.world.dice.uniform(0.0, 0.01)
        if self.planned < self.world.now or when < self.planned:
            self.planned = when
            self.world.at(when, self._look_if_due)

    def _look_if_due(self) -> None:
        if self.planned == self.world.now:
            self.look()

    def look(self) -> None:
        if not self.alive:
            return
        world = self.world
        seen, self.seen = self.seen, Seen()
        windows, self.windows = self.windows, {}
        knew = replace(self.grant.learned) if self.grant else None
        room = self.queue
        if self.grant and self.grant.flight is not None:
            room = min(room, max(1, self.grant.flight - self.flying))
        ask = Ask(self.name, self.job, room, self.flying, seen, world.limits, windows, knew=knew)
        self.grant = sync(world.line, ask, world.now)
        world.syncs += 1
        self.planned = -1.0
        for start in self.grant.starts:
            world.at(world.now + start, self._start)
        self.plan(self.grant.again)
        self.refill()

    def _start(self) -> None:
        self.ready += 1
        self.pump()
        self.ready = 0
