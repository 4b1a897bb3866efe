"""A worker's part: plan a job, judge its shards, finish it."""

import asyncio
import logging

from django.db import InterfaceError, OperationalError, connection

from assay.filesets.rows import RowsUnreadable
from assay.jobs import packing
from assay.jobs.control import settle
from assay.jobs.finish import all_shards_done, fail, finish
from assay.jobs.leases import Exhausted, LeaseLost, claim_shard, job_lease, release_shard
from assay.jobs.models import Job, Shard, ShardState, State
from assay.jobs.plan import Unplannable, plan
from assay.jobs.setup import Setup
from assay.jobs.shard_run import ShardRun
from assay.jobs.wake import wake
from assay.platform import journal, traces
from assay.platform.drain import draining
from assay.platform.egress import EgressRefused
from assay.secrets.vault import SecretUnreadable
from assay_sdk.engine.errors import RunAborted

logger = logging.getLogger(__name__)

AWAY = (OperationalError, InterfaceError)
"""What is raised where the database is away: no fault of the job, which is taken up again once it is back."""


def work(job_id: int) -> None:
    """Do everything for the job that is free to be done now; returns when there is nothing left to claim."""
    while not draining.is_set():
        job = Job.objects.select_related("workspace", "dataset_fileset", "result_fileset").filter(pk=job_id).first()
        if job is None:
            return
        with journal.about(job=str(job)):
            if not _step(job):
                return


def _step(job: Job) -> bool:
    """Do the next thing; returns whether there may be another."""
    try:
        return _next(job)
    except Exhausted as error:
        fail(job, str(error))
        return False


def _next(job: Job) -> bool:
    match job.state:
        case State.CREATED:
            with job_lease(job) as held:
                return held and _plan(job)
        case State.PENDING | State.ACTIVE:
            shard = claim_shard(job.pk)
            if shard is not None:
                shard.job = job
                with journal.about(shard=str(shard.index)):
                    judge_shard(shard)
                packing.pack_early(shard)
                return True
            if all_shards_done(job):
                with job_lease(job) as held:
                    if held:
                        _finish(job)
                packing.pack_done(job)  # whoever waits for the result has it by now
    return False


@traces.span("plan job")
def _plan(job: Job) -> bool:
    try:
        return plan(job)
    except Unplannable as error:
        fail(job, str(error))
    except AWAY:
        raise
    except Exception:
        logger.exception("cannot plan job %s", job)
        fail(job, "The platform could not plan the job: an unexpected error, noted in the server's log.")
    return False


@traces.span("finish job")
def _finish(job: Job) -> None:
    try:
        finish(job)
    except AWAY:
        raise
    except Exception:
        logger.exception("cannot finish job %s", job)
        fail(job, "The platform could not write the results: an unexpected error, noted in the server's log.")


@traces.span("judge shard")
def judge_shard(shard: Shard) -> None:
    """Judge the rows of a claimed shard that are not stored yet, and give the shard back."""
    job = shard.job
    try:
        run = ShardRun(shard, Setup.of(job, shard.part))
        connection.close()  # for minutes nobody uses it, and the pool is small
        whole = asyncio.run(run.judge())
        release_shard(shard, ShardState.DONE if whole else ShardState.WAITING)
        if draining.is_set() and not whole:
            wake(job.pk)  # whoever goes on need not wait for the sweep
    except LeaseLost as lost:
        logger.warning("%s", lost)
        return
    except (RunAborted, EgressRefused, SecretUnreadable, RowsUnreadable) as error:
        release_shard(shard, ShardState.WAITING)
        fail(job, str(error))
    except AWAY:
        raise
    except Exception:
        logger.exception("cannot judge shard %s of job %s", shard.index, job)
        release_shard(shard, ShardState.WAITING)
        fail(job, "The platform could not judge the rows: an unexpected error, noted in the server's log.")
    job.refresh_from_db(fields=["state"])
    settle(job)
