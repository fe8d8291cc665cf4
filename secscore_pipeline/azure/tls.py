"""TLS for the connections of a pool: what is trusted is read once, and sessions of earlier connections are resumed."""

import ssl
import sys
import threading
from typing import Any

from urllib3.exceptions import SSLError


class _ResumingContext(ssl.SSLContext):
    """Verifies every host, and resumes a host's newest TLS session, which saves most of a handshake.

    A session is resumed by the context that made it alone, for the host whose certificate it had verified.

    Source: RFC 8446, section 2.2; TLS 1.2 by RFC 5077.
    """

    def __init__(self, *_: Any) -> None:
        self.minimum_version = ssl.TLSVersion.TLSv1_2
        self.hostname_checks_common_name = False
        if sys.version_info >= (3, 13):  # as Python's own contexts there
            self.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
        self._sessions: dict[str | bytes | None, ssl.SSLSession] = {}

    def wrap_socket(
        self,
        sock: Any,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLSocket:
        """See Python's context."""
        return super().wrap_socket(
            sock,
            server_side,
            do_handshake_on_connect,
            suppress_ragged_eofs,
            server_hostname,
            session or self._sessions.get(server_hostname),
        )

    def remember_session(self, connection: ssl.SSLSocket) -> None:
        """Keep the session of a connection whose answer has begun: what resumes it may not come before."""
        found = connection.session
        if found is not None and found.has_ticket:
            self._sessions[connection.server_hostname] = found


class SharedTrust:
    """Makes the context of a pool when its first connection is made.

    Args:
        socket_class: what its connections are.
    """

    def __init__(self, socket_class: type[ssl.SSLSocket]) -> None:
        self._socket_class = socket_class
        self._lock = threading.Lock()
        self._context: _ResumingContext | None = None

    def get_context(self, ca_file: str | None, ca_folder: str | None) -> _ResumingContext:
        """Return the context of the pool.

        Args:
            ca_file: the certificates to trust.
            ca_folder: a folder of such files; the system's certificates are trusted where neither is given.

        Raises:
            SSLError: they cannot be read.
        """
        with self._lock:
            if self._context is None:
                context = _ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
                context.sslsocket_class = self._socket_class
                try:
                    if ca_file or ca_folder:
                        context.load_verify_locations(ca_file, ca_folder)
                    else:
                        context.load_default_certs()
                except OSError as error:
                    raise SSLError(error) from error
                self._context = context
            return self._context

    def remember_session(self, connection: ssl.SSLSocket) -> None:
        """Have other connections to the host resume the session of this one, whose answer has begun."""
        if self._context is not None and connection.context is self._context:
            self._context.remember_session(connection)
