"""Numbers, times and states as people read them."""

import json
import math
from datetime import UTC, datetime
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()
NOTHING = "–"
TONES = {
    "completed": "good", "error": "bad", "cancelled": "warn", "cancelling": "warn", "paused": "warn", "pausing": "warn",
    "created": "calm", "pending": "calm", "active": "calm",
}  # fmt: skip
"""Of a job's states."""


@register.filter
def number(value: float | None) -> str:
    """Return a count or a measure in few digits: 12,345 or 0.8312; a dash for none."""
    if value is None:
        return NOTHING
    if isinstance(value, float) and not math.isfinite(value):
        return NOTHING
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"


@register.filter
def percent(share: float | None) -> str:
    """Return a share of one as a percentage."""
    return NOTHING if share is None else f"{100 * share:.3g} %"


@register.filter
def duration(seconds: float | None) -> str:
    """Return seconds as people say them: 0.34 s, 12 s, 3 min 20 s, 2 h 5 min."""
    if seconds is None:
        return NOTHING
    if seconds < 10:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


@register.filter
def size(octets: float | None) -> str:
    """Return bytes in the unit that fits: 812 B, 3.4 MB."""
    if octets is None:
        return NOTHING
    amount = float(octets)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:,.3g} TB"


@register.filter
def money(dollars: float | None) -> str:
    """Return an amount of US dollars, with as many digits as it needs."""
    if dollars is None:
        return NOTHING
    return f"${dollars:,.2f}" if dollars == 0 or dollars >= 0.995 else f"${dollars:.4f}"


@register.filter
def when(moment: datetime | None) -> SafeString | str:
    """Return the moment as an element that `shell.js` writes in the reader's own time; the exact one is its title."""
    if moment is None:
        return NOTHING
    utc = moment.astimezone(UTC)
    exact = f"{utc:%Y-%m-%d %H:%M:%S}.{utc.microsecond // 1000:03} UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', utc.isoformat(), exact, f"{utc:%Y-%m-%d %H:%M} UTC")


@register.filter
def state(word: str) -> SafeString:
    """Return a job's state as a tag in the colour of its meaning."""
    return format_html('<span class="tag {}">{}</span>', TONES.get(str(word), ""), word)


@register.filter
def chart(figure: dict[str, Any]) -> str:
    """Return a chart of `charts.py` for the attribute that `charts.js` reads."""
    return json.dumps(figure)


@register.filter
def pretty(value: Any) -> str:
    """Return JSON to read."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
