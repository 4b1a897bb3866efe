"""The progress bar: a line that is redrawn in a terminal, few lines elsewhere."""

import io

import pytest

from assay_sdk.client.progress import Progress, bar, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (-1, "0 s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_bars() -> None:
    assert bar(0, 4) == "░░░░"
    assert bar(0.5, 4) == "██░░"
    assert bar(1, 4) == "████"


def test_rate_and_time_left() -> None:
    clock, stream = Clock(), Terminal()
    progress = Progress("job", stream=stream, clock=clock)
    progress.show(0, 100)
    progress.show(10, 100)
    clock.now = 2.0
    progress.show(30, 100)
    assert stream.getvalue().endswith("job  ██████░░░░░░░░░░░░░░  30%  30/100 rows  10.0 rows/s  7 s left")
    progress.close("done")
    assert stream.getvalue().endswith("\r\x1b[Kjob  done\n")


def test_before_the_rows_are_counted_the_state_is_told() -> None:
    assert Progress("job").line(0, None, "waiting for a worker") == "job  waiting for a worker"
    assert Progress("job").line(3, None, "judging") == "job  judging  3 rows"


def test_elsewhere_than_in_a_terminal_lines_are_few_and_plain() -> None:
    clock, stream = Clock(), io.StringIO()
    progress = Progress("job", stream=stream, clock=clock)
    for done in range(101):
        clock.now += 0.2
        progress.show(done, 100)
    lines = stream.getvalue().splitlines()
    assert 4 <= len(lines) <= 7
    assert "\r" not in stream.getvalue() and "\x1b" not in stream.getvalue()
    assert "100/100 rows" in lines[-1]


def test_a_terminal_is_not_flooded() -> None:
    clock, stream = Clock(), Terminal()
    progress = Progress("job", stream=stream, clock=clock)
    for done in range(1000):
        clock.now += 0.001
        progress.show(done, 10_000)
    assert stream.getvalue().count("\r") <= 12
