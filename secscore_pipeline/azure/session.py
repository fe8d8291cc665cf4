"""The requests session that talks to Entra and ARM: one trust store, no stray credentials, no redirects."""

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from secscore_pipeline.azure.errors import SignInError


class _NoAuth(AuthBase):
    """Adds nothing: its presence keeps requests from looking for credentials in a .netrc file."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class _Connection(HTTPSConnection):
    """A connection that calls a handshake by its name, however the other side cut it.

    Whoever closes a connection that has unread bytes resets it: the same cut is an end of file or a reset, as the
    kernels' timing has it. urllib3 tells the one as an error of TLS, and the other as one of the connection.
    """

    def connect(self) -> None:
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


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection


class _Adapter(HTTPAdapter):
    """requests' adapter, whose connections over TLS are ours, with a proxy and without."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {**self.poolmanager.pool_classes_by_scheme, "https": _Pool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {**manager.pool_classes_by_scheme, "https": _Pool}
        return manager


class AzureSession(requests.Session):
    """A session whose `ca_bundle`, when given, wins over REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE.

    requests lets those variables override `Session.verify`; here they count only when no bundle was set.
    Proxies follow the usual variables. TLS is always verified.

    Args:
        ca_bundle: path of a PEM file with the certificates to trust; None for the usual store.
        max_connections: how many connections to one host are kept open.
        timeout: seconds to wait for a connection, and for the next bytes, where a request does not say.
    """

    def __init__(self, ca_bundle: str | None = None, max_connections: int = 1, timeout: float = 30) -> None:
        super().__init__()
        self.ca_bundle = ca_bundle
        self.timeout = timeout
        self.auth = _NoAuth()
        self._merged: dict[str, Any] = {}
        self.mount("https://", _Adapter(pool_connections=4, pool_maxsize=max_connections, max_retries=0))
        self.adapters.pop("http://")

    def allow_plain_http(self) -> None:
        """Let it speak http too, which no session does that carries a token to another machine."""
        self.mount("http://", HTTPAdapter(max_retries=0))

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request that does not wait for ever: MSAL names no time limit."""
        kwargs["timeout"] = kwargs.get("timeout") or self.timeout
        return super().request(*args, **kwargs)

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Let requests gather proxies and trust from the environment, once a host, then put our bundle first."""
        host = urlsplit(url).netloc
        if host not in self._merged:
            self._merged[host] = self._merge(url, proxies, stream, verify, cert)
        return {**self._merged[host], "stream": stream}

    def _merge(self, *request: Any) -> Any:
        merged = super().merge_environment_settings(*request)
        if self.ca_bundle:
            merged["verify"] = self.ca_bundle
        if isinstance(merged["verify"], str) and not Path(merged["verify"]).exists():
            raise SignInError(
                f"REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names {merged['verify']!r}, which is no file.",
                "ca-bundle-missing",
                setting="REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE",
            )
        return merged


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
