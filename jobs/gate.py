"""What stands between a shard's run and an endpoint: the job's budget, and what the endpoint allows to all jobs.

Where nothing limits the endpoint a call passes at once, and the governor is only told now and then how calls ended.
"""

import asyncio
import contextvars
import json
import logging
import random
import secrets
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from assay.jobs.governor import LAZY_SECONDS, QUICK_SECONDS, Ask, Grant, Limits
from assay.jobs.governor_headers import windows_of
from assay.jobs.governor_learning import Learned, Seen
from assay.jobs.governor_member import Membership
from assay.jobs.governor_stores import store
from assay.jobs.leases import Hold
from assay.jobs.ledger import Ledger, Line, terms_of, tokens_of
from assay.jobs.models import Job, Terms
from assay.jobs.terms import limits_of
from assay.jobs.watch import CallWatch, paused
from assay_sdk.engine.delivery import QUOTA_SPENT
from assay_sdk.engine.endpoint import Endpoint
from assay_sdk.engine.errors import TransportFailure
from assay_sdk.engine.gate import Gate
from assay_sdk.engine.pace import TOO_MANY, Waiting, asked_wait
from assay_sdk.engine.reply import decoded
from assay_sdk.engine.transport import HTTPReply

logger = logging.getLogger(__name__)

URGENT_REFUSALS = 3
"""So many refusals are told at once."""
BYTES_A_TOKEN, ANSWER_TOKENS = 4, 300
"""What a call is taken to cost before the server has counted any."""
PATIENCE_SECONDS, FIRST_PATIENCE_SECONDS = 6 * 3600.0, 900.0
"""After so long without any answer a line's refusals count against its rows; sooner if it never gave one."""
TOLD_AFTER_SECONDS, TOLD_FOR_SECONDS = 1.0, 5.0
"""A job says that it waits once a call has waited for so long, and for so long after the last one that did."""
TOLD_REFUSALS = 4
BASE_SECONDS, LONGEST_SECONDS, LONGEST_ASKED_SECONDS = 0.25, 5.0, 120.0
"""How long a refused call waits that is not paced: at random, up to twice as long with each refusal in a row."""
WAIT_SECONDS = 60.0
OUTCOMES = (TOO_MANY, 503)
SAYING = ("x-ratelimit-limit-requests", "x-ratelimit-limit-tokens", "ratelimit", "ratelimit-limit")

OPEN = Grant(
    limited=False,
    starts=[],
    flight=None,
    again=LAZY_SECONDS,
    next_call=0.0,
    why="",
    rate=float("inf"),
    jobs=1,
    members=1,
    silence=0.0,
    learned=Learned(),
)
"""What holds where the governor itself fails."""

threads = ThreadPoolExecutor(4, "governor")
"""Where the governor's store is asked, beside the event loops."""


@dataclass
class ShardGates:
    """Makes the gates of one shard's run, one for each endpoint."""

    job: Job
    ledger: Ledger
    keys: Mapping[str, str]
    """Which secret each reference stands for, by its id."""
    hold: Hold = field(default_factory=Hold)
    """No call goes out for a shard that may be somebody else's by now."""
    made: list["ShardGate"] = field(default_factory=list)

    def __call__(self, endpoint: Endpoint) -> Gate:
        key = self.keys.get(endpoint.secret or "", endpoint.secret or "")
        gate = ShardGate(endpoint, self.job.uid, key, self.ledger, self.hold, Membership(store()))
        self.made.append(gate)
        return gate

    @property
    def waits_for(self) -> str | None:
        """Why calls wait, in a sentence; None while they do not."""
        return next(filter(None, (gate.waits_for for gate in self.made)), None)

    async def close(self) -> None:
        """Leave the lines, so that nobody waits for this run any more."""
        await asyncio.gather(*(gate.close() for gate in self.made))


