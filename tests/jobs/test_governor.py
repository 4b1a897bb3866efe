"""The rate governor in simulated time: what it lets through, to whom, and what it does when things go away."""

import pytest

from assay.jobs.governor import HORIZON_SECONDS, MEMBER_SECONDS, Ask, Limits, Line, sync
from assay.jobs.governor_headers import Window
from assay.jobs.governor_learning import Seen
from tests.jobs.simulated_line import World, bucket, fixed, random_refusals, sliding

ALLOWED = 120
SAID = Limits(requests_per_minute=ALLOWED)


def most_in(world: World, seconds: float) -> int:
    """The most calls in any span of so many seconds."""
    times = [call.at for call in world.calls]
    return max(sum(start <= at < start + seconds for at in times) for start in times)


@pytest.mark.parametrize("shards", [1, 4])
def test_what_people_say_is_used_up_and_never_exceeded(shards: int) -> None:
    world = World(sliding(ALLOWED), SAID)
    world.jobs(jobs=3, shards=shards, parallelism=4)
    world.run(180)
    assert world.refused() == 0
    assert world.done() >= 0.95 * 3 * ALLOWED
    assert most_in(world, 1.0) <= 5, "calls are spread evenly"


def test_jobs_share_evenly_however_many_shards_each_has() -> None:
    world = World(sliding(ALLOWED), SAID)
    world.join("a", "alone", parallelism=2)
    for shard in range(8):
        world.join(f"b{shard}", "of eight shards", parallelism=8)
    world.run(120)
    shares = [world.done(job=job) for job in ("alone", "of eight shards")]
    assert min(shares) >= 0.45 * sum(shares)


def test_who_joins_gets_its_share_at_once_and_none_for_the_time_before() -> None:
    world = World(sliding(1200), Limits(1200))
    world.join("a", "first", parallelism=32)
    world.run(60)
    world.join("b", "second", parallelism=32)
    world.run(120)
    first, second = (world.done(61, 120, job) for job in ("first", "second"))
    assert abs(first - second) <= 0.1 * (first + second)
    assert first + second >= 0.95 * 20 * 59


def test_what_one_does_not_want_goes_to_the_others() -> None:
    world = World(sliding(ALLOWED), SAID)
    world.join("a", "busy", parallelism=16)
    world.join("b", "nearly idle", parallelism=1, latency=10.0)
    world.join("c", "soon done", parallelism=4, rows=5)
    world.run(120)
    assert world.done(job="soon done") == 5
    assert world.done(20, 120) >= 0.95 * 2 * 100
    assert world.done(20, 120, "busy") >= 0.8 * 2 * 100


def test_a_member_that_dies_holds_the_others_up_for_seconds_only() -> None:
    world = World(sliding(ALLOWED), SAID)
    victim = world.join("a", "killed", parallelism=8)
    world.join("b", "left", parallelism=8)
    world.run(60)
    victim.alive = False
    world.run(120)
    assert world.done(60 + MEMBER_SECONDS, 120, "left") >= 0.95 * 1.94 * (60 - MEMBER_SECONDS)
    assert set(world.line.members) == {"b"}


def test_calls_in_flight_are_bounded_over_all_and_nobody_starves() -> None:
    world = World(lambda now: random_refusals(0)(now), Limits(calls_in_flight=3))
    world.jobs(jobs=2, shards=3, parallelism=4)
    most = 0
    while world.now < 120:
        world.run(world.now + 0.05)
        most = max(most, sum(member.flying for member in world.members))
    assert most <= 3
    assert world.done() >= 0.75 * 3 * 120 / 0.3, "hardly any of it idle"
    by_member = [world.done(job=f"job {job}") for job in range(2)]
    assert min(by_member) >= 0.4 * sum(by_member)
    assert all(member.most_flying >= 1 for member in world.members)


def test_tokens_are_counted_as_the_server_counts_them() -> None:
    line, now, calls = Line(), 1000.0, 0
    limits, took = Limits(tokens_per_minute=60_000), 2000
    while now < 1120:
        seen = Seen(ok=calls, counted=calls, tokens=calls * took)
        grant = sync(line, Ask("a", "job", waits=10, seen=seen, limits=limits, tokens=100.0), now)
        calls = len(grant.starts)
        total = locals().get("total", 0) + (calls if now >= 1060 else 0)
        now += 0.25
    assert 0.9 * 60_000 <= total * took <= 60_000


def test_jobs_with_long_prompts_have_no_more_tokens_than_others() -> None:
    line = Line()
    now, limits = 1000.0, Limits(requests_per_minute=600, tokens_per_minute=60_000)
    grants = [sync(line, Ask(f"m{n}", f"job {n}", waits=5, limits=limits), now) for n in range(3)]
    assert all(grant.why == "tokens" for grant in grants)
    assert sum(len(grant.starts) for grant in grants) <= 6


LEARNED = {
    "sliding": lambda **also: sliding(ALLOWED, **also),
    "fixed": lambda **also: fixed(ALLOWED, offset=20, **also),
    "bucket of 2": lambda **also: bucket(ALLOWED, 2, **also),
    "bucket of 10": lambda **also: bucket(ALLOWED, 10, **also),
    "bucket of 120": lambda **also: bucket(ALLOWED, 120, **also),
}


