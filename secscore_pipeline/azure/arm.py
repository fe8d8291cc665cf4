"""The transport to Azure Resource Manager: GET requests only, paged, retried, each answer accounted for."""

import logging
import re
import resource
import sys
import threading
import time
import uuid
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec
import requests
from requests.auth import AuthBase
from urllib3.exceptions import MaxRetryError
from urllib3.util.retry import Retry

from secscore_pipeline.azure.answers import (
    Answer,
    ListEnvelope,
    decode_claims_challenge,
    decode_error,
    decode_list,
    status_of_error,
)
from secscore_pipeline.azure.clouds import Cloud
from secscore_pipeline.azure.errors import (
    InterruptedReadError,
    NoScoreYet,
    RequestError,
    classify_answer,
    convert_unforeseen_errors,
    is_no_score,
)
from secscore_pipeline.azure.exchange import AnswerTooLargeError, complete_within
from secscore_pipeline.azure.origins import host_of, is_same_origin
from secscore_pipeline.azure.pace import Pace
from secscore_pipeline.azure.pages import USUAL_BOUNDS, ListBounds, Page
from secscore_pipeline.azure.session import Session, is_untrusted, read_retry_after
from secscore_pipeline.azure.tokens import TokenSource
from secscore_pipeline.system.redaction import quote_answer
from secscore_pipeline.text import printable

log = logging.getLogger(__name__)

MAX_EMPTY_PAGES = 100
"""How many pages without records may follow each other. Azure was seen to send them again and again, a minute each
(Azure/azure-sdk-for-js#17907); how many was not reported."""

MAX_PAGE_BYTES = 32 * 1024 * 1024
"""How much one page may hold, unpacked: a hundred times what Azure was seen to send."""

_RETRY = Retry(
    total=6,
    status_forcelist=(408, 429, 500, 502, 503, 504),
    backoff_factor=0.25,
    backoff_max=30,
    backoff_jitter=0.5,
    retry_after_max=120,
)


@dataclass(frozen=True)
class Patience:
    """How long to keep trying one request.

    Attributes:
        retry: urllib3's policy: how often, after which statuses, with what back-off (seconds).
        connect_timeout, read_timeout: seconds to wait for a connection and for the next bytes.
        deadline: seconds for one request in all, its retries and waits included.
        list_deadline: seconds for all pages of a list.
    """

    retry: Retry = _RETRY
    connect_timeout: float = 10
    read_timeout: float = 60
    deadline: float = 300
    list_deadline: float = 900


class _Bearer(AuthBase):
    """Sets the token on one request; as an `auth` it also keeps .netrc out."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _count_affordable_connections() -> int:
    """Return how many connections take no more than half of the files that this process may have open."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if limit == resource.RLIM_INFINITY else max(1, limit // 2)


