"""Fuzzing: targets that take any bytes, cases made of their seeds, and what is held against each case.

A case may be refused by the target's own errors. Anything else that is raised is a finding, and so is a case that
works for more than two seconds, or takes half a gigabyte.
"""

import re
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

SECONDS = 2.0
"""Of work on one case; what a busy machine does beside it does not count."""
MEGABYTES = 512
LONGEST = 200_000
"""Bytes of a case that is made."""
POOL = 300
"""Cases that led to something new, and are changed further."""
FOUND = Path(__file__).with_name("found")
LARGEST_KEPT = 64 * 1024

Run = Callable[[bytes], object]
"""Takes a case; what it returns tells one outcome from another."""


@dataclass(frozen=True)
class Target:
    """Something of ours that reads what others wrote."""

    name: str
    run: Run
    seeds: tuple[bytes, ...]
    refusals: tuple[type[Exception], ...] = ()
    """What it may raise."""
    words: tuple[bytes, ...] = ()
    """What is put into cases, beside what any format may stumble over."""
    make: Callable[[Random], bytes] | None = None
    """Makes a case from nothing, by a grammar."""
    database: bool = False
    children: bool = False
    """Whether each case starts a process: then there are few in a second."""


@dataclass(frozen=True)
class Finding:
    target: str
    what: str
    case: bytes

    def __str__(self) -> str:
        shown = repr(self.case[:300]) + (f"… ({len(self.case):,} bytes)" if len(self.case) > 300 else "")
        return f"{self.target}: {self.what}\n  case: {shown}"

    def keep(self, folder: Path = FOUND) -> Path:
        """Write the case down as a seed of its target; the first 64 KiB of a long one."""
        place = folder / self.target / f"{sha256(self.case).hexdigest()[:12]}.bin"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(self.case[:LARGEST_KEPT])
        return place


class Hangs(BaseException):
    """A case does not come to an end."""


def try_case(target: Target, case: bytes) -> tuple[str, Finding | None]:
    """Run a case; returns what became of it in a few words, and what is wrong with that, if anything is."""
    before, began = _peak(), time.process_time()
    try:
        with _limited():
            outcome = f"gave {target.run(case)!s:.60}"
    except target.refusals as refusal:
        outcome = f"{type(refusal).__name__} {refusal!s:.60}"
    except Hangs:
        return "hangs", Finding(target.name, f"it hangs: more than {2 * SECONDS:g} s of work", case)
    except Exception as error:
        place = _place(error)
        return f"{type(error).__name__} {place}", Finding(
            target.name, f"{type(error).__name__} at {place}: {error!s:.200}", case
        )
    spent, grown = time.process_time() - began, _peak() - before
    if spent > SECONDS:
        return outcome, Finding(target.name, f"it takes {spent:.1f} s of work", case)
    if grown > MEGABYTES:
        return outcome, Finding(target.name, f"it takes {grown:.0f} MB", case)
    return re.sub(r"\d+", "0", outcome), None


