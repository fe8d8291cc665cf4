"""The HTTP session of this package: everything that is sent to another machine goes through it.

It follows no redirect, reads no .netrc, ends each exchange by a deadline of its own clock, bounds what an answer may
bring, and ends at once when its owner stops. What it may be used for is a matter of the caller; how, is decided here.
"""

import io
import logging
import os
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from requests.utils import get_auth_from_url
from urllib3.exceptions import InvalidHeader, ProtocolError
from urllib3.util.retry import Retry

from secscore_pipeline.azure.errors import SignInError
from secscore_pipeline.azure.exchange import POLL_SECONDS, AnswerTooLargeError, BoundedAdapter, Exchange, bound_exchange
from secscore_pipeline.azure.origins import host_of, is_same_origin
from secscore_pipeline.system.redaction import register_secrets, take_over_library_loggers
from secscore_pipeline.text import printable, show_path

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection, where a request does not say."""

READ_TIMEOUT = 30.0
"""Seconds to wait for the next bytes, where a request does not say."""

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""How much an answer may hold, unpacked, where a session does not say."""

_CHUNK_BYTES = 1 << 16


class ForeignHostError(requests.exceptions.RequestException):
    """A request would have gone to another host than the one that the session is for. Nothing was sent."""


class _NoAuth(AuthBase):
    """Adds nothing: its presence keeps requests from taking credentials out of a URL."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class Session(requests.Session):
    """A session for one kind of partner, such as the sign-in host, Azure Resource Manager, or an alert's receiver.

    Proxies follow the usual variables. TLS is always verified. `ca_bundle`, when given, wins over REQUESTS_CA_BUNDLE
    and CURL_CA_BUNDLE, which requests would let override `Session.verify`.

    >>> with complete_within(30):  # doctest: +SKIP
    ...     answer = Session().post("https://hooks.example/x", json={"text": "hello"})

    Args:
        ca_bundle: path of a PEM file with the certificates to trust; None for the usual store.
        max_connections: how many connections to one host are kept open.
        timeout: seconds to wait for the next bytes, where a request does not say.
        deadline: seconds for one exchange in all, from the connection to the last byte of the answer.
        max_bytes: how large an answer may be, unpacked.
        origin: the one https origin that requests may go to; None where callers send no credential.
        allow_http: whether it may speak plain http, to this machine's own services.
        stop: ends every exchange when set; a session of its own where none is given.
    """

    def __init__(
        self,
        ca_bundle: str | None = None,
        max_connections: int = 1,
        timeout: float = READ_TIMEOUT,
        *,
        deadline: float = 60,
        max_bytes: int = MAX_ANSWER_BYTES,
        origin: str | None = None,
        allow_http: bool = False,
        stop: threading.Event | None = None,
    ) -> None:
        super().__init__()
        take_over_library_loggers()
        self.ca_bundle = ca_bundle
        self.timeout = timeout
        self.deadline = deadline
        self.max_bytes = max_bytes
        self.origin = origin
        self.stop = stop or threading.Event()
        self.auth = _NoAuth()
        self._settings_by_host: dict[str, Any] = {}
        self._large_answer = threading.Lock()
        self.mount("https://", BoundedAdapter(pool_connections=4, pool_maxsize=max_connections, max_retries=0))
        if allow_http:
            self.mount("http://", BoundedAdapter(max_retries=0))
        else:
            self.adapters.pop("http://")

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request and return the whole answer, its body read.

        Raises:
            ForeignHostError: it would go to another origin than the session's.
            DeadlineError, AnswerTooLargeError, StoppedError: the answer took too long, is too large, or is no longer
                wanted.
            requests.exceptions.RequestException: as for `requests`.
        """
        url = request.url or ""
        if self.origin is not None and not is_same_origin(url, self.origin):
            raise ForeignHostError(f"a request for {host_of(self.origin)} would have gone to {host_of(url)}")
        options = {**kwargs, "timeout": kwargs.get("timeout") or (CONNECT_TIMEOUT, self.timeout)}
        # Over the wire an answer may take twice as much: the frames of its chunks count too.
        with _leave_out_quotes(), bound_exchange(self.deadline, 2 * self.max_bytes, self.stop) as exchange:
            response = super().send(request, **{**options, "stream": True, "allow_redirects": False})
            with response:
                self._read(response, exchange)
        return response

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Prepare a request by itself: requests of a session share its headers, and no cookie of an earlier answer."""
        request.headers = {**self.headers, **(request.headers or {})}
        request.auth = request.auth or self.auth
        return request.prepare()

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - requests' signature
        """Return None: wherever an answer points, nothing is sent there."""
        return None

    def _read(self, response: requests.Response, exchange: Exchange) -> None:
        """Read the body into the response. Large ones come one at a time, so that many cannot fill the memory."""
        body = io.BytesIO()
        is_large = False
        try:
            for chunk in response.iter_content(_CHUNK_BYTES):
                exchange.seconds_left()
                if body.tell() + len(chunk) > self.max_bytes:
                    raise AnswerTooLargeError("the answer is too large")
                if not is_large and body.tell() + len(chunk) > MAX_ANSWER_BYTES:
                    while not self._large_answer.acquire(timeout=POLL_SECONDS):
                        exchange.seconds_left()
                    is_large = True
                body.write(chunk)
        finally:
            if is_large:
                self._large_answer.release()
        response._content = body.getvalue()
        response._content_consumed = True  # type: ignore[attr-defined]

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Have requests gather proxies and trust from the environment, once a host, then put our bundle first."""
        host = urlsplit(url).netloc
        if host not in self._settings_by_host:
            self._settings_by_host[host] = self._merge(url, proxies, stream, verify, cert)
        return {**self._settings_by_host[host], "stream": stream}

    def _merge(self, *request: Any) -> Any:
        merged = super().merge_environment_settings(*request)
        for proxy in (merged["proxies"] or {}).values():
            _check_proxy(proxy)
        if self.ca_bundle:
            merged["verify"] = self.ca_bundle
        if isinstance(merged["verify"], str) and not Path(merged["verify"]).exists():
            raise SignInError(
                f"REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names {show_path(Path(merged['verify']))}, which is no file.",
                "ca-bundle-missing",
                setting="REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE",
            )
        return merged