class ArmClient:
    """Reads lists from Azure Resource Manager. It sends GET and nothing else.

    Args:
        cloud: where ARM lives.
        tokens: where bearer tokens come from.
        ca_bundle: PEM file with the certificates to trust; None for the usual ones.
        max_connections: how many requests may be under way at most, where the process may open as many files; `pace`
            says how many are now.
        patience: how long to keep trying.

    Attributes:
        pace: how many requests may be under way now. One that waits for its next try is not.
        refused_versions: the collections and api-versions that this Azure was seen not to know.
    """

    def __init__(
        self,
        cloud: Cloud,
        tokens: TokenSource,
        ca_bundle: str | None = None,
        max_connections: int = 32,
        patience: Patience | None = None,
    ) -> None:
        self._cloud = cloud
        self._tokens = tokens
        self.pace = Pace(min(max_connections, _count_affordable_connections()), time.monotonic)
        self._patience = patience or Patience()
        self.refused_versions: set[tuple[str, str]] = set()
        self._stop = threading.Event()
        self._session = Session(
            ca_bundle,
            max_connections,
            deadline=self._patience.deadline,
            max_bytes=MAX_PAGE_BYTES,
            origin=cloud.arm_endpoint,
            stop=self._stop,
        )

    def sign_in(self) -> None:
        """Get a first token, so that a refused sign-in ends a run before it begins.

        Raises:
            SignInError: Entra refused, or could not be reached.
        """
        self._tokens.token()

    @property
    def tenant_id(self) -> str | None:
        """The tenant that it is signed in to: its GUID, lower case; None before that, or where no token says so."""
        return self._tokens.tenant_id

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped: then it reads no more."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Make every request that is under way or waits, now or later, end with `InterruptedReadError`."""
        self._stop.set()
        self._tokens.stop()

    def pages(self, path: str, params: Mapping[str, str], bounds: ListBounds = USUAL_BOUNDS) -> Iterator[Page]:
        """Yield the pages of the list at `path` as they arrive, following `nextLink` to the end.

        Args:
            path: the path below the ARM endpoint, beginning with a slash.
            params: the query's parameters, `api-version` included.
            bounds: what the list may come to.

        Raises:
            RequestError: a page could not be had or understood, or its `nextLink` was not to be trusted.
            NoScoreYet: ARM says there is no secure score.
        """
        with convert_unforeseen_errors(f"The answer of GET {path} could not be understood", "answer-unusable"):
            yield from self._pages(path, params, bounds)

    def _pages(self, path: str, params: Mapping[str, str], bounds: ListBounds) -> Iterator[Page]:
        url = self._cloud.arm_endpoint + path
        ends_at = time.monotonic() + bounds.deadlines * self._patience.list_deadline
        answer = self._get(url, params, ends_at)
        seen = {url}
        bytes_left = bounds.size
        empty = 0
        for number in range(1, bounds.pages + 1):
            bytes_left -= len(answer.body)
            if bytes_left < 0:
                raise self._too_large(url, bounds.size, _ids(answer))
            page = self._decode(url, answer)
            records = tuple(bytes(record).decode() for record in page.value or ())
            yield Page(number, answer.request_id, records, is_last=not page.nextLink)
            if not page.nextLink:
                return
            empty = 0 if page.value else empty + 1
            if empty == MAX_EMPTY_PAGES:
                raise _make_link_error(f"{path} has {empty} pages without records one after the other", answer)
            url = self._check_link(page.nextLink, seen, answer)
            seen.add(url)
            answer = self._get(url, {}, ends_at)
        raise _make_link_error(f"{path} did not end after {bounds.pages} pages", answer)

    def _check_link(self, next_link: str, seen: set[str], answer: Answer) -> str:
        """Return `next_link` if a token may be sent there: same scheme, host and port, and not seen before."""
        problem = None
        if not is_same_origin(next_link, self._cloud.arm_endpoint):
            problem = (
                f"points away from {self._cloud.arm_endpoint} to {host_of(next_link)}: the token was not sent there"
            )
        elif next_link in seen:
            problem = "leads back to a page that was read already"
        if problem is None:
            return next_link
        raise _make_link_error(f"A nextLink {problem}", answer)

    def _decode(self, url: str, answer: Answer) -> ListEnvelope:
        if answer.page is None:
            raise RequestError(
                f"The answer of {_describe_url(url)} is JSON but not a list.",
                "not-azure",
                http_status=answer.status,
                request_ids=_ids(answer),
            )
        return answer.page

    def _get(self, url: str, params: Mapping[str, str], ends_at: float) -> Answer:
        """GET one URL until there is a whole JSON answer of status 200, patience ends, or ARM says no."""
        retry = self._patience.retry
        deadline = min(time.monotonic() + self._patience.deadline, ends_at)
        request_ids: list[str] = []
        renewed = False
        token = self._tokens.token()
        while True:
            if self._stop.is_set():
                raise InterruptedReadError
            problem: Exception | None = None
            answer: Answer | None = None
            try:
                with complete_within(deadline - time.monotonic()):
                    answer = self._once(url, params, token)
            except (requests.exceptions.RequestException, msgspec.DecodeError, UnicodeDecodeError) as error:
                problem = error
            if answer is not None:
                request_ids.extend(_ids(answer))
                if answer.status == 429:
                    self.pace.was_refused(_limited_part(url), read_retry_after(answer.headers) or 0.0)
                else:
                    self.pace.was_answered(urlsplit(url).path.rpartition("/")[2], answer.seconds)
                if answer.status == 200:
                    return answer
                if answer.status == 401 and not renewed:
                    renewed = True
                    token = self._tokens.renew(token, decode_claims_challenge(answer))
                    continue
                if not retry.is_retry("GET", answer.status, "Retry-After" in answer.headers):
                    raise self._make_refusal(url, answer, tuple(request_ids))
            retry = self._next_try(retry, url, answer, problem, tuple(request_ids), deadline)

    def _once(self, url: str, params: Mapping[str, str], token: str) -> Answer:
        with self.pace:
            response = self._session.get(
                url,
                params=params,
                auth=_Bearer(token),
                headers={"Accept": "application/json", "x-ms-client-request-id": str(uuid.uuid4())},
                timeout=(self._patience.connect_timeout, self._patience.read_timeout),
            )
        body, seconds = response.content.removeprefix(BOM_UTF8), response.elapsed.total_seconds()
        if response.status_code == 200:
            if token.encode() in body:
                raise RequestError(
                    f"The answer of {_describe_url(url)} held the token it was asked with, and was not kept.",
                    "secret-echoed",
                    http_status=200,
                )
            page = decode_list(body)
            status = 200 if page else status_of_error(body)
            return Answer(status, response.headers, body, response.raw, seconds, page)
        return Answer(response.status_code, response.headers, body, response.raw, seconds)

    def _next_try(
        self,
        retry: Retry,
        url: str,
        answer: Answer | None,
        problem: Exception | None,
        request_ids: tuple[str, ...],
        deadline: float,
    ) -> Retry:
        """Wait as urllib3's policy says and return the policy for the next try, or give up."""
        if is_untrusted(problem) or isinstance(problem, AnswerTooLargeError):
            raise self._given_up(url, answer, problem, request_ids) from problem
        try:
            following = retry.increment("GET", url, response=answer and answer.raw, error=problem)  # type: ignore[arg-type]
        except (
            MaxRetryError,
            requests.exceptions.RequestException,
            msgspec.DecodeError,
            UnicodeDecodeError,
        ) as error:
            raise self._given_up(url, answer, problem, request_ids) from error
        retry_after = read_retry_after(answer.headers) if answer is not None else None
        seconds = max(following.get_backoff_time(), retry_after or 0.0)
        if time.monotonic() + seconds > deadline:
            raise self._given_up(url, answer, problem, request_ids) from problem
        log.debug("retrying %s in %.1f s after %s", _describe_url(url), seconds, problem or (answer and answer.status))
        with self.pace.pauses():
            if self._stop.wait(seconds):
                raise InterruptedReadError
        return following

    def _given_up(
        self, url: str, answer: Answer | None, problem: Exception | None, request_ids: tuple[str, ...]
    ) -> RequestError | NoScoreYet:
        if answer is not None:
            return self._make_refusal(url, answer, request_ids)
        if isinstance(problem, AnswerTooLargeError):
            return self._too_large(url, MAX_PAGE_BYTES, request_ids)
        if is_untrusted(problem):
            return RequestError(f"The TLS certificate of {self._cloud.arm_endpoint} is not trusted.", "tls-untrusted")
        if isinstance(problem, msgspec.DecodeError | UnicodeDecodeError):
            return RequestError(
                f"The answer of {_describe_url(url)} is not JSON.",
                "not-azure",
                http_status=200,
                request_ids=request_ids,
            )
        return RequestError(
            f"{_describe_url(url)} could not be read ({type(problem).__name__}), its retries included.",
            "read-broken",
            request_ids=request_ids,
        )

    def _too_large(self, url: str, allowed: int, request_ids: tuple[str, ...]) -> RequestError:
        return RequestError(
            f"The answer of {_describe_url(url)} is larger than {allowed // 1024**2} MiB.",
            "answer-too-large",
            request_ids=request_ids,
        )

    def _make_refusal(self, url: str, answer: Answer, request_ids: tuple[str, ...]) -> RequestError | NoScoreYet:
        code, message = decode_error(answer.body)
        if is_no_score(answer.status, code, message):
            return NoScoreYet(answer.status, code, request_ids)
        if 300 <= answer.status < 400:
            return RequestError(
                f"{_describe_url(url)} answered with a redirect, which is not followed with a token.",
                "not-azure",
                http_status=answer.status,
                request_ids=request_ids,
            )
        meaning = classify_answer(answer.status, code)
        said = ": ".join(part for part in (code, message) if part)
        again = ", with a renewed token too" if answer.status == 401 else ""
        return RequestError(
            f"{_describe_url(url)} answered {answer.status}{again}{f' ({quote_answer(said)})' if said else ''}.",
            meaning.failure,
            outcome=meaning.outcome,
            http_status=answer.status,
            code=code,
            request_ids=request_ids,
            **_places(url, message),
        )