@contextmanager
def _limited() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # signals reach the first one only
        yield
        return
    before = signal.signal(signal.SIGPROF, _hang)
    signal.setitimer(signal.ITIMER_PROF, 2 * SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _hang(number: int, frame: FrameType | None) -> None:
    raise Hangs


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _place(error: BaseException) -> str:
    trace, places = error.__traceback__, []
    while trace:
        code = trace.tb_frame.f_code
        places.append(f"{Path(code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " ".join(places[-3:])


# Cases


def listed(text: bytes) -> tuple[bytes, ...]:
    """What stands in a text, one after the other; ``_`` stands for a blank."""
    return tuple(part.replace(b"_", b" ") for part in text.split())


INTERESTING = (
    *(b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\r", b"\n", b"\r\n", b"\t"),
    *("é".encode(), "\u2028".encode(), "\u202e".encode(), "💥".encode(), "ﷺ".encode(), b"9" * 30, b"9" * 5000),
    *listed(
        rb"""\ud800 \u0000 _ " ' \ / .. ../ %00 %2e%2e%2f % { } [ ] ( ) < > , : ; = + - @ # $ * ? | ~ null true NaN"""
    ),
    *listed(rb"""Infinity -0 0 1e999 2147483648 9223372036854775808 -1 0.1 {} [] "" <script> {{ }} {% %}"""),
)
NUMBERS = (0, 1, -1, 2, 10, 100, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, 10**30)


@dataclass
class Cases:
    """Makes cases for a target, from its seeds and from what turned out to be new."""

    target: Target
    rng: Random
    pool: list[bytes] = field(init=False)
    outcomes: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.pool = list(self.target.seeds)

    def next(self) -> bytes:
        if self.target.make is not None and self.rng.random() < 0.5:
            case = self.target.make(self.rng)
            return case if self.rng.random() < 0.7 else self._changed(case)
        return self._changed(self.rng.choice(self.pool))

    def saw(self, case: bytes, outcome: str) -> None:
        """Keep a case whose outcome is new, to go on from there."""
        if outcome not in self.outcomes:
            self.outcomes.add(outcome)
            if len(self.pool) < POOL:
                self.pool.append(case)
            else:
                self.pool[self.rng.randrange(len(self.target.seeds), POOL)] = case

    def _changed(self, case: bytes) -> bytes:
        data = bytearray(case)
        for _ in range(1 + min(int(self.rng.expovariate(0.5)), 12)):
            self.rng.choice(CHANGES)(self, data)
        return bytes(data[:LONGEST])

    def _span(self, data: bytearray, longest: int = 200) -> tuple[int, int]:
        start = self.rng.randrange(len(data) + 1)
        return start, min(len(data), start + 1 + int(self.rng.expovariate(8 / longest)))

    def flip(self, data: bytearray) -> None:
        if data:
            data[self.rng.randrange(len(data))] ^= 1 << self.rng.randrange(8)

    def overwrite(self, data: bytearray) -> None:
        if data:
            data[self.rng.randrange(len(data))] = self.rng.randrange(256)

    def delete(self, data: bytearray) -> None:
        start, stop = self._span(data)
        del data[start:stop]

    def double(self, data: bytearray) -> None:
        start, stop = self._span(data)
        data[start:start] = data[start:stop]

    def word(self, data: bytearray) -> None:
        words = self.target.words or INTERESTING
        start, stop = self._span(data)
        chosen = self.rng.choice(words if self.rng.random() < 0.6 else INTERESTING)
        data[start : stop if self.rng.random() < 0.4 else start] = chosen

    def repeat(self, data: bytearray) -> None:
        start, stop = self._span(data, 16)
        piece = bytes(data[start:stop]) if self.rng.random() < 0.5 else self.rng.choice(INTERESTING)
        data[start:start] = piece * self.rng.choice((2, 10, 100, 1_000, 20_000))
        del data[LONGEST:]

    def number(self, data: bytearray) -> None:
        found = list(re.finditer(rb"\d+", data[:20_000]))
        if found:
            place = self.rng.choice(found)
            data[place.start() : place.end()] = str(self.rng.choice(NUMBERS)).encode()

    def splice(self, data: bytearray) -> None:
        other = self.rng.choice(self.pool)
        start, stop = sorted(self.rng.randrange(len(other) + 1) for _ in range(2))
        at, until = self._span(data)
        data[at:until] = other[start:stop]

    def swap(self, data: bytearray) -> None:
        start, stop = self._span(data)
        piece = bytes(data[start:stop])
        del data[start:stop]
        at = self.rng.randrange(len(data) + 1)
        data[at:at] = piece

    def cut(self, data: bytearray) -> None:
        if self.rng.random() < 0.3:
            del data[self.rng.randrange(len(data) + 1) :]


CHANGES: tuple[Callable[[Cases, bytearray], None], ...] = (
    Cases.flip, Cases.overwrite, Cases.delete, Cases.double, Cases.word, Cases.word, Cases.repeat, Cases.number,
    Cases.splice, Cases.swap, Cases.cut,
)  # fmt: skip


def fuzz(
    target: Target, seed: int, seconds: float, *, most: int = 10_000, note: Callable[[bytes], Any] = len
) -> Iterator[Finding | None]:
    """Try what was found before and up to ``most`` seeds, then new cases for so long; yields what becomes of each.

    ``note`` is told of each case before.
    """
    cases = Cases(target, Random(f"{target.name} {seed}"))
    found = [place.read_bytes() for place in sorted((FOUND / target.name).glob("*.bin"))]
    until = time.monotonic() + seconds
    for case in (*found, *cases.rng.sample(target.seeds, min(most, len(target.seeds)))):
        note(case)
        outcome, finding = try_case(target, case)
        cases.saw(case, outcome)
        yield finding
    while time.monotonic() < until:
        case = cases.next()
        note(case)
        outcome, finding = try_case(target, case)
        cases.saw(case, outcome)
        yield finding
