"""Bounds one HTTP exchange below requests: by a deadline of its own clock, by size, and by its owner's stop.

The sockets check these bounds while they wait for bytes, so that a server which sends slowly cannot delay the end.
"""

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.client import HTTPResponse
from socket import socket
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from secscore_pipeline.azure.tls import SharedTrust

POLL_SECONDS = 0.25
"""Seconds after which an exchange that waits for bytes checks again whether it should end."""

_Result = TypeVar("_Result")


class AnswerTooLargeError(requests.exceptions.RequestException):
    """An answer was larger than the session allows. Another try would bring the same."""


class DeadlineError(requests.exceptions.Timeout):
    """An exchange was not complete by its deadline, however busily the server sent."""


class StoppedError(requests.exceptions.ConnectionError):
    """The session's owner stopped it."""


class ExchangeEndedError(Exception):
    """Ends an exchange below urllib3, which would take an OSError for a broken connection; `bound_exchange` ends it."""

    def __init__(self, error: requests.exceptions.RequestException) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass
class Exchange:
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
            ExchangeEndedError: its deadline has passed, or it was stopped.
        """
        if self.stop.is_set():
            raise ExchangeEndedError(StoppedError("stopped"))
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise ExchangeEndedError(DeadlineError("the answer was not complete by the deadline"))
        return left

    def count(self, received: int) -> None:
        """Count bytes that came over the wire.

        Raises:
            ExchangeEndedError: more came than is allowed.
        """
        self.bytes_left -= received
        if self.bytes_left < 0:
            raise ExchangeEndedError(AnswerTooLargeError("the answer is too large"))


_current_exchange: ContextVar[Exchange | None] = ContextVar("current_exchange", default=None)
"""The exchange of this thread that is under way."""

_outer_deadline: ContextVar[float] = ContextVar("outer_deadline", default=float("inf"))
"""When the innermost block of `complete_within` ends, by the monotonic clock."""


@contextmanager
def complete_within(seconds: float) -> Iterator[None]:
    """Have all exchanges of this thread in the block together take at most so many seconds; blocks may nest."""
    token = _outer_deadline.set(min(_outer_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _outer_deadline.reset(token)


@contextmanager
def bound_exchange(seconds: float, max_bytes: int, stop: threading.Event) -> Iterator[Exchange]:
    """Bound what this thread sends and receives in the block, its connections included.

    Args:
        seconds: how long it may take in all; less where `complete_within` says so.
        max_bytes: how many bytes may come over the wire.
        stop: ends it when set.

    Raises:
        DeadlineError, AnswerTooLargeError, StoppedError: the exchange went past one of the bounds.
    """
    exchange = Exchange(min(time.monotonic() + seconds, _outer_deadline.get()), max_bytes, stop)
    token = _current_exchange.set(exchange)
    try:
        exchange.seconds_left()
        yield exchange
    except ExchangeEndedError as ended:
        raise ended.error from None
    finally:
        _current_exchange.reset(token)


def _receive(connection: socket, receive: Callable[[], _Result], size: Callable[[_Result], int]) -> _Result:
    """Wait for bytes for a short time again and again, so that neither a deadline nor a stop waits for the server."""
    exchange = _current_exchange.get()
    if exchange is None:
        return receive()
    patience = connection.gettimeout()
    waits_until = float("inf") if patience is None else time.monotonic() + patience
    try:
        while True:
            connection.settimeout(min(POLL_SECONDS, exchange.seconds_left()))
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

    _answer: HTTPResponse | None = None

    def _new_conn(self) -> socket:
        self.timeout = _connect_timeout(self.timeout)
        return _limit_socket(super()._new_conn())

    def response_class(self, *args: Any, **options: Any) -> HTTPResponse:  # type: ignore[override]
        """Make what reads an answer, as `http.client` would of its class, and keep it."""
        self._answer = HTTPResponse(*args, **options)
        return self._answer

    def getresponse(self) -> Any:
        """Return the answer. After an informational one in its place more will follow, which answers nobody else.

        An answer that is refused for its headers is closed: it alone would hold on to the socket of a connection that
        it ends.
        """
        try:
            response = super().getresponse()
        except BaseException:
            if self._answer:
                self._answer.close()
            raise
        if response.status < HTTPStatus.OK:
            self.close()
        return response


class _TlsConnection(_Connection, HTTPSConnection):
    """A connection that calls a handshake by its name, however the other side cut it.

    Whoever closes a connection that has unread bytes resets it: the same cut is an end of file or a reset, as the
    kernels' timing has it. urllib3 reports the one as an error of TLS, and the other as one of the connection.
    """

    def __init__(self, trust: SharedTrust, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._trust = trust
        self._has_session = False

    def connect(self) -> None:
        self._has_session = False
        self.ssl_context = self._trust.get_context(self.ca_certs, self.ca_cert_dir)
        if self.proxy is None or self.proxy.scheme != "https":  # a proxy of its own TLS is verified with them
            self.ca_certs = self.ca_cert_dir = None  # urllib3 would read them again, for each connection
        try:
            super().connect()
        except ConnectionError as error:
            raise ssl.SSLError(f"the connection was cut while TLS was set up ({error})") from error
        except NewConnectionError as error:
            # A port that nobody listens on refuses; only a connection that was accepted can be reset.
            if not isinstance(error.__cause__, ConnectionResetError):
                raise
            raise ssl.SSLError(f"the connection was cut before TLS was set up ({error.__cause__})") from error

    def getresponse(self) -> Any:
        """Return the answer; the session that came with the first one is resumed by other connections."""
        connection = self.sock  # which an answer that ends the connection takes away
        response = super().getresponse()
        if not self._has_session and isinstance(connection, ssl.SSLSocket):
            self._has_session = True
            self._trust.remember_session(connection)
        return response

    def _tunnel(self) -> None:
        try:
            super()._tunnel()
        except ConnectionError as error:  # caused by the proxy, and reported as its other refusals are
            self.close()
            raise OSError(f"Tunnel connection failed: {error}") from error


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # Called as the class would be.
        self.ConnectionCls = partial(_TlsConnection, SharedTrust(_BoundedTlsSocket))  # type: ignore[assignment]


_POOLS = {"http": _Pool, "https": _TlsPool}


class BoundedAdapter(HTTPAdapter):
    """requests' adapter, whose connections are ours, with a proxy and without."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """See requests' adapter."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """See requests' adapter."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager
