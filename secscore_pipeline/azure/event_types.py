"""The event types that are read from Azure, and the fetches of many subscriptions side by side."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import islice, product
from types import MappingProxyType
from typing import TYPE_CHECKING

from secscore_pipeline.azure.errors import (
    AzureError,
    NoScoreYet,
    Outcome,
    RequestError,
    SignInError,
    is_version_refused,
)
from secscore_pipeline.azure.pages import USUAL_BOUNDS, ListBounds, Page
from secscore_pipeline.azure.parallel import run_side_by_side
from secscore_pipeline.clock import Clock

if TYPE_CHECKING:  # the names of event types are settings, which commands without a connection check too
    from secscore_pipeline.azure.arm import ArmClient

API_VERSION = "2020-01-01"
"""The api-version of secure scores and their controls: the newest that they have."""

RECOMMENDATION_VERSIONS = ("2025-05-04", "2021-06-01", "2020-01-01")
"""Those of recommendations, the newest first: with risk and dates, with dates, with neither."""

_MANY_RECORDS = ListBounds(pages=5000, size=512 * 1024 * 1024, deadlines=4)
"""A list of 500,000 recommendations in pages of 100, at about 1 kB each; it takes an hour where a page takes 0.7 s."""


@dataclass(frozen=True)
class EventType:
    """One kind of record that Azure serves for a subscription.

    Attributes:
        name: our name of it, also the name of its raw table.
        collection: the last segment of its path.
        api_versions: those that can be read, the best first; the next one is for a cloud that does not know it.
        params: the query beside `api-version`.
        bounds: what its list may come to.
        empty_outcome: what a list without records says of the subscription.

    Source: secureScore.json, operations SecureScores_List and SecureScoreControls_List; assessments.json, operation
    Assessments_List; assessmentMetadata.json, operation AssessmentsMetadata_ListBySubscription.
    """

    name: str
    collection: str
    api_versions: tuple[str, ...]
    params: Mapping[str, str] = field(default_factory=dict, hash=False)
    bounds: ListBounds = USUAL_BOUNDS
    empty_outcome: Outcome = Outcome.COMPLETE

    def path(self, subscription_id: str) -> str:
        """Return the path of the list for one subscription."""
        return f"/subscriptions/{subscription_id}/providers/Microsoft.Security/{self.collection}"


SECURE_SCORES = EventType("secure_scores", "secureScores", (API_VERSION,), empty_outcome=Outcome.NO_SCORE)
SECURE_SCORE_CONTROLS = EventType(
    "secure_score_controls",
    "secureScoreControls",
    (API_VERSION,),
    MappingProxyType({"$expand": "definition"}),
    empty_outcome=Outcome.NO_SCORE,
)
ASSESSMENTS = EventType("assessments", "assessments", RECOMMENDATION_VERSIONS, bounds=_MANY_RECORDS)
ASSESSMENT_METADATA = EventType("assessment_metadata", "assessmentMetadata", RECOMMENDATION_VERSIONS)
"""The texts of recommendations; below a subscription, since only that list has its custom ones and is of its tenant."""

PageKeeper = Callable[[EventType, str, Page], object]
"""Is called with each page as it arrives, and with what and whose it is; by several threads at once."""


def discard_page(event_type: EventType, subscription_id: str, page: Page) -> None:
    """Keep nothing of a page: for who wants to know no more than how a fetch ends."""


@dataclass(frozen=True)
class Fetch:
    """One look at one subscription for one event type: whole, or with a reason why not.

    Attributes:
        started_at, finished_at: UTC.
        outcome: how it ended. Unless it is `complete`, what was kept of its pages is not to be used.
        http_status: status of the last answer, None when there was none.
        error_code: Azure's error code; error: what happened and what to do, None when all went well.
        failure: the error's name in the catalogue of failures.
        pages, records: how many were read, 0 where an error ended it.
        request_ids: ARM's id of each page, or of every answer where an error ended it.
        api_version: that in which its list was read; None where none was.
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
    pages: int = 0
    records: int = 0
    request_ids: tuple[str | None, ...] = field(default=())
    api_version: str | None = None


def fetch(
    client: "ArmClient",
    event_type: EventType,
    subscription_id: str,
    clock: Clock,
    keep: PageKeeper = discard_page,
    most_pages: int | None = None,
) -> Fetch:
    """Look at one subscription; whatever Azure does, the result says how it went.

    Args:
        client: the signed-in transport.
        event_type: what to read.
        subscription_id: where to read it.
        clock: tells the present time.
        keep: gets each page once, as it arrives: also those before an error.
        most_pages: how many pages to read; None: all.
    """
    started_at = clock()
    request_ids: list[str | None] = []
    records = 0
    try:
        for page in islice(_read_pages(client, event_type, subscription_id), most_pages):
            keep(event_type, subscription_id, page)
            request_ids.append(page.request_id)
            records += len(page.records)
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
    return Fetch(
        event_type,
        subscription_id,
        started_at,
        clock(),
        Outcome.COMPLETE if records else event_type.empty_outcome,
        200,
        pages=len(request_ids),
        records=records,
        request_ids=tuple(request_ids),
        api_version=_list_versions(client, event_type)[0],
    )


def _list_versions(client: "ArmClient", event_type: EventType) -> list[str]:
    """Return the api-versions that this Azure was not seen to refuse, the best first, and the last one in any case."""
    *others, last = event_type.api_versions
    return [*(one for one in others if (event_type.collection, one) not in client.refused_versions), last]


def _read_pages(client: "ArmClient", event_type: EventType, subscription_id: str) -> Iterator[Page]:
    """Yield the pages of a list, in the first of its api-versions that this Azure was not seen to refuse.

    A version that is refused is not asked for again with this client. No page is read in two versions.
    """
    for version in _list_versions(client, event_type):
        params = {"api-version": version, **event_type.params}
        pages = client.pages(event_type.path(subscription_id), params, event_type.bounds)
        try:
            first = next(pages)
        except RequestError as error:
            if version == event_type.api_versions[-1] or not is_version_refused(error.code):
                raise
            client.refused_versions.add((event_type.collection, version))
            continue
        yield first
        yield from pages
        return


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
    client: "ArmClient",
    event_types: Sequence[EventType],
    subscription_ids: Iterable[str],
    clock: Clock,
    keep: PageKeeper = discard_page,
    most_pages: int | None = None,
) -> Iterator[Fetch]:
    """Fetch every subscription for every event type, many at a time, and yield each fetch as it ends.

    As many are under way as the client's pace allows; one that waits for its next try holds up no other. Of each, one
    page is in memory, which grows neither with their number nor with the length of their lists.

    A refused sign-in is asked for once, and is then what every fetch ended with.

    Args:
        client: the transport; it is signed in here.
        event_types: what to read, side by side.
        subscription_ids: where to read it; each is taken when its turn comes.
        clock: tells the present time.
        keep: gets each page as it arrives, in the thread that has read it.
        most_pages: how many pages of each list to read; None: all.
    """
    try:
        client.sign_in()
    except SignInError as error:
        now = clock()
        for subscription_id, event_type in product(subscription_ids, event_types):
            yield _make_failed_fetch(event_type, subscription_id, now, now, error)
        return
    work = (
        partial(fetch, client, event_type, subscription_id, clock, keep, most_pages)
        for subscription_id in subscription_ids
        for event_type in event_types
    )
    yield from run_side_by_side(work, client.pace, client.stop)
