"""A worker's part: plan a job, judge its shards, finish it. The engine yields row scores; this module stores them."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from assay.filesets.rows import RowsUnreadable
from assay.jobs import logs
from assay.jobs.control import settle
from assay.jobs.finish import all_shards_done, fail, finish
from assay.jobs.leases import LeaseLost, claim_shard, job_lease, release_shard, renew_shard, shards_at_once
from assay.jobs.models import Job, RowScore, Shard, ShardState, State
from assay.jobs.plan import Unplannable, plan
from assay.jobs.setup import Setup
from assay.jobs.stored import to_stored
from assay.platform.egress import EgressRefused
from assay.secrets.vault import SecretUnreadable
from assay_sdk.engine.errors import RunAborted
from assay_sdk.engine.forms import FormState
from assay_sdk.engine.result import Row
from assay_sdk.engine.result import RowScore as EngineRowScore
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import RunConfig
from assay_sdk.engine.transport import Transport, open_transport

logger = logging.getLogger(__name__)

STORE_SECONDS = 0.1
STORE_ROWS = 200
READ_ROWS = 64
TELL_SECONDS = 3.0
"""How often a job that waits for its judge says so anew."""
STOP_GRACE_SECONDS = 1.0
"""How long calls in flight may take to come home once a job is cancelled or paused."""
DATABASE_PATIENCE_SECONDS = 60.0
"""How long paid replies are held in memory for a database that is away."""

draining = threading.Event()
"""Set when this worker shuts down: shards are given back after what is in flight is stored."""


def work(job_id: int) -> None:
    """Do everything for the job that is free to be done now; returns when there is nothing left to claim."""
    while not draining.is_set():
        job = Job.objects.select_related("workspace", "dataset_fileset", "result_fileset").filter(pk=job_id).first()
        if job is None or not _step(job):
            return


def _step(job: Job) -> bool:
    """Do the next thing; returns whether there may be another."""
    match job.state:
        case State.CREATED:
            with job_lease(job) as held:
                return held and _plan(job)
        case State.PENDING | State.ACTIVE:
            shard = claim_shard(job.pk)
            if shard is not None:
                shard.job = job
                judge_shard(shard)
                return True
            if all_shards_done(job):
                with job_lease(job) as held:
                    if held:
                        _finish(job)
    return False


def _plan(job: Job) -> bool:
    try:
        return plan(job)
    except Unplannable as error:
        fail(job, str(error))
    except Exception:
        logger.exception("cannot plan job %s", job)
        fail(job, "The platform could not plan the job: an unexpected error, noted in the server's log.")
    return False


def _finish(job: Job) -> None:
    try:
        finish(job)
    except OperationalError:
        raise
    except Exception:
        logger.exception("cannot finish job %s", job)
        fail(job, "The platform could not write the results: an unexpected error, noted in the server's log.")


def judge_shard(shard: Shard) -> None:
    """Judge the rows of a claimed shard that are not stored yet, and give the shard back."""
    job = shard.job
    try:
        run = ShardRun(shard, Setup.of(job, shard.part))
        whole = asyncio.run(run.judge())
        release_shard(shard, ShardState.DONE if whole else ShardState.WAITING)
    except LeaseLost as lost:
        logger.warning("%s", lost)
        return
    except (RunAborted, EgressRefused, SecretUnreadable, RowsUnreadable) as error:
        release_shard(shard, ShardState.WAITING)
        fail(job, str(error))
    except OperationalError:
        raise
    except Exception:
        logger.exception("cannot judge shard %s of job %s", shard.index, job)
        release_shard(shard, ShardState.WAITING)
        fail(job, "The platform could not judge the rows: an unexpected error, noted in the server's log.")
    job.refresh_from_db(fields=["state"])
    settle(job)


@dataclass
class ShardRun:
    """One pass over a shard. Two threads serve it besides the event loop: one reads rows, one stores row scores."""

    shard: Shard
    setup: Setup
    unsaved: list[EngineRowScore] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    forms: FormState = field(init=False)
    saved_forms: dict[str, dict[str, str]] = field(init=False)
    waits_for: str | None = None
    """Why the run waits, in the engine's words; None while it goes on."""
    told: tuple[str | None, float] = (None, 0.0)
    """What the job was last told of that, and when."""

    async def judge(self) -> bool:
        """Judge and store; returns whether every row of the shard is stored.

        Raises what the engine or a store raises.
        """
        job = self.shard.job
        at_once = shards_at_once(job.parallelism, await job.shards.acount())
        share = max(1, job.parallelism // at_once)
        config = self.setup.part.config(share, asks_target=self.setup.target is not None)
        self.saved_forms = dict(job.forms)
        self.forms = FormState.from_wire(job.forms)
        transport = open_transport()
        reader, writer = ThreadPoolExecutor(1, "rows"), ThreadPoolExecutor(1, "store")
        try:
            keeper = asyncio.create_task(self._keep_storing(writer))
            judging = asyncio.create_task(self._collect(self._rows(reader), config, transport))
            await self._until_stopped(judging, keeper)
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await asyncio.get_running_loop().run_in_executor(writer, self._store, self._take())
            if judging.cancelled():
                return False
            judging.result()
            return not self.stop.is_set()
        finally:
            await transport.aclose()
            for executor in (reader, writer):
                # Looked up in the thread, which has a connection of its own: a pool would miss it for ever.
                executor.submit(lambda: connection.close())
                executor.shutdown()

    async def _collect(self, rows: AsyncIterator[Row], config: RunConfig, transport: Transport) -> None:
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
            **self.setup.part.patience(),
        )
        async for row_score in scored:
            self.unsaved.append(row_score)

    async def _until_stopped(self, judging: asyncio.Task[None], keeper: asyncio.Task[None]) -> None:
        """Wait for the judging to end; when told to stop give calls in flight a moment, then let go of them."""
        stopped = asyncio.create_task(self.stop.wait())
        await asyncio.wait({judging, keeper, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if self.stop.is_set() and not judging.done():
            await asyncio.wait({judging, keeper}, timeout=STOP_GRACE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not judging.done():
            judging.cancel()
            await asyncio.wait({judging})
        if keeper.done() and not keeper.cancelled() and (error := keeper.exception()):
            raise error

    async def _keep_storing(self, writer: ThreadPoolExecutor) -> None:
        """Store what has come in every 100 ms, or nothing but the lease; learn of a stop."""
        loop = asyncio.get_running_loop()
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(STORE_SECONDS)
            if self.unsaved or time.monotonic() - renewed > 0.5:
                renewed = time.monotonic()
                go_on = await asyncio.shield(loop.run_in_executor(writer, self._store, self._take()))
                if not go_on or draining.is_set():
                    self.stop.set()

    def _take(self) -> list[EngineRowScore]:
        taken, self.unsaved = self.unsaved, []
        return taken

    async def _rows(self, reader: ThreadPoolExecutor) -> AsyncIterator[Row]:
        """Yield the shard's rows that have no stored score, read a few at a time beside the event loop."""
        loop = asyncio.get_running_loop()
        job, shard = self.shard.job, self.shard
        stored = RowScore.objects.filter(job=job, row_index__gte=shard.start, row_index__lt=shard.stop)
        done = await loop.run_in_executor(reader, lambda: set(stored.values_list("row_index", flat=True)))
        source = self.setup.part.read(shard.start, shard.stop)
        while batch := await loop.run_in_executor(reader, lambda: list(islice(source, READ_ROWS))):
            for index, item in batch:
                if index not in done:
                    yield self.setup.part.row(index, item)

    def _store(self, row_scores: list[EngineRowScore]) -> bool:
        """Store row scores, progress and lease in one transaction; returns whether the job is to go on.

        Waits for a database that is away, for the replies are paid for. Raises ``LeaseLost``.
        """
        deadline = time.monotonic() + DATABASE_PATIENCE_SECONDS
        while True:
            try:
                return self._store_once(row_scores)
            except OperationalError:
                connection.close()
                if time.monotonic() > deadline:
                    raise
                logger.warning("the database is away; holding %d row scores", len(row_scores))
                time.sleep(0.5)

    def _store_once(self, row_scores: list[EngineRowScore]) -> bool:
        job = self.shard.job
        with transaction.atomic():
            renew_shard(self.shard)
            RowScore.objects.bulk_create(
                (to_stored(job, row, self.setup.askers) for row in row_scores), batch_size=STORE_ROWS
            )
            if row_scores:
                failed = sum(not row.scored for row in row_scores)
                Job.objects.filter(pk=job.pk).update(
                    rows_done=F("rows_done") + len(row_scores), rows_failed=F("rows_failed") + failed, updated_at=Now()
                )
                self._note_failures(row_scores)
            forms = self.forms.to_wire()
            if forms != self.saved_forms:
                Job.objects.filter(pk=job.pk).update(forms=forms)
                self.saved_forms = dict(forms)
            self._tell_waiting()
            state = Job.objects.filter(pk=job.pk).values_list("state", flat=True).first()
        return state == State.ACTIVE

    def _on_waiting(self, why: str | None) -> None:
        self.waits_for = why

    def _tell_waiting(self) -> None:
        """Show why the job waits, every few seconds at most, and that it goes on once it does."""
        why, (told, at) = self.waits_for, self.told
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
