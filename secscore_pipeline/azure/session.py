"""The HTTP session of this package: everything that is sent to another machine goes through it.

It follows no redirect, reads no .netrc, ends each exchange by a deadline of its own clock, bounds what an answer may
bring, and ends at once when its owner stops. What it may be used for is a matter of the caller; how, is decided here.
"""

import io
import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from socket import socket
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.utils import get_auth_from_url
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import InvalidHeader, NewConnectionError
from urllib3.util.retry import Retry
from urllib3.util.ssl_ import create_urllib3_context

from secscore_pipeline.azure.errors import SignInError
from secscore_pipeline.system.redaction import register_secrets, take_over_library_loggers
from secscore_pipeline.text import printable, show_path

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection, where a request does not say."""

READ_TIMEOUT = 30.0
"""Seconds to wait for the next bytes, where a request does not say."""

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""How much an answer may hold, unpacked, where a session does not say."""

_POLL_SECONDS = 0.25
"""How often an exchange that waits for bytes looks whether it should end."""

_CHUNK_BYTES = 1 << 16

_Result = TypeVar("_Result")


class AnswerTooLargeError(requests.exceptions.RequestException):
    """An answer was larger than the session allows. Asking again would bring the same."""


class DeadlineError(requests.exceptions.Timeout):
    """An exchange was not complete by its deadline, however busily the server sent."""


class StoppedError(requests.exceptions.ConnectionError):
    """The session was told to stop."""


class ForeignHostError(requests.exceptions.RequestException):
    """A request would have gone to another host than the one that the session is for. Nothing was sent."""


class _ExchangeEndedError(Exception):
    """Ends an exchange below urllib3, which would take an OSError for a broken connection. Never leaves this module."""

    def __init__(self, error: requests.exceptions.RequestException) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass
class _Exchange:
    """What bounds the request that the current thread has under way.

    Attributes:
        ends_at: its deadline, by the monotonic clock.
        bytes_left: how many bytes may still come over the wire.
        stop: ends it when set.
    """

    ends_at: float
    bytes_left: int
    stop: threading.Event

    def seconds_left(self) -> float:
        """Return how long it may still take.

        Raises:
            _ExchangeEndedError: its deadline has passed, or it was stopped.
        """
        if self.stop.is_set():
            raise _ExchangeEndedError(StoppedError("stopped"))
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise _ExchangeEndedError(DeadlineError("the answer was not complete by the deadline"))
        return left

    def count(self, received: int) -> None:
        """Count bytes that came over the wire.

        Raises:
            _ExchangeEndedError: more came than is allowed.
        """
        self.bytes_left -= received
        if self.bytes_left < 0:
            raise _ExchangeEndedError(AnswerTooLargeError("the answer is too large"))


_current_exchange: ContextVar[_Exchange | None] = ContextVar("current_exchange", default=None)
_outer_deadline: ContextVar[float] = ContextVar("outer_deadline", default=float("inf"))


