"""When a model's server answers nobody: calls stop but for one probe now and then, until it answers again."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from assay_sdk.engine.pace import Waiting

OnWaiting = Callable[[str | None], None]
"""Is told why a run waits, and None once it goes on."""


@dataclass(slots=True)
class Spell:
    """What is known of one server being away. Shared by all rows that ask it.

    `failures` counts the calls since its last answer that failed as if it was away; a whole `round` of them makes a
    spell. Within a spell one row at a time may call, after a wait that grows from `base` up to `longest` seconds.
    After `patience` seconds the server is given up: `lost`.
    """

    round: int
    patience: float = 600.0
    base: float = 0.25
    longest: float = 5.0
    on_waiting: OnWaiting = lambda why: None
    on: bool = False
    failures: int = 0
    _since: float = 0.0
    _asked: float = 0.0
    _probes: int = 0
    _probing: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def lost(self) -> bool:
        """Whether there is no use in waiting any longer."""
        return self.on and time.monotonic() - self._since > self.patience

    async def passed(self, waiting: Waiting) -> bool:
        """Return when the model may be called; True if this call is the probe, which `hand_on` has to follow."""
        while self.on and not self.lost:
            if self._probing:
                await waiting.sleep(self.patience, self._news)
                continue
            self._probing = True
            try:
                await waiting.sleep(self._gap(), self._news)
            except BaseException:
                self.hand_on()
                raise
            if self.on:
                return True
            self.hand_on()
        return False

    def hand_on(self) -> None:
        """The probe is over: the next row may try, or all of them."""
        self._probing = False
        self._tell()

    def failed(self, why: str, asked: float = 0.0) -> None:
        """A call failed as if the server was away; `asked` is how long it wants to be left alone."""
        if not self.failures:
            self._since = time.monotonic()
        self.failures += 1
        self._asked = asked
        if self.on:
            self._probes += 1
        elif self.failures >= self.round:
            self.begin(why)

    def begin(self, why: str) -> None:
        """From now on it counts as away."""
        self.on, self._probes = True, 0
        self.on_waiting(why)

    def answered(self) -> None:
        """The server said something: whatever it was, it is there."""
        self.failures = 0
        if self.on:
            self.on = False
            self.on_waiting(None)
            self._tell()

    def _gap(self) -> float:
        grown = min(self.longest, self.base * 2.0 ** min(self._probes, 16))
        return max(grown * random.uniform(0.5, 1.0), self._asked)

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
