"""The limits of the local Azure: token buckets, as Azure Resource Manager has them for each identity."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.responses import JSONResponse, Response

_SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)", re.IGNORECASE)


@dataclass
class Limit:
    """How many requests an identity may make: a bucket of tokens, one for each request, that fills up again.

    Documented are 250 tokens and 25 more a second for reads, for each subscription and identity, and the same for what
    belongs to no subscription. `is_shared` has one bucket for all of an identity's reads, as a resource provider may
    have: whether Microsoft.Security has one is not documented, so this is an assumption.

    Attributes:
        size: tokens in a full bucket.
        refill: tokens that come back each second.
        is_shared: whether all subscriptions share an identity's bucket.
        clock: returns seconds that never run backwards.
        refused: how many requests were refused so far; `granted` how many were not.
    """

    size: float
    refill: float
    is_shared: bool
    clock: Callable[[], float]
    refused: int = 0
    granted: int = 0
    _buckets: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def refuse(self, path: str, identity: str) -> Response | None:
        """Take a token for a request; return the refusal where there is none."""
        found = _SUBSCRIPTION.match(path)
        subscription = found[1].lower() if found else ""
        key = ("" if self.is_shared else subscription, identity)
        now = self.clock()
        tokens, since = self._buckets.get(key, (self.size, now))
        tokens = min(self.size, tokens + (now - since) * self.refill)
        if tokens >= 1:
            self.granted += 1
            self._buckets[key] = (tokens - 1, now)
            return None
        self.refused += 1
        self._buckets[key] = (tokens, now)
        seconds = math.ceil((1 - tokens) / self.refill)
        message = (
            f"Number of 'read' requests for subscription '{subscription}' actor '{identity}' exceeded. "
            f"Please try again after '{seconds}' seconds."
        )
        error = {"error": {"code": "SubscriptionRequestsThrottled", "message": message}}
        return JSONResponse(error, 429, {"Retry-After": str(seconds)})
