"""What a text says to a reader who sees through simple disguises: escapes, encodings, look-alike letters."""

import base64
import binascii
import codecs
import html
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

LONGEST = 100_000
"""Characters of a text that are looked at, from either end."""
MOST_SEGMENTS = 20

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_HEX = re.compile(r"\b[0-9a-fA-F]{2}(?:[ :]?[0-9a-fA-F]{2}){7,}\b")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([\"'\\/nrt]))")
_LEET_PAIR = re.compile(r"(?<=[a-zA-Z])[013457@$]|[013457@$](?=[a-zA-Z])")
_SPACED = re.compile(r"\b(?:\w[ .\-_*]){4,}\w\b")
_LEET_WORD = re.compile(r"\b(?=\w*[a-zA-Z])(?=\w*[013457@$])[\w@$]{3,}")
_LEET = str.maketrans("013457@$", "oieastas")
_LIKE_LATIN = str.maketrans("аеорсухіјѕԁһӏԛԝАВЕКМНОРСТХЅІЈαορνικ", "aeopcyxijsdhlqwABEKMHOPCTXSIJaopvik")
_MARKUP = re.compile(r"<!--|-->|[*_`~]{1,3}(?=\w)|(?<=\w)[*_`~]{1,3}")


def views(text: str) -> Iterator[str]:
    """The text, and what it says without each disguise that it shows signs of."""
    if len(text) > 2 * LONGEST:
        text = text[:LONGEST] + "\n" + text[-LONGEST:]
    yield text
    plain = text
    if not text.isascii():
        plain = unicodedata.normalize("NFKC", text)
        plain = "".join(c for c in plain if unicodedata.category(c) not in ("Cf", "Mn")).translate(_LIKE_LATIN)
        yield plain
    if "\\" in plain:
        yield _ESCAPE.sub(_unescaped, plain)
    if "&" in plain and ";" in plain:
        yield html.unescape(plain)
    if "%" in plain and (decoded := unquote(plain)) != plain:
        yield decoded
    yield from _decoded(plain)
    if _SPACED.search(plain):
        yield _SPACED.sub(lambda run: re.sub(r"[ .\-_*]", "", run[0]), plain)
    if _LEET_PAIR.search(plain):
        yield _LEET_WORD.sub(lambda word: word[0].translate(_LEET), plain)
    if any(mark in plain for mark in "*_`~") or "-->" in plain:
        yield _MARKUP.sub("", plain)


def turned(text: str, word: str) -> Iterator[str]:
    """The text deciphered, if it holds a word enciphered by ROT13 or written backwards."""
    folded = text.casefold()
    if codecs.encode(word, "rot13") in folded:
        yield codecs.encode(text, "rot13")
    if word[::-1] in folded:
        yield text[::-1]


def _unescaped(escape: re.Match[str]) -> str:
    if code := escape[1] or escape[2]:
        return chr(int(code, 16))
    return {"n": "\n", "r": "\r", "t": "\t"}.get(escape[3], escape[3])


def _decoded(text: str) -> Iterator[str]:
    for number, run in enumerate(_BASE64.finditer(text)):
        if number == MOST_SEGMENTS:
            break
        body = run[0].rstrip("=").replace("-", "+").replace("_", "/")
        try:
            yield from _printable(base64.b64decode(body + "=" * (-len(body) % 4), validate=True))
        except (binascii.Error, ValueError):
            continue
    digits = any(digit in text for digit in "0123456789")
    for number, run in enumerate(_HEX.finditer(text) if digits else ()):
        if number == MOST_SEGMENTS:
            break
        yield from _printable(bytes.fromhex(re.sub(r"[ :]", "", run[0])))


def _printable(data: bytes) -> Iterator[str]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    if text.replace("\n", "").replace("\t", "").isprintable():
        yield text
