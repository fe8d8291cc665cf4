"""An application's credentials become tokens for Azure Resource Manager, through MSAL."""

import logging
import re
import threading
import time
from dataclasses import dataclass
from json import JSONDecodeError
from typing import Any, Protocol

import requests
from urllib3.exceptions import MaxRetryError
from urllib3.util.retry import Retry

from secscore_pipeline.azure.clouds import Cloud
from secscore_pipeline.azure.errors import SignInError
from secscore_pipeline.azure.session import AzureSession, is_untrusted
from secscore_pipeline.shown import quoted

log = logging.getLogger(__name__)

_HELD_SECONDS = 5.0
"""For how long a token is handed out before MSAL, which keeps minutes in hand, is asked for it again."""


class TokenSource(Protocol):
    """Anything that hands out bearer tokens for Azure Resource Manager."""

    def token(self) -> str:
        """Return a valid access token; raise `SignInError` when there is none to be had."""

    def renew(self, rejected: str, claims_challenge: str | None = None) -> str:
        """Return a token other than `rejected`, asking Entra only if nobody has done so meanwhile."""


_CURES = {
    7000215: "Set AZURE_CLIENT_SECRET to the secret's value, not to its ID.",
    7000222: "The secret has expired: make a new one under Certificates & secrets of the app registration.",
    700016: "Check AZURE_CLIENT_ID and AZURE_TENANT_ID: this tenant does not know the application.",
    90002: "Check AZURE_TENANT_ID and AZURE_AUTHORITY_HOST.",
    900023: "Check AZURE_TENANT_ID.",
    7000112: "Enable the application under Enterprise applications in Entra.",
    7000229: "Create the service principal: az ad sp create --id <client id>.",
    500011: "Check SECSCORE_ARM_ENDPOINT: the authority does not know that resource.",
    1002012: "Check SECSCORE_ARM_ENDPOINT.",
    70011: "Check SECSCORE_ARM_ENDPOINT.",
    53003: "Ask the tenant's administrator about Conditional Access for workload identities.",
}


@dataclass(frozen=True)
class ClientSecret:
    """An application (service principal) that signs in with a client secret.

    Attributes:
        tenant_id: the Entra tenant (GUID or domain).
        client_id: the application's id.
        secret: the secret's value; kept out of `repr`.
    """

    tenant_id: str
    client_id: str
    secret: str

    def __repr__(self) -> str:
        return f"ClientSecret(tenant_id={self.tenant_id!r}, client_id={self.client_id!r}, secret=***)"


