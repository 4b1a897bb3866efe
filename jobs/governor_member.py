"""A member of a line: how one shard's run talks to the rate governor, and goes by itself while its store is away."""

import logging
import time
from dataclasses import asdict, dataclass, field, replace

from assay.jobs.governor import Ask, Grant, Line, sync
from assay.jobs.governor_learning import Learned, Phase, Seen
from assay.jobs.governor_stores import Store, StoreAway

logger = logging.getLogger(__name__)

USUAL_MEMBERS = 4
"""So many are taken to share a line of which nothing was heard yet."""


@dataclass
class Membership:
    """Blocks, for a quarter of a second at most: not for the event loop's thread."""

    store: Store
    knew: Learned | None = None
    members: int = USUAL_MEMBERS
    alone: Line | None = field(default=None, init=False)
    """The line as the member sees it that cannot reach the others."""

    def sync(self, name: str, ask: Ask) -> Grant:
        """Say how the member stands, and return what it is told."""
        ask.knew = self.knew
        try:
            grant = self.store.change(name, lambda document, now: _changed(document, ask, now))
        except StoreAway as away:
            if self.alone is None:
                logger.warning("calls are paced carefully: the rate governor's store is away (%s)", away)
            return self._by_itself(ask)
        self.alone = None
        self.knew, self.members = grant.learned, max(1, grant.members)
        return grant

    def _by_itself(self, ask: Ask) -> Grant:
        """Take no more than a fair share of what is known to be allowed."""
        if self.alone is None:
            self.alone = Line(learned=Learned(**asdict(self.knew)) if self.knew else Learned())
        limits, known = ask.limits, self.knew is not None and self.knew.phase is not Phase.OPEN
        if known:
            # What one member sees of a line does not tell what the line allows; only what it is asked for counts.
            ask.seen = Seen(wait=ask.seen.wait)
        if known or limits.requests_per_minute or limits.tokens_per_minute:
            ask.share = 1 / self.members
        if limits.calls_in_flight:
            ask.limits = replace(limits, calls_in_flight=max(1, limits.calls_in_flight // self.members))
        ask.knew = None
        return sync(self.alone, ask, time.time())


def _changed(document: bytes | None, ask: Ask, now: float) -> tuple[bytes, Grant]:
    line = Line.read(document)
    grant = sync(line, ask, now)
    return line.document(), grant
