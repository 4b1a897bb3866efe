"""The text form of a filter, ``name:"x" AND (size>=3 OR -status IN (a, b))``, read into the JSON form.

any   = all ("OR" all)*
all   = one (["AND"] one)*
one   = "-" one | "(" any ")" | field (":" | "~" | ">" | ">=" | "<" | "<=") value | field ["NOT"] "IN" "(" values ")"
"""

import re
from typing import Any

from assay.platform.errors import BadRequest

TOKEN = re.compile(
    r"""\s*(?:
        "(?P<quoted>(?:[^"\\]|\\.)*)"
      | (?P<sign>>=|<=|[:~<>(),])
      | (?P<minus>-(?=[A-Za-z_("]))
      | (?P<word>[^\s:~<>(),"]+)
    )""",
    re.VERBOSE | re.DOTALL,
)
OPERATORS = {":": "$eq", "~": "$like", ">": "$gt", ">=": "$gte", "<": "$lt", "<=": "$lte"}
DEEPEST = 20

Token = tuple[str, str]
END: Token = ("end", "")


def read_text(text: str) -> dict[str, Any]:
    """Return the JSON form of a filter in text form; raises ``BadRequest``."""
    reader = _Reader(text)
    found = reader.any_of(0)
    if reader.next != END:
        raise reader.unexpected()
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._split()
        self.position = 0

    def _split(self) -> list[Token]:
        tokens: list[Token] = []
        text, at = self.text.rstrip(), 0
        while at < len(text):
            match = TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise BadRequest(f"Invalid filter expression at position {at}: {text[at : at + 40]}")
            kind, value = match.lastgroup, match[match.lastgroup]
            tokens.append((kind, re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL) if kind == "quoted" else value))
            at = match.end()
        return tokens

    @property
    def next(self) -> Token:
        return self.tokens[self.position] if self.position < len(self.tokens) else END

    def take(self) -> Token:
        token = self.next
        self.position += 1
        return token

    def took(self, *wanted: Token) -> bool:
        """Step over the tokens if they come next, keywords in either case."""
        found = self.tokens[self.position : self.position + len(wanted)]
        same = [(kind, value.upper()) for kind, value in found] == list(wanted)
        self.position += len(wanted) if same else 0
        return same

    def unexpected(self) -> BadRequest:
        kind, value = self.next
        what = "it ends too early" if kind == "end" else f"'{value[:40]}' is not expected there"
        return BadRequest(f'Invalid filter expression: {what}. Write it as name:"value" AND other>3')

    def any_of(self, depth: int) -> dict[str, Any]:
        parts = [self.all_of(depth)]
        while self.took(("word", "OR")):
            parts.append(self.all_of(depth))
        return parts[0] if len(parts) == 1 else {"$or": parts}

    def all_of(self, depth: int) -> dict[str, Any]:
        parts = [self.one(depth)]
        while self.took(("word", "AND")) or self._another():
            parts.append(self.one(depth))
        return parts[0] if len(parts) == 1 else {"$and": parts}

    def _another(self) -> bool:
        kind, value = self.next
        return kind in {"word", "quoted", "minus"} and value.upper() != "OR" or (kind, value) == ("sign", "(")

    def one(self, depth: int) -> dict[str, Any]:
        if depth > DEEPEST:
            raise BadRequest(f"The filter is nested more than {DEEPEST} deep.")
        if self.took(("minus", "-")):
            return {"$not": self.one(depth + 1)}
        if self.took(("sign", "(")):
            inside = self.any_of(depth + 1)
            if not self.took(("sign", ")")):
                raise self.unexpected()
            return inside
        return self.comparison()

    def comparison(self) -> dict[str, Any]:
        if self.next[0] != "word":
            raise self.unexpected()
        field = self.take()[1]
        if self.took(("word", "NOT"), ("word", "IN")):
            return {field: {"$nin": self.values()}}
        if self.took(("word", "IN")):
            return {field: {"$in": self.values()}}
        if self.next[0] != "sign" or self.next[1] not in OPERATORS:
            raise self.unexpected()
        operator = OPERATORS[self.take()[1]]
        return {field: {operator: self.value()}}

    def values(self) -> list[str]:
        if not self.took(("sign", "(")):
            raise self.unexpected()
        found = [self.value()]
        while self.took(("sign", ",")):
            found.append(self.value())
        if not self.took(("sign", ")")):
            raise self.unexpected()
        return found

    def value(self) -> str:
        """Return a quoted value, or an unquoted one, which may hold colons (a time does) but no space."""
        if self.next[0] == "quoted":
            return self.take()[1]
        found = "-" if self.took(("minus", "-")) else ""
        if self.next[0] != "word":
            raise self.unexpected()
        found += self.take()[1]
        while self.next == ("sign", ":"):
            found += self.take()[1]
            if self.next[0] == "word":
                found += self.take()[1]
        return found