class MsalTokenSource:
    """Tokens for one application from MSAL's `ConfidentialClientApplication`, which caches and renews them.

    >>> source = MsalTokenSource(ClientSecret(tenant, client, secret), Cloud())  # doctest: +SKIP
    >>> source.token()  # doctest: +SKIP
    """

    def __init__(
        self,
        credential: ClientSecret,
        cloud: Cloud,
        ca_bundle: str | None = None,
        retry: Retry | None = None,
        timeout: float = 30,
    ) -> None:
        self._credential = credential
        self._cloud = cloud
        self._retry = retry or Retry(total=4, backoff_factor=0.5, backoff_max=10, backoff_jitter=0.5)
        self._session = AzureSession(ca_bundle, timeout=timeout)
        self._lock = threading.Lock()
        self._application: Any = None
        self._held: tuple[str, float] | None = None

    def token(self) -> str:
        """Return a token, from MSAL's cache while it is valid; MSAL is asked at most every few seconds.

        Raises:
            SignInError: Entra refused, or could not be reached.
        """
        with self._lock:
            if self._held is None or time.monotonic() > self._held[1]:
                self._held = self._acquire(), time.monotonic() + _HELD_SECONDS
            return self._held[0]

    def renew(self, rejected: str, claims_challenge: str | None = None) -> str:
        """Return a token that is not the `rejected` one: one renewal, shared by all threads.

        Args:
            rejected: the token that ARM answered with 401.
            claims_challenge: the decoded claims of a `WWW-Authenticate: … insufficient_claims` answer.
        """
        with self._lock:
            current = self._held[0] if self._held else self._acquire()
            if current == rejected:
                if self._application is not None:
                    self._application.remove_tokens_for_client()
                current = self._acquire(claims_challenge)
            self._held = current, time.monotonic() + _HELD_SECONDS
            return current

    def _acquire(self, claims_challenge: str | None = None) -> str:
        """Ask MSAL, again with growing pauses while Entra is down: what is final ends it at once."""
        retry = self._retry
        while True:
            try:
                result = self._ask(claims_challenge)
            except (requests.exceptions.RequestException, JSONDecodeError, _service_error()) as error:
                # MSAL remembers a failed answer for a while; a new application asks anew.
                self._application = None
                try:
                    retry = retry.increment("POST", self._cloud.authority_host, error=error)
                except (MaxRetryError, requests.exceptions.RequestException, JSONDecodeError, _service_error()):
                    raise self._unreachable(error) from error
                if is_untrusted(error):
                    raise self._unreachable(error) from error
                log.debug("sign-in failed (%s), trying again", type(error).__name__)
                time.sleep(retry.get_backoff_time())
            else:
                if "access_token" not in result:
                    raise _refusal(result, self._credential.secret)
                return str(result["access_token"])

    def _ask(self, claims_challenge: str | None) -> dict[str, Any]:
        try:
            if self._application is None:
                self._application = self._sign_in()
        except ValueError as error:  # MSAL's answer to a tenant whose discovery document is refused
            if isinstance(error, JSONDecodeError):
                raise  # a discovery document that is none: it may pass
            raise SignInError(
                f"Entra at {self._cloud.authority_host} does not know the tenant {self._credential.tenant_id}.",
                "Check AZURE_TENANT_ID and AZURE_AUTHORITY_HOST.",
            ) from error
        result: dict[str, Any] = self._application.acquire_token_for_client(
            [self._cloud.scope], claims_challenge=claims_challenge
        )
        return result

    def _sign_in(self) -> Any:
        from msal.application import ConfidentialClientApplication  # 0.2 s: not paid by every --help

        return ConfidentialClientApplication(  # type: ignore[no-untyped-call]
            self._credential.client_id,
            client_credential=self._credential.secret,
            authority=f"{self._cloud.authority_host}/{self._credential.tenant_id}",
            instance_discovery=False,
            http_client=self._session,
            client_capabilities=["CP1"],
        )

    def _unreachable(self, error: Exception) -> SignInError:
        log.debug("sign-in failed", exc_info=error)
        if is_untrusted(error):
            return SignInError(
                f"The TLS certificate of {self._cloud.authority_host} is not trusted.",
                "If a proxy or a private authority signs it, name its PEM file in SECSCORE_CA_BUNDLE.",
            )
        return SignInError(
            f"The sign-in host {self._cloud.authority_host} could not be reached or gave no usable answer "
            f"({type(error).__name__}).",
            "Check AZURE_AUTHORITY_HOST, the network and the proxy settings.",
        )


def _service_error() -> type[Exception]:
    """Return MSAL's exception for answers of status 5xx, without importing MSAL before it is needed."""
    from msal.exceptions import MsalServiceError

    return MsalServiceError


def _refusal(result: dict[str, Any], secret: str) -> SignInError:
    """Turn Entra's error document into one sentence and a cure, with its trace id for support."""
    description = str(result.get("error_description") or result.get("error") or "no reason given")
    first_sentence = quoted(re.split(r"\r?\n|\s+Trace ID:", description)[0].strip(), secret, length=600)
    codes = [code for code in result.get("error_codes") or [] if isinstance(code, int)]
    cure = next(
        (_CURES[code] for code in codes if code in _CURES),
        "See the code in Microsoft's list of AADSTS codes.",
    )
    trace_id = result.get("trace_id") or result.get("correlation_id")
    trace = f" (trace id {quoted(str(trace_id), secret)})" if trace_id else ""
    return SignInError(f"Entra refused the sign-in: {first_sentence.rstrip('.')}{trace}.", cure)