@pytest.mark.parametrize("parallelism", [pytest.param(2, marks=pytest.mark.thorough), 8])
@pytest.mark.parametrize("telling", [False, True], ids=["silent", "retry-after"])
@pytest.mark.parametrize("server", LEARNED)
def test_a_limit_is_learned_within_the_first_minute(server: str, telling: bool, parallelism: int) -> None:
    world = World(LEARNED[server](telling=telling))
    world.jobs(parallelism=parallelism)
    world.run(240)
    assert world.done() >= 0.9 * 4 * ALLOWED
    assert world.refused(60, 240) <= 0.025
    shares = [world.done(job=f"job {job}") for job in range(3)]
    assert min(shares) >= 0.8 * sum(shares) / 3


def test_a_limit_in_headers_is_kept_before_there_is_a_refusal() -> None:
    world = World(sliding(ALLOWED, headers=True))
    world.jobs(parallelism=2)
    world.run(180)
    assert world.refused() == 0
    assert world.done() >= 0.9 * 3 * ALLOWED


@pytest.mark.parametrize("wait", [0.0, 1.0], ids=["silent", "retry-after"])
@pytest.mark.parametrize("share", [0.1, 0.2])
def test_random_refusals_slow_nobody_down(share: float, wait: float) -> None:
    world = World(random_refusals(share, wait=wait))
    world.jobs(parallelism=8)
    most = 0.0
    while world.now < 120:
        world.run(world.now + 10)
        most = max(most, world.line.learned.rate)
    assert most == 0.0, "the line was taken for limited"


@pytest.mark.thorough
def test_a_limit_that_was_raised_is_found_out() -> None:
    limits = [sliding(ALLOWED)]
    world = World(lambda now: limits[0](now))
    world.jobs(parallelism=8)
    world.run(300)
    limits[0] = sliding(5 * ALLOWED)
    world.run(1800)
    assert world.done(1500, 1800) >= 0.85 * 5 * 5 * ALLOWED
    assert world.refused(300, 1800) <= 0.02


def test_a_limit_that_was_lowered_is_found_out() -> None:
    limits = [sliding(ALLOWED)]
    world = World(lambda now: limits[0](now))
    world.jobs(parallelism=8)
    world.run(300)
    limits[0] = sliding(ALLOWED // 2)
    world.run(720)
    assert world.done(420, 720) >= 0.85 * 5 * ALLOWED / 2
    assert world.refused(420, 720) <= 0.03


def test_what_is_learned_outlives_the_document() -> None:
    world = World(sliding(ALLOWED))
    world.jobs(parallelism=8)
    world.run(100)
    world.flush()
    world.run(160)
    assert world.refused(100, 160) <= 0.02
    assert world.done(100, 160) >= 0.9 * ALLOWED


def test_retry_after_holds_everybody() -> None:
    line, limits = Line(), Limits(600)
    sync(line, Ask("a", "one", limits=limits, seen=Seen(refused=1, in_a_row=1, telling=1, wait=20.0)), 1000.0)
    grant = sync(line, Ask("b", "two", waits=5, limits=limits), 1001.0)
    assert (grant.starts, grant.why) == ([], "held")
    assert grant.next_call == pytest.approx(19.0)
    assert sync(line, Ask("b", "two", waits=5, limits=limits), 1020.1).starts


def test_nothing_is_handed_out_where_nothing_is_limited() -> None:
    line = Line()
    grant = sync(line, Ask("a", "job", waits=9), 1000.0)
    assert (grant.limited, grant.starts, grant.flight, grant.why) == (False, [], None, "")


def test_terms_take_effect_at_the_next_word() -> None:
    world = World(lambda now: random_refusals(0)(now))
    world.jobs(parallelism=8)
    world.run(10)
    world.limits = SAID
    world.run(70)
    assert world.done(11, 70) <= 1.05 * 2 * 59
    world.limits = Limits()
    world.run(80)
    assert world.done(71, 80) > 400


def test_a_clock_that_is_set_back_stops_nobody() -> None:
    line = Line()
    sync(line, Ask("a", "job", waits=3, limits=SAID), 5000.0)
    grant = sync(line, Ask("a", "job", waits=3, limits=SAID), 1000.0)
    assert grant.starts
    assert all(0 <= start <= HORIZON_SECONDS for start in grant.starts)


@pytest.mark.parametrize("document", [b"", b"{", b"[]", b'{"version": 9}', b'{"members": {"a": 1}}'])
def test_a_document_that_cannot_be_read_is_a_new_one(document: bytes) -> None:
    assert Line.read(document) == Line()


def test_a_document_is_read_as_it_was_written() -> None:
    world = World(sliding(ALLOWED, headers=True), SAID)
    world.jobs()
    world.run(20)
    assert world.line.windows["requests"].limit == ALLOWED
    assert Line.read(world.line.document()) == world.line
    assert isinstance(world.line.windows["requests"], Window)
