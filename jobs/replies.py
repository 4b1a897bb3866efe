"""The durable store of replies: what a model sent back is written down as it arrives, and never paid for again.

Within the workspace it is also the judge cache: a job that asks what was asked before is given the reply of then. Rows
of one job that ask the same are still asked apart, for each is a draw of its own; a second run is given them in turn.
"""

import asyncio
import zlib
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import NamedTuple

from assay.jobs import bulk
from assay.jobs.ledger import Ledger
from assay.jobs.models import Job, Reply
from assay.jobs.patience import patiently
from assay_sdk.engine.replies import Kept, Question


class Stored(NamedTuple):
    """A reply in the store, and whose it was."""

    job_uid: str
    row_index: int
    private: bool
    status: int
    body: bytes


@dataclass
class ShardReplies:
    """The store as one shard's run sees it. Used from the event loop; ``reader`` is where the database is asked."""

    job: Job
    reader: Executor
    ledger: Ledger
    unsaved: list[Reply] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is a reply to be written down."""
    _asked: list[tuple[Question, asyncio.Future[Kept | None]]] = field(default_factory=list)
    _looking: asyncio.Task[None] | None = None
    _given: Counter[bytes] = field(default_factory=Counter)
    """How many replies of other jobs each question was given."""

    async def find(self, question: Question) -> Kept | None:
        """Return the reply that the row was given before, or one that another job was given to the same question."""
        answer: asyncio.Future[Kept | None] = asyncio.get_running_loop().create_future()
        self._asked.append((question, answer))
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        return await answer

    def keep(self, question: Question, reply: Kept) -> None:
        """Take in a reply that was paid for; ``take`` hands it on to be written down."""
        self.ledger.paid(question, reply)
        self.unsaved.append(
            Reply(
                workspace_id=self.job.workspace_id,
                key=question.key,
                job_uid=self.job.uid,
                row_index=question.row,
                private=not self.job.uses_cache,
                model=question.model[:255],
                address=question.address[:1024],
                status=reply.status,
                body=zlib.compress(reply.body, 1),
            )
        )
        self.arrived.set()

    def take(self) -> list[Reply]:
        """Return the replies that are to be written down, each once."""
        taken, self.unsaved = self.unsaved, []
        self.arrived.clear()
        return taken

    async def _look(self) -> None:
        """Look up together whatever is asked meanwhile: one query for many rows."""
        loop = asyncio.get_running_loop()
        asked: list[tuple[Question, asyncio.Future[Kept | None]]] = []
        try:
            while True:
                await asyncio.sleep(0)
                asked, self._asked = self._asked, []
                if not asked:
                    return
                keys = {question.key for question, _ in asked}
                found = await loop.run_in_executor(self.reader, fetch, self.job.workspace_id, keys)
                for question, answer in asked:
                    if not answer.done():
                        answer.set_result(self._choose(question, found.get(question.key, ())))
        except BaseException as error:
            for _, answer in (*asked, *self._asked):
                if not answer.done():
                    answer.set_exception(error)
            self._asked = []
        finally:
            self._looking = None

    def _choose(self, question: Question, stored: Iterable[Stored]) -> Kept | None:
        others = []
        for reply in stored:
            if reply.job_uid == self.job.uid:
                if reply.row_index == question.row:
                    return Kept(reply.status, zlib.decompress(reply.body))
            elif self.job.uses_cache and not reply.private:
                others.append(reply)
        turn = self._given[question.key]
        if turn >= len(others):
            return None
        self._given[question.key] += 1
        chosen = Kept(others[turn].status, zlib.decompress(others[turn].body))
        self.ledger.given(question)
        return chosen


def fetch(workspace_id: int, keys: Iterable[bytes]) -> dict[bytes, list[Stored]]:
    """Return what is kept under these keys, oldest first."""
    kept = Reply.objects.filter(workspace_id=workspace_id, key__in=list(keys)).order_by("pk")
    columns = kept.values_list("key", "job_uid", "row_index", "private", "status", "body")
    found: dict[bytes, list[Stored]] = {}
    for key, job_uid, row_index, private, status, body in patiently(lambda _: list(columns), "replies are looked up"):
        found.setdefault(bytes(key), []).append(Stored(job_uid, row_index, private, status, bytes(body)))
    return found


def save(replies: list[Reply]) -> None:
    """Write replies down, inside the caller's transaction; one that is there already stays."""
    bulk.insert(replies, or_leave=True)


def landed(replies: list[Reply]) -> bool:
    """Return whether these replies were written down by an attempt whose outcome nobody learned."""
    return bool(replies) and Reply.objects.filter(job_uid=replies[0].job_uid, key=replies[0].key).exists()