@dataclass(eq=False)
class ShardGate:
    """The way of one shard's run to one endpoint. Used from the run's event loop only."""

    endpoint: Endpoint
    job: str
    key: str
    ledger: Ledger
    hold: Hold
    membership: Membership
    name: str = field(default_factory=lambda: secrets.token_hex(8))
    _grant: Grant | None = None
    _granted: float = 0.0
    _due: float = 0.0
    _seen: Seen = field(default_factory=Seen)
    _said: Mapping[str, str] = field(default_factory=dict)
    _in_a_row: int = 0
    """Refusals since the last answer."""
    _size: int = 0
    _flying: int = 0
    _starts: int = 0
    """Calls that may go out now, and are not on their way yet."""
    _queue: deque[tuple[asyncio.Event, float]] = field(default_factory=deque)
    _told_until: float = 0.0
    _by_tokens: bool = False
    """Whether the server limits tokens, by its own word."""
    _polling: asyncio.Task[None] | None = None
    _nudge: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._line = Line(self.endpoint.model[:255], self.endpoint.address[:1024])
        self._watch = CallWatch(self.endpoint)

    async def admit(self, waiting: Waiting, size: int) -> None:
        self._size = size
        if self._grant is None or time.monotonic() >= self._due:
            self._poll()
        if self._grant is None or self._queue or not self._free():
            await self._turn(waiting)
        else:
            self._flying += 1
        try:
            await self.hold.wait(waiting)
            await self.ledger.budget.wait(waiting)
        except BaseException:
            self._flying -= 1
            raise
        self.ledger.budget.in_flight += 1
        self._watch.begins()

    def saw(self, outcome: HTTPReply | TransportFailure) -> float | None:
        self._watch.ended(outcome)
        self.ledger.budget.in_flight -= 1
        self._flying -= 1
        refused = False
        if isinstance(outcome, HTTPReply):
            refused = outcome.status == TOO_MANY and QUOTA_SPENT not in outcome.body
            self._note(outcome, refused)
        self._let_go()
        if not refused or not self._worth_waiting():
            return None
        if self._grant is not None and self._grant.limited:
            return 0.0
        assert isinstance(outcome, HTTPReply)
        drawn = random.uniform(0.0, min(LONGEST_SECONDS, BASE_SECONDS * 2 ** min(self._in_a_row, 10)))
        return max(drawn, min(asked_wait(outcome.headers), LONGEST_ASKED_SECONDS))

    @property
    def waits_for(self) -> str | None:
        """Why calls wait, in a sentence; None while they do not."""
        now = time.monotonic()
        with suppress(IndexError):  # read from another thread
            if now - self._queue[0][1] > TOLD_AFTER_SECONDS:
                self._told_until = now + TOLD_FOR_SECONDS
        grant = self._grant
        if grant is not None and not grant.why and self._in_a_row >= TOLD_REFUSALS:
            return f"Waiting for the {self.endpoint.name}: it answers {TOO_MANY}"
        if grant is None or now > self._told_until or not grant.why:
            return None
        limits = limits_of(self._terms)
        sharing = f"by {grant.jobs} jobs" if grant.jobs > 1 else "by this job"
        used = {
            "requests": f"{limits.requests_per_minute} requests a minute are used up {sharing}",
            "tokens": f"its tokens a minute are used up {sharing}",
            "flight": f"{limits.calls_in_flight} calls at a time are used up {sharing}",
            "learned": f"it takes about {60 * grant.rate:.0f} requests a minute, which are used up {sharing}",
            "held": "it wants to be left alone for a while",
        }[grant.why]
        soon = max(1, round(grant.next_call - (now - self._granted)))
        when = "" if grant.why == "flight" else f"; next call in {soon} s"
        return f"Waiting for the {self.endpoint.name}: {used}{when}"

    async def close(self) -> None:
        """Leave the line."""
        self._watch.close()
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
        if self._grant is not None and (self._grant.limited or self._grant.flight is not None):
            self._queue.clear()
            await self._sync(leaves=True)

    # Calls in and out

    def _free(self) -> bool:
        """Whether a call may go out as far as the governor goes."""
        grant = self._grant
        if grant is None or (grant.flight is not None and self._flying >= grant.flight):
            return False
        return not grant.limited or self._starts > 0

    async def _turn(self, waiting: Waiting) -> None:
        """Return once it is a call's turn; then it is in flight."""
        turn = asyncio.Event()
        place = turn, time.monotonic()
        why = self._grant.why if self._grant is not None else ""
        self._queue.append(place)
        try:
            if len(self._queue) == 1:
                self._hasten()
            with self._watch.waiting():
                while not turn.is_set():
                    await waiting.sleep(WAIT_SECONDS, turn)
        except BaseException:
            if turn.is_set():
                self._flying -= 1
                self._let_go()
            else:
                self._queue.remove(place)
            raise
        paused(why or (self._grant.why if self._grant is not None else ""), time.monotonic() - place[1])

    def _let_go(self) -> None:
        """Let go whoever may."""
        while self._queue and self._free():
            turn, _ = self._queue.popleft()
            self._starts -= bool(self._grant and self._grant.limited)
            self._flying += 1
            turn.set()

    def _start(self) -> None:
        """One more call may go out; one that nobody wants is lost, or calls would come at once later."""
        self._starts = 1
        self._let_go()
        self._starts = 0

    def _note(self, reply: HTTPReply, refused: bool) -> None:
        """Take down what the governor is to be told of a reply."""
        seen, limited = self._seen, self._grant is not None and self._grant.limited
        urgent = refused and limited
        if refused:
            seen.refused += 1
            seen.in_a_row += 1
            self._in_a_row += 1
        elif reply.status < 500:
            seen.ok += 1
            seen.in_a_row = self._in_a_row = 0
        if reply.status in OUTCOMES and (wait := asked_wait(reply.headers)):
            seen.telling += refused
            seen.wait = max(seen.wait, wait)
        if any(name in reply.headers for name in SAYING):
            self._said = reply.headers
            urgent = urgent or (not limited and any(window.is_scarce() for window in windows_of(self._said).values()))
            self._by_tokens = "x-ratelimit-limit-tokens" in reply.headers
        by_tokens = self._by_tokens or ((terms := self._terms) is not None and terms.tokens_per_minute)
        if by_tokens and reply.status < 300 and (counted := tokens_of(decoded(reply.body) or {})):
            seen.counted += 1
            seen.tokens += sum(counted)
        if urgent or seen.refused >= URGENT_REFUSALS:
            self._hasten()

    def _worth_waiting(self) -> bool:
        """Whether a line that refuses calls may be expected to answer some day."""
        grant = self._grant
        if grant is None:
            return True
        return grant.silence < (PATIENCE_SECONDS if grant.learned.answered_at else FIRST_PATIENCE_SECONDS)

    # Talking to the governor

    @property
    def _terms(self) -> Terms | None:
        return terms_of(self.ledger.terms, self._line)

    def _poll(self) -> None:
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._keep_polling())

    def _hasten(self) -> None:
        """Talk to the governor soon."""
        self._due = min(self._due, max(time.monotonic(), self._granted + QUICK_SECONDS))
        self._nudge.set()
        self._poll()

    async def _keep_polling(self) -> None:
        """Talk to the governor for as long as calls wait, or are counted while they are in flight."""
        while True:
            await self._sync()
            grant = self._grant
            assert grant is not None
            limited = grant.limited or grant.flight is not None
            if not (limited and (self._queue or self._flying)):
                return
            while (left := self._due - time.monotonic()) > 0:
                self._nudge.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await self._nudge.wait()

    async def _sync(self, leaves: bool = False) -> None:
        loop = asyncio.get_running_loop()
        terms, limits = self._terms, limits_of(self._terms)
        seen, self._seen = self._seen, Seen()
        waits = len(self._queue)
        if self._grant is not None and self._grant.flight is not None:
            waits = min(waits, max(1, self._grant.flight - self._flying))
        ask = Ask(
            member=self.name,
            job=self.job,
            waits=waits,
            flying=self._flying,
            seen=seen,
            limits=limits,
            windows=windows_of(self._said),
            tokens=self._size / BYTES_A_TOKEN + ANSWER_TOKENS,
            leaves=leaves,
        )
        self._said = {}
        # What all models at an address are allowed they are allowed together.
        model = "" if terms is not None and not terms.model and limits != Limits() else self.endpoint.model
        name = json.dumps([self.endpoint.address, model, self.key])
        began = time.monotonic()
        try:
            context = contextvars.copy_context()  # so that its log lines name the job
            grant = await loop.run_in_executor(threads, context.run, self.membership.sync, name, ask)
        except Exception:  # whatever it is, calls are not to wait for it for ever
            logger.exception("the rate governor failed; calls go on without it")
            grant = OPEN
        self._grant, self._granted = grant, time.monotonic()
        self._due = self._granted + grant.again
        if leaves:
            return
        for start in grant.starts:
            loop.call_later(max(0.0, began + start - self._granted), self._start)
        self._let_go()