def _places(url: str, message: str | None) -> dict[str, str]:
    """Return what resolutions have places for: the subscription of a URL, and the identity that a 403 names."""
    found: dict[str, str] = {}
    if subscription := re.match(r"/subscriptions/([0-9a-f-]{36})(?:/|$)", urlsplit(url).path, re.IGNORECASE):
        found |= {"subscription_id": subscription[1], "scope": f"/subscriptions/{subscription[1]}"}
    if identity := re.search(r"object id '([0-9a-f-]{36})'", message or "", re.IGNORECASE):
        found["object_id"] = identity[1]
    return found


def _make_link_error(what: str, answer: Answer) -> RequestError:
    return RequestError(f"{what}.", "next-link", http_status=answer.status, request_ids=_ids(answer))


def _ids(answer: Answer) -> tuple[str, ...]:
    return (answer.request_id,) if answer.request_id else ()


def _limited_part(url: str) -> str:
    """Return the part of a URL that Azure's documented limits count for: its subscription, or the list of them."""
    return "/".join(urlsplit(url).path.lower().split("/")[:3])


def _describe_url(url: str) -> str:
    """Return a URL as it may be shown: without its host, which all share, and its query, a `nextLink`'s state."""
    return f"GET {printable(urlsplit(url).path[:300])}"
