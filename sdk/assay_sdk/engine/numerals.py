"""Reading the number that a text ends on, exactly, as a person would. What has two readings has none.

The last numeral of a text counts: digits together with the marks that join them. It is a number if it is an integer
or a decimal, perhaps with thousands set apart (1,250), an exponent (2e3), or a fraction (3/4, 1 1/2). Anything else
(a date, a time, a range 3-5, a version 1.2.3, 1,25) is no single number.
"""

import re
from collections import deque
from decimal import Decimal, InvalidOperation
from fractions import Fraction

MOST_DIGITS = 1000
LARGEST_EXPONENT = 2000  # a short text must not become a number that fills the memory

_JOINT = r"[.,:'’_\u00a0\u202f]+ | \s?/\s? | [\-–−] | [eE][+\-−]?"
_NUMERAL = re.compile(rf"(?: (?<![^\W\d_]) \.{{1,9}} )? \d+ (?: (?:{_JOINT}) \d+ )*", re.VERBOSE)
_GROUPED = r" | ".join(rf"\d{{1,3}} (?: {mark} \d{{3}} )+" for mark in (",", "['’]", "_", r"[\u00a0\u202f]"))
_DECIMAL = rf"(?: {_GROUPED} | \d+ )? (?: \.\d+ )?"
_NUMBER = re.compile(rf"{_DECIMAL} (?: [eE][+\-−]?\d+ )?", re.VERBOSE)
_FRACTION = re.compile(rf"({_DECIMAL}) \s?/\s? ({_DECIMAL})", re.VERBOSE)
_BEFORE_FRACTION = re.compile(r"(?:^|[^\w.,/:])(\d{1,3}) $")
_SIGN = re.compile(r"(?:^|[^\w)\]])([+\-−])[$€£¥]?$|[$€£¥]([+\-−])$")
_SEEN_BEFORE = 8  # enough for a sign, a currency, and the whole number in front of a fraction


def number_in(text: str) -> Fraction | None:
    """The last number of a text, or None if there is none, or what stands last is no single number."""
    last = next(iter(deque(_NUMERAL.finditer(text), maxlen=1)), None)
    if last is None or text[last.end() : last.end() + 1].isnumeric():  # 10², 1½
        return None
    before = text[max(0, last.start() - _SEEN_BEFORE) : last.start()]
    if _NUMBER.fullmatch(last[0]):
        value = _exactly(last[0])
    elif fraction := _FRACTION.fullmatch(last[0]):
        over, under = _exactly(fraction[1]), _exactly(fraction[2])
        value = over / under if over is not None and under else None
        if value is not None and before[-1:] == " " and before[-2:-1].isdecimal():  # 1 1/2, but not: in 2031 3/4 of…
            whole = _BEFORE_FRACTION.search(before)
            value, before = (value + int(whole[1]), before[: whole.start(1)]) if whole and value < 1 else (None, before)
    else:
        value = None
    sign = _SIGN.search(before)
    return -value if value is not None and sign and (sign[1] or sign[2]) != "+" else value


def exact(value: int | float) -> Fraction | None:
    """A number as it is written, not as a float holds it; None for what is not finite."""
    return Fraction(value) if isinstance(value, int) else _exactly(repr(value))


def _exactly(numeral: str) -> Fraction | None:
    plain = re.sub(r"[,'’_\u00a0\u202f]", "", numeral).replace("−", "-")
    if len(plain) > MOST_DIGITS:
        return None
    try:
        number = Decimal(plain)
    except InvalidOperation:  # an exponent beyond all bounds
        return None
    return Fraction(number) if number.is_finite() and abs(number.adjusted()) < LARGEST_EXPONENT else None
