"""What an endpoint lets through, learned from its refusals alone: a part of the rate governor, and pure like it.

A server that counts by the minute answers a burst and then refuses everything; one with a token bucket lets a few calls
through all the time; one that is merely busy refuses calls at random. Only the first two are to be paced:

    open ──refusals beyond chance──► trying ──still refused──► steady
                                        │  ▲                    │  ▲
                                        └──┴──► spent ◄─────────┘  │
                                                  └────────────────┘

- open: no limit is known.
- trying: calls go slowly, then faster by half each second, until the server refuses again or is as fast as before;
  where it refuses, that is kept up for a moment to measure what it gives.
- spent: everything is refused; one call now and then, until one is answered.
- steady: a little less than what was refused; rarely a little more, to learn whether more is allowed by now.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from math import sqrt

CHANCE = 0.25
"""So many refusals may be chance: the pace of each run bears them at full speed."""
DEVIATIONS, DEVIATIONS_TELLING = 4.0, 3.0
"""So many standard deviations beyond it they are not; fewer where they say how long to wait."""
STREAK, STREAK_TELLING, STREAK_LIMITED = 10, 8, 4
"""So many refusals in a row are no chance either; fewer where the line is limited already."""
START = 1.0
"""Calls a second, at least, that are tried first."""
GROWTH = 0.5
"""More calls a second for each that is answered while trying: half as many again each second."""
NEAR = 0.95
"""Of the rate that was refused."""
PROBE_SECONDS, PROBE_LONGEST = 60.0, 3600.0
PROBE_STEP = 0.05
LATE_SECONDS = 1.0
"""How calls end so soon after the rate was changed tells of the rate before."""
MEASURE_SECONDS = 16.0
"""How long a server is asked for too much, to learn what it gives."""
TOO_MUCH = 0.1
"""If fewer are refused meanwhile it was not asked for too much."""
TEST_SECONDS = 20.0
"""How long a rate is observed before it is judged."""
SPARSE = 0.02
"""Refusals of a steady line that are too few to go slower for."""
GAP_SECONDS, GAP_LONGEST = 1.0, 5.0
"""Between calls to a server that refuses everything."""
WINDOW_SECONDS = 3.0
"""A server that refused everything for longer than this counts by the minute."""
HOLD_LONGEST = 600.0
FADE_SECONDS = 3600.0
FADE_FACTOR = 4.0


class Phase(StrEnum):
    OPEN = "open"
    TRYING = "trying"
    SPENT = "spent"
    STEADY = "steady"


@dataclass(slots=True)
class Seen:
    """How calls ended, since this was last told."""

    ok: int = 0
    refused: int = 0
    """As too many."""
    in_a_row: int = 0
    """Refusals since the last answer."""
    telling: int = 0
    """Refusals that said when to come again."""
    wait: float = 0.0
    """The longest that one of them asked for, in seconds."""
    counted: int = 0
    """Answers that say how many tokens they took."""
    tokens: int = 0


@dataclass(slots=True)
class Learned:
    """What is known of one line. Times are seconds of the store's clock, rates are calls a second."""

    phase: Phase = Phase.OPEN
    changed: float = 0.0
    """When this was last found out: of two that know, the later is right."""
    rate: float = 0.0
    ceiling: float = 0.0
    """The most that the server is known to take, or to refuse."""
    found: float = 0.0
    """The ceiling when it was first met."""
    peak: float = 0.0
    """How fast calls were made before any limit was met."""
    held_until: float = 0.0
    gap: float = GAP_SECONDS
    probe_at: float = 0.0
    probe_gap: float = PROBE_SECONDS
    step: float = PROBE_STEP
    trial: str = ""
    """What is being tried: "up" or "down" on a steady line, "measure" before; or nothing."""
    before: float = 0.0
    """The rate before a trial."""
    share: float = 0.0
    """Of calls that were refused then."""
    was_steady: bool = False
    """Before it was spent."""
    noise: float = 0.0
    """Of calls that are refused however slowly they come."""
    streak: int = 0
    answered_at: float = 0.0
    refused_at: float = 0.0
    silence: float = 0.0
    """How long it had refused everything when it last answered."""
    silent_since: float = 0.0
    """The first refusal since the last answer; 0 if there is none."""
    since: float = 0.0
    """When the present rate was set; what was counted since then:"""
    ok: int = 0
    refused: int = 0
    seconds: list[list[int]] = field(default_factory=list)
    """``[[second, answered, refused, refused and telling], …]`` of the last minute."""

    def take(self, seen: Seen, now: float) -> None:
        """Count what was seen."""
        if not (seen.ok or seen.refused):
            return
        second = int(now)
        if not self.seconds or self.seconds[-1][0] != second:
            self.seconds = [counts for counts in self.seconds if counts[0] > second - 61]
            self.seconds.append([second, 0, 0, 0])
        for place, count in enumerate((seen.ok, seen.refused, seen.telling), 1):
            self.seconds[-1][place] += count
        self.streak = seen.in_a_row if seen.ok else self.streak + seen.in_a_row
        self.ok += seen.ok
        self.refused += seen.refused
        self.silence = 0.0
        if seen.ok:
            held = self.answered_at and self.held_until - self.answered_at > WINDOW_SECONDS
            self.silence = now - (self.answered_at or self.silent_since) if self.silent_since or held else 0.0
            self.answered_at, self.silent_since = now, 0.0
        if seen.refused:
            self.refused_at = now
            self.silent_since = self.silent_since or now

    def count(self, now: float, span: float) -> tuple[int, int, int]:
        """Return how many calls of the last seconds were answered, refused, and refused with a word on when."""
        recent = [counts for counts in self.seconds if counts[0] > now - span]
        ok, refused, telling = (sum(counts[place] for counts in recent) for place in (1, 2, 3))
        return ok, refused, telling

    def follow(self, seen: Seen, now: float, *, limited: bool, wanted: bool) -> None:
        """Draw the conclusions. ``limited``: the line is paced already; ``wanted``: callers want more of it."""
        if self.phase in (Phase.TRYING, Phase.STEADY) and now - self.since < LATE_SECONDS:
            self.ok = self.refused = self.streak = 0  # these calls were made before
        if self.phase in (Phase.TRYING, Phase.SPENT) and not self._was_window():  # answers that came late count, too
            self.share = max(self.share, self.count(now, 60)[0] / 60)
        match self.phase:
            case Phase.OPEN:
                self._open(now)
            case Phase.TRYING:
                self._trying(seen, now, wanted)
            case Phase.SPENT:
                self._spent(seen, now)
            case Phase.STEADY:
                self._steady(now, wanted)
        brief = self.phase is Phase.TRYING and seen.wait < WINDOW_SECONDS  # that would keep it from being measured
        if seen.wait and (limited or self.phase is not Phase.OPEN) and not brief and self._means_it(now):
            self.held_until = max(self.held_until, now + min(seen.wait, HOLD_LONGEST))

    def forget_times(self, now: float) -> None:
        """The clock was set back: what was to be at some time is no longer known."""
        self.seconds, self.held_until = [], 0.0
        self.changed = self.since = self.answered_at = self.refused_at = now
        self.ok = self.refused = 0
        self.probe_at = now + self.probe_gap

    def _means_it(self, now: float) -> bool:
        """Whether a server that asks to be left alone keeps to that, and does not answer the next call all the same."""
        ok, refused, _ = self.count(now, 10)
        return self.streak >= 3 or self.count(now, 60)[1] < 3 or beyond(ok, refused, 1.5)

    def _open(self, now: float) -> None:
        ok, refused, telling = self.count(now, 10)
        sure = 2 * telling > refused
        streak = self.streak >= (STREAK_TELLING if sure else STREAK)
        if streak or (refused >= 8 and beyond(ok, refused, DEVIATIONS_TELLING if sure else DEVIATIONS)):
            self.peak = max(10.0, *(float(counts[1] + counts[2]) for counts in self.seconds))
            self.probe_gap, self.step, self.noise = PROBE_SECONDS, PROBE_STEP, 0.0
            self.before, self.share = max(START, ok / 20), self.count(now, 60)[0] / 60
            if streak:
                self._spend(now)
            else:
                self._set(Phase.TRYING, max(self.count(now, 60)[0] / 60, self.before), now)

    def _trying(self, seen: Seen, now: float, wanted: bool) -> None:
        span = now - self.since
        if self._was_window():  # an answer that came late had it taken for one that lets some calls through
            self._settle(max(self.share, 1 / 60), now)
        elif self.streak >= (STREAK if self.trial else STREAK_LIMITED):
            self._spend(now)
        elif self.trial:
            if span >= MEASURE_SECONDS:
                self.trial = ""
                if self.refused > TOO_MUCH * self.ok:
                    self._settle(self.ok / (span - LATE_SECONDS), now)
        elif (
            self.refused >= 4
            and span > LATE_SECONDS
            and beyond(*self.count(now, min(5.0, span - LATE_SECONDS))[:2], 2.0)
        ):
            self.trial = "measure"
            self._set(Phase.TRYING, self.rate, now)
        elif self.rate > 2 * self.peak:
            self._set(Phase.OPEN, 0.0, now)
            self.seconds = []
        elif wanted:
            self.rate += GROWTH * seen.ok

    def _spend(self, now: float) -> None:
        if self.trial == "up":
            self._give_up(now)
        if self.phase is not Phase.OPEN:
            self.before = max(START, 0.7 * self.rate)
        self.was_steady = self.phase is Phase.STEADY
        self.share = self.count(now, 60)[0] / 60
        self.gap, self.trial = GAP_SECONDS, ""
        self._set(Phase.SPENT, 1 / self.gap, now)
        self.held_until = max(self.held_until, now + self.gap)

    def _spent(self, seen: Seen, now: float) -> None:
        if seen.ok:
            if self._was_window():
                self._settle(max(self.share, 1 / 60), now)
            elif self.was_steady:
                self._settle(self.ceiling, now)
            else:
                self._set(Phase.TRYING, self.before, now)
        elif seen.refused and now >= self.held_until:
            self.gap = min(GAP_LONGEST, 1.5 * self.gap)
            self.rate = 1 / self.gap
            self.held_until = now + self.gap

    def _was_window(self) -> bool:
        """Whether it answers again after refusing everything for so long that it must count by the minute."""
        return self.silence > max(WINDOW_SECONDS, STREAK_LIMITED / self.before)

    def _settle(self, ceiling: float, now: float) -> None:
        """From now on a little less than that."""
        self.ceiling = self.found = ceiling
        self.probe_at = now + self.probe_gap
        self.trial, self.step = "", PROBE_STEP
        self._set(Phase.STEADY, NEAR * ceiling, now)

    def _set(self, phase: Phase, rate: float, now: float) -> None:
        self.phase, self.rate, self.changed = phase, rate, now
        self._observe(now)

    def _observe(self, now: float) -> None:
        self.since = now
        self.ok = self.refused = self.streak = 0

    def _steady(self, now: float, wanted: bool) -> None:
        span, ended = now - self.since, self.ok + self.refused
        share = self.refused / ended if ended else 0.0
        if self.streak >= STREAK_LIMITED:
            self._spend(now)
        elif now - self.refused_at > FADE_SECONDS or self.rate > FADE_FACTOR * max(self.found, START):
            self._set(Phase.OPEN, 0.0, now)
        elif self.trial == "up":
            if self.refused >= 2 and share > SPARSE / 2 + 2 * self.noise:
                self._spend(now)
            elif span > PROBE_SECONDS:
                self.probe_at = now + (self.probe_gap if self.rate <= self.ceiling else 0.0)
                self.ceiling = max(self.ceiling, self.rate)
                self.step = min(1.0, 2 * self.step)
                self._try("", self.rate, now)
        elif self.trial == "down":
            if span > TEST_SECONDS and ended >= 10:
                if share < self.share / 2:
                    self.ceiling = self.rate / NEAR
                    self._try("", self.rate, now)
                else:
                    self.noise = self.share
                    self._try("", self.before, now)
                self.probe_at = now + self.probe_gap
        elif span > TEST_SECONDS and self.refused >= 3 and share > max(SPARSE, 2 * self.noise):
            self.before, self.share = self.rate, share
            self._try("down", max(self.rate / 2, min(self.rate, NEAR * self.ok / (span - LATE_SECONDS))), now)
        elif wanted and now >= self.probe_at:
            self._try("up", self.rate * (1 + self.step), now)

    def _give_up(self, now: float) -> None:
        """More is not allowed; that is tried again, but later."""
        self.probe_gap = min(PROBE_LONGEST, 2 * self.probe_gap)
        self._try("", NEAR * self.ceiling, now)
        self.probe_at, self.step = now + self.probe_gap, PROBE_STEP

    def _try(self, trial: str, rate: float, now: float) -> None:
        self.trial = trial
        self._set(Phase.STEADY, rate, now)


def beyond(ok: int, refused: int, deviations: float) -> bool:
    """Return whether more calls were refused than chance explains, by so many standard deviations."""
    calls = ok + refused
    return refused - CHANCE * calls > deviations * sqrt(calls * CHANCE * (1 - CHANCE))