@contextmanager
def complete_within(seconds: float) -> Iterator[None]:
    """Let all exchanges of this thread in the block together take at most so many seconds; blocks may nest."""
    token = _outer_deadline.set(min(_outer_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _outer_deadline.reset(token)


def _receive(connection: socket, receive: Callable[[], _Result], size: Callable[[_Result], int]) -> _Result:
    """Wait for bytes in short turns, so that neither a deadline nor a stop waits for the server."""
    exchange = _current_exchange.get()
    if exchange is None:
        return receive()
    patience = connection.gettimeout()
    waits_until = float("inf") if patience is None else time.monotonic() + patience
    try:
        while True:
            connection.settimeout(min(_POLL_SECONDS, exchange.seconds_left()))
            try:
                received = receive()
            except TimeoutError:
                if time.monotonic() >= waits_until:
                    raise
            else:
                exchange.count(size(received))
                return received
    finally:
        connection.settimeout(patience)


class _BoundedSocket(socket):
    """A TCP connection that observes the bounds of the exchange it is used for."""

    def recv(self, *args: Any) -> bytes:
        return _receive(self, lambda: super(_BoundedSocket, self).recv(*args), len)

    def recv_into(self, *args: Any) -> int:
        return _receive(self, lambda: super(_BoundedSocket, self).recv_into(*args), int)


class _BoundedTlsSocket(ssl.SSLSocket):
    """The same with TLS."""

    def recv(self, *args: Any) -> bytes:
        return _receive(self, lambda: super(_BoundedTlsSocket, self).recv(*args), len)

    def recv_into(self, *args: Any) -> int:
        return _receive(self, lambda: super(_BoundedTlsSocket, self).recv_into(*args), int)


def _limit_socket(connection: socket) -> _BoundedSocket:
    patience = connection.gettimeout()
    bounded = _BoundedSocket(connection.family, connection.type, connection.proto, connection.detach())
    bounded.settimeout(patience)
    return bounded


def _connect_timeout(wanted: Any) -> Any:
    """Return how long a connection may take to be made: no longer than its exchange."""
    exchange = _current_exchange.get()
    return min(float(wanted), exchange.seconds_left()) if exchange and isinstance(wanted, int | float) else wanted


class _Connection(HTTPConnection):
    """A connection whose socket is bounded."""

    def _new_conn(self) -> socket:
        self.timeout = _connect_timeout(self.timeout)
        return _limit_socket(super()._new_conn())

    def getresponse(self) -> Any:
        """Return the answer. After an informational one in its place more will follow, which answers nobody else."""
        response = super().getresponse()
        if response.status < HTTPStatus.OK:
            self.close()
        return response


class _TlsConnection(_Connection, HTTPSConnection):
    """A connection that calls a handshake by its name, however the other side cut it.

    Whoever closes a connection that has unread bytes resets it: the same cut is an end of file or a reset, as the
    kernels' timing has it. urllib3 tells the one as an error of TLS, and the other as one of the connection.
    """

    def connect(self) -> None:
        if self.ssl_context is None:
            self.ssl_context = create_urllib3_context()
            self.ssl_context.sslsocket_class = _BoundedTlsSocket
        try:
            super().connect()
        except ConnectionError as error:
            raise ssl.SSLError(f"the connection was cut while TLS was set up ({error})") from error
        except NewConnectionError as error:
            # A port that nobody listens on refuses; only a connection that was accepted can be reset.
            if not isinstance(error.__cause__, ConnectionResetError):
                raise
            raise ssl.SSLError(f"the connection was cut before TLS was set up ({error.__cause__})") from error

    def _tunnel(self) -> None:
        try:
            super()._tunnel()
        except ConnectionError as error:  # the proxy's doing, and told as its other refusals are
            self.close()
            raise OSError(f"Tunnel connection failed: {error}") from error


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}


class _Adapter(HTTPAdapter):
    """requests' adapter, whose connections are ours, with a proxy and without."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _NoAuth(AuthBase):
    """Adds nothing: its presence keeps requests from looking for credentials in a .netrc file."""

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
        self.mount("https://", _Adapter(pool_connections=4, pool_maxsize=max_connections, max_retries=0))
        if allow_http:
            self.mount("http://", _Adapter(max_retries=0))
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
        ends_at = min(time.monotonic() + self.deadline, _outer_deadline.get())
        # Over the wire an answer may take twice as much: the frames of its chunks count too.
        exchange = _Exchange(ends_at, 2 * self.max_bytes, self.stop)
        token = _current_exchange.set(exchange)
        options = {**kwargs, "timeout": kwargs.get("timeout") or (CONNECT_TIMEOUT, self.timeout)}
        try:
            exchange.seconds_left()
            response = super().send(request, **{**options, "stream": True, "allow_redirects": False})
            with response:
                self._read(response, exchange)
        except _ExchangeEndedError as ended:
            raise ended.error from None
        finally:
            _current_exchange.reset(token)
        return response

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - requests' signature
        """Return None: wherever an answer points, nothing is sent there."""
        return None

    def _read(self, response: requests.Response, exchange: _Exchange) -> None:
        """Read the body into the response. Large ones come one at a time, so that many cannot fill the memory."""
        body = io.BytesIO()
        is_large = False
        try:
            for chunk in response.iter_content(_CHUNK_BYTES):
                exchange.seconds_left()
                if body.tell() + len(chunk) > self.max_bytes:
                    raise _ExchangeEndedError(AnswerTooLargeError("the answer is too large"))
                if not is_large and body.tell() + len(chunk) > MAX_ANSWER_BYTES:
                    while not self._large_answer.acquire(timeout=_POLL_SECONDS):
                        exchange.seconds_left()
                    is_large = True
                body.write(chunk)
        finally:
            if is_large:
                self._large_answer.release()
        response._content = body.getvalue()
        response._content_consumed = True  # type: ignore[attr-defined]

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Let requests gather proxies and trust from the environment, once a host, then put our bundle first."""
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


def _check_proxy(proxy: str) -> None:
    """Raise where a proxy is none that this package can use; remember its password as a secret.

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


def is_same_origin(url: str, origin: str) -> bool:
    """Return whether a URL has the scheme, host and port of an https origin, and names no user.

    A URL that cannot be parsed has no origin.
    """
    theirs, ours = _origin_of(url), _origin_of(origin)
    return theirs is not None and theirs == ours


def host_of(url: str) -> str:
    """Return the host of a URL with its port, as it may be shown."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "no host"
    return f"{parts.hostname or 'no host'}{f':{port}' if port else ''}"


def _origin_of(url: str) -> tuple[str | None, int] | None:
    """Return host and port of an https URL that names no user; None for any other."""
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError:
        return None
    return (parts.hostname, port) if parts.scheme == "https" and parts.username is None else None


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds an answer asks to wait before the next try, from 0 to a million.

    None where its `Retry-After` is missing, or not to be understood.
    """
    asked = headers.get("Retry-After", "")[:100]
    try:
        return min(max(float(Retry().parse_retry_after(asked)), 0.0), 1e6) if asked else None
    except (InvalidHeader, ValueError, OverflowError):  # such as a number of thousands of digits
        log.debug("unreadable Retry-After %r", asked)
        return None


def is_untrusted(error: BaseException | None) -> bool:
    """Tell a certificate that is not trusted, which is final, from a handshake that was cut, which may pass."""
    return isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error)


def certificate_of(url: str, timeout: float) -> bytes | None:
    """Return the certificate that a host shows, PEM, trusted or not; None where it shows none. Nothing is sent."""
    parts = urlsplit(url)
    try:
        return ssl.get_server_certificate((parts.hostname or "", parts.port or 443), timeout=timeout).encode()
    except OSError:
        return None
