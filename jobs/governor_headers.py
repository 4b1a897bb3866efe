"""What servers say about their limits in the headers of a reply: a part of the rate governor."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

MINUTE = 60.0
LARGEST, LONGEST = 1e15, 366 * 86400.0
"""What is beyond them (calls, seconds) was not meant, or not meant well."""
LONGEST_VALUE = 500
"""Characters of a header that are read."""
SCARCE, PLENTY = 0.5, 0.9
"""Below the first part of its calls a window is scarce, until it is back above the second."""
KINDS = ("requests", "tokens")
SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
PARAMETER = re.compile(r";\s*([a-z]+)\s*=\s*(\d+)")


@dataclass(frozen=True, slots=True)
class Window:
    """So many calls (or tokens) within a period, and how many are left of them."""

    limit: float
    period: float
    remaining: float
    reset: float
    """Seconds until all are there again."""
    at: float = 0.0
    """When it was said, by the store's clock."""
    scarce: bool = False

    def after(self, earlier: "Window | None", now: float) -> "Window":
        """Return the same as it takes the place of an earlier one."""
        return replace(
            self, at=now, scarce=self.is_scarce(PLENTY if earlier is not None and earlier.scarce else SCARCE)
        )

    def is_scarce(self, part: float = SCARCE) -> bool:
        """Return whether less than that part of it is left."""
        return self.remaining < part * self.limit


def windows_of(headers: Mapping[str, str]) -> dict[str, Window]:
    """Return what a reply says of "requests" and of "tokens"; nothing where it says nothing that can be understood."""
    headers = {name: value[:LONGEST_VALUE] for name, value in headers.items() if "ratelimit" in name}
    try:
        found = {kind: window for kind in KINDS if (window := _by_vendor(headers, kind))}
        if "requests" not in found and (window := _by_standard(headers)):
            found["requests"] = window
        return found
    except (ValueError, KeyError):  # no number, or only a part of what belongs together
        return {}


def _by_vendor(headers: Mapping[str, str], kind: str) -> Window | None:
    """Return what ``x-ratelimit-…-requests`` (or tokens) says; its period is a minute, unless that cannot be."""
    if f"x-ratelimit-limit-{kind}" not in headers:
        return None
    limit, remaining = (float(headers[f"x-ratelimit-{name}-{kind}"]) for name in ("limit", "remaining"))
    reset = seconds_of(headers.get(f"x-ratelimit-reset-{kind}", "60s"))
    period = MINUTE
    if reset > MINUTE and remaining < limit:
        period = reset * limit / (limit - remaining)  # such windows fill up steadily
    return _sound(Window(limit, period, remaining, reset))


def _by_standard(headers: Mapping[str, str]) -> Window | None:
    """Return what the IETF's ``RateLimit`` fields say, in the form of the last draft or of those before."""
    policy = headers.get("ratelimit-policy", "")
    said = dict(PARAMETER.findall(policy))
    if "ratelimit" in headers:
        left = dict(PARAMETER.findall(headers["ratelimit"]))
        if not {"q", "w"} <= said.keys() or "r" not in left:
            return None
        period = float(said["w"])
        return _sound(Window(float(said["q"]), period, float(left["r"]), float(left.get("t", period))))
    if "ratelimit-limit" in headers and "ratelimit-remaining" in headers:
        limit = float(re.split("[,;]", headers["ratelimit-limit"])[0])
        period = float(dict(PARAMETER.findall(headers["ratelimit-limit"])).get("w") or said.get("w") or MINUTE)
        reset = float(headers.get("ratelimit-reset", period))
        return _sound(Window(limit, period, float(headers["ratelimit-remaining"]), reset))
    return None


def _sound(window: Window) -> Window | None:
    sound = 1 <= window.limit < LARGEST and 0 < window.period < LONGEST and 0 <= window.reset < LONGEST
    return window if sound and 0 <= window.remaining <= window.limit else None


def seconds_of(span: str) -> float:
    """Return a span such as ``1s``, ``6m0s``, ``20ms`` or ``59.7`` in seconds; raises ``ValueError``."""
    parts = SPAN.findall(span)
    return sum(float(number) * SECONDS[unit] for number, unit in parts) if parts else float(span)
