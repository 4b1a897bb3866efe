"""Large files on their way in: the permit that stands in their address, and those that come in parts (section 4.3)."""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Self

from django.core import signing

from assay.filesets import blobs, history
from assay.filesets.blobs import Readable
from assay.filesets.models import Blob, Fileset, Storage
from assay.platform.errors import BadRequest, Forbidden, Invalid, NotFound

SALT = "assay.hub.lfs"
LIFETIME = 6 * 60 * 60
"""Seconds: a client asks for the permits of 256 files at once and then sends one after the other."""


@dataclass(frozen=True)
class Permit:
    """That one object may be sent to, or read from, one fileset. Uploads carry no other credential."""

    fileset: int
    oid: str
    size: int
    part_size: int = 0
    """Set where it is to come in parts."""

    def sign(self, operation: str) -> str:
        return signing.dumps(asdict(self), salt=f"{SALT}.{operation}", compress=True)

    @classmethod
    def read(cls, text: str, operation: str) -> Self:
        """Return the permit; raises ``Forbidden`` for one that is not ours, of another operation, or too old."""
        try:
            return cls(**signing.loads(text, salt=f"{SALT}.{operation}", max_age=LIFETIME))
        except signing.BadSignature:
            raise Forbidden("The address is not valid, or no longer; ask for another one.") from None

    def target(self) -> Fileset:
        """Return the fileset; raises ``NotFound`` if it was deleted meanwhile."""
        # Whoever was given the permit could see it.
        filesets = Fileset._base_manager.select_related("workspace")
        found = filesets.filter(pk=self.fileset, storage_type=Storage.LOCAL).first()
        if found is None:
            raise NotFound("The repository of this address is not there any more.")
        return found

    @property
    def parts(self) -> int:
        return -(-self.size // self.part_size) if self.part_size else 0

    def size_of(self, number: int) -> int:
        """Return the bytes of one part, counted from 1; raises ``BadRequest`` where there is none of this number."""
        if not 1 <= number <= self.parts:
            raise BadRequest(f"The upload has {self.parts} parts; there is no part {number}.")
        return min(self.part_size, self.size - (number - 1) * self.part_size)

    def place_of(self, number: int) -> Path:
        """Return where a part waits for the others: among the drafts, which the sweep removes after a day."""
        upload = hashlib.sha256(f"{self.fileset} {self.oid} {self.part_size}".encode()).hexdigest()[:32]
        return blobs.root() / "drafts" / f"part-{upload}-{number:05d}"


def receive(permit: Permit, stream: Readable) -> Blob:
    """Store the object if it is the one that was announced; raises ``Invalid``, and then nothing is kept."""
    fileset = permit.target()
    blob = blobs.put(Exactly(stream, permit.size), expected=permit.oid)
    history.hold(fileset, blob)
    return blob


def receive_part(permit: Permit, number: int, stream: Readable) -> str:
    """Keep one part until the others are there, and return its ETag; raises ``BadRequest`` and ``Invalid``."""
    body, place, digest = Exactly(stream, permit.size_of(number)), permit.place_of(number), hashlib.sha256()
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as draft:
        try:
            while piece := body.read(blobs.CHUNK):
                digest.update(piece)
                draft.write(piece)
            draft.flush()
            os.replace(draft.name, place)  # noqa: PTH105  the draft is known by its name
        except BaseException:
            Path(draft.name).unlink(missing_ok=True)
            raise
    return digest.hexdigest()


def complete(permit: Permit, numbers: Sequence[int]) -> Blob:
    """Store the object that the parts make; raises ``Invalid`` where one is missing or they make something else."""
    if sorted(numbers) != list(range(1, permit.parts + 1)):
        raise Invalid(f"The upload has {permit.parts} parts, each to be named once.")
    places = [permit.place_of(number) for number in range(1, permit.parts + 1)]
    for number, place in enumerate(places, 1):
        if not place.exists():
            raise Invalid(f"Part {number} has not arrived.")
    blob = receive(permit, _Joined(places))
    for place in places:
        place.unlink(missing_ok=True)
    return blob


class Exactly:
    """Reads like the stream below it; raises ``Invalid`` where that has more or fewer bytes than announced."""

    def __init__(self, stream: Readable, size: int) -> None:
        self.stream = stream
        self.left = size

    def read(self, size: int, /) -> bytes:
        piece = self.stream.read(size)
        self.left -= len(piece)
        if self.left < 0 or (not piece and self.left):
            raise Invalid("The content has not the size that was announced; nothing was stored.")
        return piece


class _Joined:
    """The parts one after another; reads like a file."""

    def __init__(self, places: Sequence[Path]) -> None:
        self.places = list(places)
        self.file: BinaryIO | None = None

    def read(self, size: int, /) -> bytes:
        while self.file is not None or self.places:
            if self.file is None:
                self.file = self.places.pop(0).open("rb", buffering=0)
            if piece := self.file.read(size):
                return piece
            self.file.close()
            self.file = None
        return b""
