"""Texts that come from anywhere, on their way into a database."""


def storable(text: str) -> str:
    """Return the text as both databases store it: NUL characters and halves of UTF-16 pairs are replaced."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
