"""What a text says to a reader who sees through simple disguises: escapes, encodings, look-alike letters."""

import binascii
import codecs
import html
import re
import string
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from urllib.parse import unquote

LONGEST = 100_000
"""Characters of a text that are looked at, from either end."""
MOST_SEGMENTS = 20

_HEX = re.compile(r"\b[0-9a-fA-F]{2}(?:[ :]?[0-9a-fA-F]{2}){7,}\b")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([\"'\\/nrt]))")
_SPACED = re.compile(r"\b(?:\w[ .\-_*]){4,}\w\b")
_LEET_WORD = re.compile(r"\b(?=\w*[a-zA-Z])(?=\w*[013457@$])[\w@$]{3,}")
_LEET = str.maketrans("013457@$", "oieastas")
_LIKE_LATIN = str.maketrans("аеорсухіјѕԁһӏԛԝАВЕКМНОРСТХЅІЈαορνικ", "aeopcyxijsdhlqwABEKMHOPCTXSIJaopvik")
_MARKUP = re.compile(r"<!--|-->|[*_`~]{1,3}(?=\w)|(?<=\w)[*_`~]{1,3}")


def _sorts(sorts: Mapping[str, str]) -> bytes:
    """A table for bytes.translate that makes of each character the mark of its sort; "?" is of none."""
    table = bytearray(b"?" * 256)
    for mark, characters in sorts.items():
        for character in characters:
            table[ord(character)] = ord(mark)
    return bytes(table)


# An expression takes 30 times as long to find nothing as a search among marks does, and mostly there is nothing.
_LETTERS, _DIGITS = string.ascii_letters, string.digits
_LEET_SORTS = _sorts({"a": _LETTERS, "0": "013457@$"})
_SPACED_SORTS = _sorts({"a": _LETTERS + _DIGITS, " ": " .-*"})
_HEX_SORTS = _sorts({"0": string.hexdigits})
_BASE64_SORTS = _sorts({"0": _LETTERS + _DIGITS + "+/-_"})
_BASE64_RUN = re.compile(b"0" * 12 + b"0*")
_STANDARD = bytes.maketrans(b"-_", b"+/")
_ROT13 = str.maketrans(_LETTERS, codecs.encode(_LETTERS, "rot13"))


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
    ascii = plain.encode("ascii", "replace")  # one byte a character
    yield from islice(_from_base64(ascii), MOST_SEGMENTS)
    yield from islice(_from_hex(plain, ascii), MOST_SEGMENTS)
    unsure = not plain.isascii() or "_" in plain  # a letter of another script, or both letter and gap
    if (unsure or b"a a a a a" in ascii.translate(_SPACED_SORTS)) and _SPACED.search(plain):
        yield _SPACED.sub(lambda run: re.sub(r"[ .\-_*]", "", run[0]), plain)
    leet = ascii.translate(_LEET_SORTS)
    if b"0" in leet and (b"a0" in leet or b"0a" in leet):
        yield _LEET_WORD.sub(lambda word: word[0].translate(_LEET), plain)
    if any(mark in plain for mark in "*_`~") or "-->" in plain:
        yield _MARKUP.sub("", plain)


def turned(text: str, word: str) -> Iterator[str]:
    """The text deciphered, if it holds a word enciphered by ROT13 or written backwards."""
    folded = text.casefold()
    enciphered, backwards = _turned(word)
    if enciphered in folded:
        yield text.translate(_ROT13)
    if backwards in folded:
        yield text[::-1]


@lru_cache(maxsize=256)  # the words are few: the keys of scores
def _turned(word: str) -> tuple[str, str]:
    return word.translate(_ROT13), word[::-1]


def _unescaped(escape: re.Match[str]) -> str:
    if code := escape[1] or escape[2]:
        return chr(int(code, 16))
    return {"n": "\n", "r": "\r", "t": "\t"}.get(escape[3], escape[3])


def _from_base64(ascii: bytes) -> Iterator[str]:
    for run in _BASE64_RUN.finditer(ascii.translate(_BASE64_SORTS)):
        body = ascii[run.start() : run.end()].translate(_STANDARD)
        try:
            yield from _printable(binascii.a2b_base64(body + b"=" * (-len(body) % 4)))
        except binascii.Error:
            continue


def _from_hex(text: str, ascii: bytes) -> Iterator[str]:
    if b"0" * 16 in ascii.translate(_HEX_SORTS, b" :"):
        for run in _HEX.finditer(text):
            yield from _printable(bytes.fromhex(re.sub(r"[ :]", "", run[0])))


def _printable(data: bytes) -> Iterator[str]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    if text.replace("\n", "").replace("\t", "").isprintable():
        yield text
