"""One pass over a shard: rows in, replies and row scores out, each written down within a tenth of a second."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from assay.filesets.rows import RowsUnreadable
from assay.jobs import bulk, logs, watch
from assay.jobs import ledger as ledgers
from assay.jobs import replies as kept
from assay.jobs.gate import ShardGates
from assay.jobs.leases import Hold, LeaseLost, renew_shard, share_of
from assay.jobs.ledger import Amounts, Ledger, Line, all_terms
from assay.jobs.models import Job, Reply, RowBatch, RowScore, Shard, State
from assay.jobs.patience import patiently
from assay.jobs.replies import ShardReplies
from assay.jobs.setup import Setup
from assay.jobs.states import move
from assay.jobs.stored import to_batch, to_stored
from assay.platform import journal
from assay.platform.drain import draining
from assay.platform.egress import permit
from assay_sdk.engine.forms import FormState
from assay_sdk.engine.pace import Parallelism
from assay_sdk.engine.result import Row
from assay_sdk.engine.result import RowScore as EngineRowScore
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import RunConfig
from assay_sdk.engine.transport import Transport, open_transport

logger = logging.getLogger(__name__)

STORE_SECONDS = 0.05
STORE_REPLIES = 16
"""So many replies are written down at once, however young they are."""
STORE_ROWS = 200
RENEW_SECONDS = 0.5
READ_ROWS = 64
READ_SECONDS = 300.0
"""How long the source may take over one batch of rows."""
TELL_SECONDS = 3.0
"""How often a job that waits for its judge says so anew."""
TERMS_SECONDS = 2.0
"""How often what people say of the endpoints is read anew."""
STOP_GRACE_SECONDS = 1.0
"""How long calls in flight may take to come home once a job is cancelled or paused."""
DRAIN_SECONDS = 30.0
"""The same once this worker is to end: nobody waits for the job, and these calls are paid for."""

Batch = list[tuple[int, dict[str, Any]]]
"""Rows as they are read: index and item."""


class Window(NamedTuple):
    """What came in since the last time that something was written down."""

    rows: list[EngineRowScore]
    replies: list[Reply]
    used: dict[Line, Amounts]


class Directive(NamedTuple):
    """What the database says about how to go on."""

    go_on: bool
    parallelism: int
    """This shard's share of the job's."""
    tokens_left: int | None
    cost_left: float | None


@dataclass
class ShardRun:
    """Judges the rows of a claimed shard that have no score yet.

    Two threads serve it besides the event loop: one reads rows and replies, one writes.
    """

    shard: Shard
    setup: Setup
    unsaved: list[EngineRowScore] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    forms: FormState = field(init=False)
    saved_forms: dict[str, dict[str, str]] = field(init=False)
    replies: ShardReplies = field(init=False)
    ledger: Ledger = field(init=False)
    parallelism: Parallelism = field(init=False)
    waits_for: str | None = None
    """Why the run waits, in the engine's words; None while it goes on."""
    gates: ShardGates | None = None
    hold: Hold = field(default_factory=Hold)
    terms_read: float = 0.0
    told: tuple[str | None, float] = (None, 0.0)
    """What the job was last told of that, and when."""

    async def judge(self) -> bool:
        """Judge and store; returns whether every row of the shard is stored.

        Raises what the engine or a store raises.
        """
        job = self.shard.job
        loop = asyncio.get_running_loop()
        reader = ThreadPoolExecutor(1, "rows", journal.adopt, (journal.facts(),))
        writer = ThreadPoolExecutor(1, "store", journal.adopt, (journal.facts(),))
        transport = open_transport(guard=permit)
        self.saved_forms = dict(job.forms)
        self.forms = FormState.from_wire(job.forms)
        self.ledger = Ledger(await loop.run_in_executor(reader, all_terms))
        self.replies = ShardReplies(job, reader, self.ledger)
        self.gates = ShardGates(job, self.ledger, self.setup.secret_ids, self.hold)
        first = await loop.run_in_executor(reader, self._store, self._take())
        self.parallelism = Parallelism(first.parallelism)
        self._follow(first)
        config = self.setup.part.config(first.parallelism, asks_target=self.setup.target is not None)
        try:
            keeper = asyncio.create_task(self._keep_storing(writer))
            judging = asyncio.create_task(self._collect(self._rows(reader), config, transport, self.gates))
            await self._until_stopped(judging, keeper)
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await loop.run_in_executor(writer, self._store, self._take())
            if judging.cancelled():
                return False
            judging.result()
            return not self.stop.is_set()
        finally:
            await self.gates.close()
            await transport.aclose()
            for executor in (reader, writer):
                # Looked up in the thread, which has a connection of its own: a pool would miss it for ever.
                executor.submit(lambda: connection.close())
                executor.shutdown(wait=executor is writer)

    async def _collect(
        self, rows: AsyncIterator[Row], config: RunConfig, transport: Transport, gates: ShardGates
    ) -> None:
        scored = evaluate(
            rows,
            self.setup.part.metrics,
            config=config,
            transport=transport,
            api_keys=self.setup.api_keys,
            target=self.setup.target,
            prompt_template=self.setup.part.prompt_template,
            forms=self.forms,
            on_waiting=self._on_waiting,
            stop=self.stop,
            parallelism=self.parallelism,
            replies=self.replies,
            gates=gates,
            **self.setup.part.patience(),
        )
        async for row_score in scored:
            self.unsaved.append(row_score)

    async def _until_stopped(self, judging: asyncio.Task[None], keeper: asyncio.Task[None]) -> None:
        """Wait for the judging to end; when told to stop give calls in flight a moment, then let go of them."""
        stopped = asyncio.create_task(self.stop.wait())
        await asyncio.wait({judging, keeper, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if self.stop.is_set() and not judging.done():
            grace = DRAIN_SECONDS if draining.is_set() else STOP_GRACE_SECONDS
            await asyncio.wait({judging, keeper}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not judging.done():
            judging.cancel()
            await asyncio.wait({judging})
        if keeper.done() and not keeper.cancelled() and (error := keeper.exception()):
            raise error

    async def _keep_storing(self, writer: ThreadPoolExecutor) -> None:
        """Write down what comes in, soon after it came; now and then nothing but the lease; learn how to go on."""
        loop = asyncio.get_running_loop()
        renewed = time.monotonic()
        while True:
            await self._something_to_store(renewed + RENEW_SECONDS)
            renewed = time.monotonic()
            directive = await asyncio.shield(loop.run_in_executor(writer, self._store, self._take()))
            self._follow(directive)
            if draining.is_set():
                self.stop.set()

    async def _something_to_store(self, deadline: float) -> None:
        """Return once there are replies enough for one writing, or the oldest is a moment old, or at the deadline."""
        while not (self.unsaved or self.replies.unsaved):
            left = deadline - time.monotonic()
            if left <= 0:
                return
            try:
                async with asyncio.timeout(min(left, STORE_SECONDS)):
                    await self.replies.arrived.wait()
            except TimeoutError:
                pass
        oldest = time.monotonic()
        while len(self.replies.unsaved) < STORE_REPLIES and time.monotonic() - oldest < STORE_SECONDS:
            await asyncio.sleep(STORE_SECONDS / 5)

    def _follow(self, directive: Directive) -> None:
        if not directive.go_on:
            self.stop.set()
        self.parallelism.change(directive.parallelism)
        self.ledger.budget.tokens = directive.tokens_left
        self.ledger.budget.cost = directive.cost_left

    def _take(self) -> Window:
        taken, self.unsaved = self.unsaved, []
        return Window(taken, self.replies.take(), self.ledger.take())

    async def _rows(self, reader: ThreadPoolExecutor) -> AsyncIterator[Row]:
        """Yield the shard's rows that have no stored score, read a few at a time beside the event loop."""
        loop = asyncio.get_running_loop()
        job, shard = self.shard.job, self.shard
        stored = RowScore.objects.filter(job=job, row_index__gte=shard.start, row_index__lt=shard.stop)
        done = await loop.run_in_executor(reader, lambda: set(stored.values_list("row_index", flat=True)))
        source = self.setup.part.read(shard.start, shard.stop)
        while batch := await self._within(loop.run_in_executor(reader, lambda: list(islice(source, READ_ROWS)))):
            for index, item in batch:
                if index not in done:
                    yield self.setup.part.row(index, item)

    async def _within(self, reading: asyncio.Future[Batch]) -> Batch:
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await reading
        except TimeoutError:
            raise RowsUnreadable(f"The rows' source gave nothing for {READ_SECONDS:g} s.") from None

    def _store(self, window: Window) -> Directive:
        """Write the window down in one transaction; returns how to go on.

        Waits for a database that is away, for the replies are paid for. Raises ``LeaseLost``.
        """
        told = f"{len(window.replies)} replies are held"
        try:
            directive = patiently(lambda again: self._store_once(window, again), told)
        except LeaseLost:
            # The rows are another worker's now; what was paid for is of use to it all the same.
            with suppress(IntegrityError), transaction.atomic():
                kept.save(window.replies)
                ledgers.save(self.shard.job, window.used)
            raise
        watch.stored(window.rows, window.used)
        return directive

    def _store_once(self, window: Window, again: bool) -> Directive:
        job = self.shard.job
        began = time.monotonic()
        with transaction.atomic():
            news = bool(window.rows or window.replies)
            renew_shard(self.shard, fruitful=news)
            if not (again and self._landed(window)):
                self._write(window)
            forms = self.forms.to_wire()
            if forms != self.saved_forms:
                Job.objects.filter(pk=job.pk).update(forms=forms)
                self.saved_forms = dict(forms)
            self._tell_waiting()
            directive = self._directive()
        self.hold.renewed(began)
        return directive

    def _landed(self, window: Window) -> bool:
        """Return whether an earlier attempt succeeded whose outcome was never learned."""
        if window.replies and kept.landed(window.replies):
            return True
        row = window.rows[0].index if window.rows else -1
        return RowScore.objects.filter(job=self.shard.job, row_index=row).exists()

    def _write(self, window: Window) -> None:
        job = self.shard.job
        kept.save(window.replies)
        ledgers.save(job, window.used)
        if not window.rows:
            return
        for first in range(0, len(window.rows), STORE_ROWS):
            landed = window.rows[first : first + STORE_ROWS]
            batch: RowBatch = to_batch(self.shard, landed, self.setup.askers)
            batch.save(force_insert=True)
            bulk.insert([to_stored(job, row, batch) for row in landed])
        failed = sum(not row.scored for row in window.rows)
        Job.objects.filter(pk=job.pk).update(
            rows_done=F("rows_done") + len(window.rows), rows_failed=F("rows_failed") + failed, updated_at=Now()
        )
        self._note_failures(window.rows)

    def _directive(self) -> Directive:
        """Read how to go on; a budget that is used up pauses the job."""
        job = self.shard.job
        if time.monotonic() - self.terms_read > TERMS_SECONDS:
            self.ledger.terms, self.terms_read = all_terms(), time.monotonic()
        columns = ("state", "parallelism", "budget_tokens", "budget_cost")
        found = Job.objects.filter(pk=job.pk).values_list(*columns).first()
        if found is None:
            return Directive(False, 1, None, None)
        state, parallelism, budget_tokens, budget_cost = found
        share, runners = share_of(self.shard, parallelism)
        tokens_left = cost_left = None
        if budget_tokens is not None or budget_cost is not None:
            spent = ledgers.used(job)
            tokens_left = None if budget_tokens is None else budget_tokens - spent.tokens
            cost_left = None if budget_cost is None else budget_cost - spent.cost
            if (tokens_left is not None and tokens_left <= 0) or (cost_left is not None and cost_left <= 0):
                self._over_budget(spent)
                return Directive(False, max(1, share), 0, 0.0)
        return Directive(
            state == State.ACTIVE and share > 0,
            max(1, share),
            None if tokens_left is None else max(1, tokens_left // runners),
            None if cost_left is None else float(cost_left) / runners,
        )

    def _over_budget(self, spent: ledgers.Used) -> None:
        job = self.shard.job
        why = f"its budget is used up ({spent.tokens} tokens, {spent.cost:.4f} USD)"
        if move(job, State.PAUSING, message=f"Pausing: {why}", pause_reason=why):
            logs.write(job, f"Pausing: {why}. Raise the budget, then resume.")

    def _on_waiting(self, why: str | None) -> None:
        self.waits_for = why

    def _tell_waiting(self) -> None:
        """Show why the job waits, every few seconds at most, and that it goes on once it does."""
        queued = None if self.gates is None else self.gates.waits_for
        why, (told, at) = self.waits_for or queued, self.told
        if why is None and told is None or (why is not None and time.monotonic() - at < TELL_SECONDS):
            return
        job = Job.objects.filter(pk=self.shard.job.pk, state=State.ACTIVE)
        done, total = job.values_list("rows_done", "rows_total").first() or (0, 0)
        job.update(message=f"{why.rstrip('.')}; {done} rows done" if why else f"Judging {total} rows")
        if why and told is None:
            logs.write(self.shard.job, why)
        self.told = why, time.monotonic()

    def _note_failures(self, row_scores: list[EngineRowScore]) -> None:
        for row in [row for row in row_scores if row.failure][:3]:
            assert row.failure is not None
            logs.write(self.shard.job, f"Row {row.index}: {row.failure.text}")
