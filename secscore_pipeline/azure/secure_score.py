"""The two event types of the Secure Score API, and the fetches of many subscriptions side by side."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from types import MappingProxyType

from secscore_pipeline.azure.arm import ArmClient, Page
from secscore_pipeline.azure.errors import (
    AzureError,
    NoScoreYet,
    Outcome,
    RequestError,
    SignInError,
    convert_unforeseen_errors,
)
from secscore_pipeline.azure.parallel import run_side_by_side
from secscore_pipeline.clock import Clock

API_VERSION = "2020-01-01"


@dataclass(frozen=True)
class EventType:
    """One kind of record that the API serves for a subscription.

    Attributes:
        name: our name of it, also the name of its raw table.
        collection: the last segment of its path.
        params: the query, `api-version` included.

    Source: secureScore.json, operations SecureScores_List and SecureScoreControls_List.
    """

    name: str
    collection: str
    params: Mapping[str, str]

    def path(self, subscription_id: str) -> str:
        """Return the path of the list for one subscription."""
        return f"/subscriptions/{subscription_id}/providers/Microsoft.Security/{self.collection}"


SECURE_SCORES = EventType("secure_scores", "secureScores", MappingProxyType({"api-version": API_VERSION}))
SECURE_SCORE_CONTROLS = EventType(
    "secure_score_controls",
    "secureScoreControls",
    MappingProxyType({"api-version": API_VERSION, "$expand": "definition"}),
)


@dataclass(frozen=True)
class Fetch:
    """One fetch: one subscription for one event type, whole, or without records and with a reason.

    Attributes:
        started_at, finished_at: UTC.
        outcome: how it ended.
        http_status: status of the last answer, None when there was none.
        error_code: Azure's error code; error: what happened and what to do, None when all went well.
        failure: the error's name in the catalogue of failures.
        pages: what was read, empty unless the outcome is `complete`.
        request_ids: ARM's id of each page, or of every answer where an error ended it.
    """

    event_type: EventType
    subscription_id: str
    started_at: datetime
    finished_at: datetime
    outcome: Outcome
    http_status: int | None = None
    error_code: str | None = None
    error: str | None = None
    failure: str | None = None
    pages: tuple[Page, ...] = ()
    request_ids: tuple[str | None, ...] = field(default=())

    @property
    def records(self) -> int:
        """How many records the pages hold."""
        return sum(len(page.records) for page in self.pages)


def fetch(client: ArmClient, event_type: EventType, subscription_id: str, clock: Clock) -> Fetch:
    """Read one subscription; whatever Azure does, the result says how it went.

    Args:
        client: the signed-in transport.
        event_type: what to read.
        subscription_id: where to read it.
        clock: returns the present time.
    """
    started_at = clock()
    try:
        with convert_unforeseen_errors("The reading failed in a way that was not foreseen", "answer-unusable"):
            pages = tuple(client.pages(event_type.path(subscription_id), event_type.params))
    except NoScoreYet as state:
        return Fetch(
            event_type,
            subscription_id,
            started_at,
            clock(),
            Outcome.NO_SCORE,
            state.http_status,
            state.code,
            request_ids=state.request_ids,
        )
    except AzureError as error:
        return _make_failed_fetch(event_type, subscription_id, started_at, clock(), error)
    outcome = Outcome.COMPLETE if any(page.records for page in pages) else Outcome.NO_SCORE
    ids = tuple(page.request_id for page in pages)
    return Fetch(event_type, subscription_id, started_at, clock(), outcome, 200, pages=pages, request_ids=ids)


def _make_failed_fetch(
    event_type: EventType, subscription_id: str, started_at: datetime, finished_at: datetime, error: AzureError
) -> Fetch:
    """Return the fetch that an error ended, with what Azure answered where it did."""
    failed = Fetch(
        event_type, subscription_id, started_at, finished_at, Outcome.FAILED, error=str(error), failure=error.failure
    )
    if not isinstance(error, RequestError):
        return failed
    return replace(
        failed,
        outcome=error.outcome,
        http_status=error.http_status,
        error_code=error.code,
        request_ids=error.request_ids,
    )


def fetch_all(
    client: ArmClient,
    event_type: EventType,
    subscription_ids: Sequence[str],
    clock: Clock,
    max_connections: int,
) -> Iterator[Fetch]:
    """Fetch every subscription, many at a time, and yield each fetch as it ends.

    Twice as many fetches as requests are under way, so that one which waits for its next try holds up no other;
    no more are in memory at once, so memory does not grow with their number.

    A sign-in is tried once; where it is refused, every fetch ends with that.
    """
    try:
        client.sign_in()
    except SignInError as error:
        now = clock()
        for subscription_id in subscription_ids:
            yield _make_failed_fetch(event_type, subscription_id, now, now, error)
        return
    work = (partial(fetch, client, event_type, subscription_id, clock) for subscription_id in subscription_ids)
    yield from run_side_by_side(work, min(2 * max_connections, len(subscription_ids)), client.stop)
