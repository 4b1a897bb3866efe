"""What every script of this suite shares: what to expect of a reply, and running steps one after another.

The scripts run inside a client's own environment, which holds nothing of this project but this folder's files.
Each prints one JSON line a step:
``{"step", "outcome": "passed" | "failed" | "skipped", "seconds", …facts or "error"}``.
"""

import argparse
import json
import time
import traceback
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

Step = Callable[[Any], dict[str, Any] | None]


class Broken(AssertionError):
    """The platform answered, and the answer is not what this client's user was promised."""


def expect(holds: bool, otherwise: str) -> None:
    """Fail the step with ``otherwise`` unless ``holds``."""
    if not holds:
        raise Broken(otherwise)


def expect_equal(got: object, wanted: object, what: str) -> None:
    expect(got == wanted, f"{what}: got {got!r:.500}, wanted {wanted!r:.500}")


def expect_refused(status: int, call: Callable[[], object], error: type[Exception] = Exception) -> str:
    """The call must raise ``error`` because of this HTTP status; returns the platform's words."""
    try:
        call()
    except error as refused:
        expect_equal(http_status(refused), status, f"status behind {type(refused).__name__}")
        return str(refused)
    except Exception as other:
        raise Broken(f"wanted {error.__name__}, got {type(other).__name__}: {other}") from other
    raise Broken(f"wanted a refusal with status {status}, but the call succeeded")


def http_status(error: BaseException) -> int | None:
    """The HTTP status behind an error; the resources of one client raise three unrelated families of errors."""
    if (status := getattr(error, "status_code", None)) is not None:
        return int(status)
    return getattr(getattr(error, "response", None), "status_code", None)


def judge_calls(judge_url: str) -> int:
    """How many completions the stand-in judge has answered so far."""
    with urllib.request.urlopen(judge_url.removesuffix("/v1") + "/stats", timeout=10) as reply:
        return int(json.load(reply)["calls"])


def take(steps: Iterable[tuple[Step, tuple[Step, ...]]], lesson: object, secret: str) -> int:
    """Take every step, printing its line without the secret; returns the exit status, 0 only if no step failed."""
    failed = 0
    for line in attend(steps, lesson):
        failed += line["outcome"] == "failed"
        print(json.dumps(line, default=str).replace(secret, "***"), flush=True)
    return 1 if failed else 0


def attend(steps: Iterable[tuple[Step, tuple[Step, ...]]], lesson: object) -> Iterator[dict[str, Any]]:
    """Run every step whose needs are met; a failed step does not end the lesson, so one run shows every mismatch."""
    done: set[Step] = set()
    for step, needs in steps:
        line: dict[str, Any] = {"step": step.__name__, "outcome": "skipped"}
        if missing := [need.__name__ for need in needs if need not in done]:
            yield line | {"error": f"needs {', '.join(missing)}"}
            continue
        began = time.monotonic()
        try:
            line |= {"outcome": "passed"} | (step(lesson) or {})
            done.add(step)
        except Exception as error:
            if isinstance(error, Broken):
                done.add(step)  # it made its thing, though not quite as promised: others can go on from there
            line |= {"outcome": "failed", "error": explain(error), "at": place(error)}
        yield line | {"seconds": round(time.monotonic() - began, 2)}


def explain(error: Exception) -> str:
    """The error with its cause and the platform's reply: some of the client's errors keep both to themselves."""
    told = f"{type(error).__name__}: {error}"
    if error.__cause__:
        told += f" ({error.__cause__})"
    response = getattr(error, "response", None)
    try:
        reply = getattr(response, "text", "")
    except Exception:  # a streamed reply that nobody read
        reply = ""
    return f"{told} reply: {reply[:500]}" if reply else told


def place(error: Exception) -> str:
    """The line of the step that failed, however deep inside the client the error arose."""
    here = Path(__file__).resolve().parent
    frames = [one for one in traceback.extract_tb(error.__traceback__) if here in Path(one.filename).resolve().parents]
    own = [one for one in frames if Path(one.filename).name != Path(__file__).name]
    last = (own or frames)[-1]
    return f"{last.name}: {last.line}"


def arguments(doc: str | None) -> argparse.Namespace:
    """What the driver tells every script."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--base-url", required=True, help="the platform")
    parser.add_argument("--judge-url", required=True, help="the stand-in judge, up to and including /v1")
    parser.add_argument("--hub-url", required=True, help="the stand-in for huggingface.co")
    parser.add_argument("--hub-revision", required=True, help="the commit that main stands for on that hub")
    parser.add_argument("--dataset", required=True, type=Path, help="the rows of validation.jsonl.gz, not compressed")
    parser.add_argument("--workspace", required=True, help="a workspace (or namespace) that no other script uses")
    return parser.parse_args()
