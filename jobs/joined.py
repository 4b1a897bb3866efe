"""Small pieces read as a stream."""

from collections.abc import Iterable


class Joined:
    """What ``pieces`` gives, to be read about ``size`` bytes at a time."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = iter(pieces)

    def read(self, size: int, /) -> bytes:
        """Return the next pieces, the last of which may go beyond ``size``; nothing at the end."""
        taken, length = [], 0
        for piece in self.pieces:
            taken.append(piece)
            length += len(piece)
            if length >= size:
                break
        return b"".join(taken)
