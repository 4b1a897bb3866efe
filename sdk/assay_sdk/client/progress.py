"""A progress bar in a terminal; plain lines, and few, elsewhere."""

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

REDRAW_SECONDS = 0.1
LINE_SECONDS = 5.0
PACE_SECONDS = 0.5
"""Before that a rate would be a guess."""


class Progress:
    """Shows how far something is: rows done, rate, time left. Writes to stderr, so that output can be piped."""

    def __init__(
        self, title: str, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.title = title
        self._stream = stream or sys.stderr
        self._clock = clock
        self._terminal = self._stream.isatty()
        self._first: tuple[float, int] | None = None
        self._shown = float("-inf")
        self._text = ""
        self._note = ""

    def show(self, done: int, total: int | None, note: str = "") -> None:
        """Show the state; ``note`` is said instead of the bar while the number of rows is not known."""
        now = self._clock()
        if self._first is None and done:
            self._first = (now, done)
        changed, self._note = note != self._note, note
        finished = total is not None and done >= total
        if not (changed or finished) and now - self._shown < (REDRAW_SECONDS if self._terminal else LINE_SECONDS):
            return
        text = self.line(done, total, note)
        if text != self._text:
            self._write(text)
            self._shown, self._text = now, text

    def line(self, done: int, total: int | None, note: str = "") -> str:
        """Return the state in one line."""
        if not total:
            rows = f"{done} rows" if done else ""
            return "  ".join(part for part in (self.title, note, rows) if part)
        share = min(1.0, done / total)
        parts = [self.title, f"{bar(share)} {share:4.0%}", f"{done}/{total} rows", *self._pace(done, total)]
        return "  ".join(parts)

    def _pace(self, done: int, total: int) -> list[str]:
        if self._first is None or done <= self._first[1]:
            return []
        seconds = self._clock() - self._first[0]
        if seconds < PACE_SECONDS:
            return []
        rate = (done - self._first[1]) / seconds
        left = (total - done) / rate
        return [f"{rate:.1f} rows/s", *([f"{duration(left)} left"] if done < total else [])]

    def close(self, note: str) -> None:
        """End the bar with a last line."""
        self._write(f"{self.title}  {note}")
        if self._terminal:
            self._stream.write("\n")
            self._stream.flush()

    def _write(self, text: str) -> None:
        if self._terminal:
            self._stream.write("\r\x1b[K" + text[: shutil.get_terminal_size().columns - 1])
        else:
            self._stream.write(text + "\n")
        self._stream.flush()


class Silence(Progress):
    """Shows nothing."""

    def _write(self, text: str) -> None:
        pass

    def close(self, note: str) -> None:
        """End without a word."""


def progress_for(title: str, wanted: bool) -> Progress:
    """Return something to report progress to."""
    return Progress(title) if wanted else Silence(title)


def bar(share: float, width: int = 20) -> str:
    """Return a share from 0 to 1 as a bar."""
    full = round(share * width)
    return "█" * full + "░" * (width - full)


def duration(seconds: float) -> str:
    """Return a duration as people say it: ``8 s``, ``3 min 20 s``, ``2 h 5 min``."""
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