@contextmanager
def _leave_out_quotes() -> Iterator[None]:
    """Leave out of the libraries' exceptions what they quote of a broken answer.

    It may be a part of a token that the answer repeats, which nobody recognizes as a secret: `InvalidChunkLength` and
    `BadStatusLine` quote from where they stopped.
    """
    try:
        yield
    except requests.exceptions.RequestException as error:
        inner = error.args[0] if error.args else None
        if not isinstance(inner, ProtocolError):
            raise
        kinds = [type(one).__name__ for one in (inner, *inner.args) if isinstance(one, Exception)]
        raise type(error)(": ".join(kinds)) from None


def _check_proxy(proxy: str) -> None:
    """Raise where a proxy is none that this package can use; register its password as a secret.

    A SOCKS proxy is refused where its library is installed too: connections of its own would go past the bounds here.
    """
    variables = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")
    name = next((one for one in variables if os.environ.get(one) == proxy), "HTTPS_PROXY")
    scheme, separator, _ = proxy.partition("://")
    try:
        parts = urlsplit(proxy if separator else f"http://{proxy}")
        is_usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_usable = False
    if separator and scheme.lower() not in ("http", "https"):
        raise SignInError(f"{name} names a {printable(scheme)[:20]} proxy.", "proxy-malformed", setting=name)
    if not is_usable:
        raise SignInError(f"{name} is no URL of a proxy.", "proxy-malformed", setting=name)
    register_secrets(get_auth_from_url(proxy)[1])


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds an answer says to wait before the next try, from 0 to a million.

    None where its `Retry-After` is missing, or not to be understood.
    """
    retry_after = headers.get("Retry-After", "")[:100]
    try:
        return min(max(float(Retry().parse_retry_after(retry_after)), 0.0), 1e6) if retry_after else None
    except (InvalidHeader, ValueError, OverflowError):  # such as a number of thousands of digits
        log.debug("unreadable Retry-After %r", retry_after)
        return None


def is_untrusted(error: BaseException | None) -> bool:
    """Return whether a certificate is not trusted, which is final; a handshake that was cut may succeed later."""
    return isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error)


def certificate_of(url: str, timeout: float) -> bytes | None:
    """Return the certificate that a host shows, PEM, trusted or not; None where it shows none. Nothing is sent."""
    parts = urlsplit(url)
    try:
        return ssl.get_server_certificate((parts.hostname or "", parts.port or 443), timeout=timeout).encode()
    except OSError:
        return None
