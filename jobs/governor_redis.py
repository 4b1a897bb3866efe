"""The governor's documents in Redis, for a team whose workers run on several machines."""

import time

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from assay.jobs.governor_stores import KEPT_SECONDS, PATIENCE_SECONDS, Step, StoreAway, T, digest

CONFLICTS = 50
AWAY_SECONDS = 1.0
"""After a failure nobody in this process tries again for so long: each trial costs its timeout."""

# Written only if it still is what was read; an empty value stands for no document.
COMPARE_AND_SET = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


class RedisStore:
    """One key a document; its clock is the server's, so that machines need not agree on the time."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=PATIENCE_SECONDS,
            socket_connect_timeout=PATIENCE_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._compare_and_set = self._redis.register_script(COMPARE_AND_SET)
        self._away_until = 0.0

    def change(self, name: str, step: Step[T]) -> T:
        if time.monotonic() < self._away_until:
            raise StoreAway("Redis did not answer a moment ago")
        key = f"assay:line:{digest(name)}"
        try:
            for _ in range(CONFLICTS):
                reading = self._redis.pipeline(transaction=False)
                reading.get(key)
                reading.time()
                found, (seconds, micros) = reading.execute()
                document, result = step(found, seconds + micros / 1e6)
                if self._compare_and_set(keys=[key], args=[found or b"", document, KEPT_SECONDS]):
                    return result
        except RedisError as error:
            self._away_until = time.monotonic() + AWAY_SECONDS
            raise StoreAway(str(error)) from error
        raise StoreAway("too many others change the same document")
