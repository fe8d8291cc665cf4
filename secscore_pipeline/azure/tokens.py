"""An application's credentials become tokens for Azure Resource Manager, through MSAL."""

import base64
import logging
import re
import threading
import time
from typing import Any, Protocol

import msgspec
from urllib3.util.retry import Retry

from secscore_pipeline.azure.clouds import Cloud
from secscore_pipeline.azure.credentials import Credential, ManagedIdentity
from secscore_pipeline.azure.errors import AzureError, InterruptedReadError, SignInError
from secscore_pipeline.azure.exchange import AnswerTooLargeError, complete_within
from secscore_pipeline.azure.session import ForeignHostError, is_untrusted
from secscore_pipeline.azure.sign_in_session import SignInSession
from secscore_pipeline.system.redaction import quote_answer, register_secrets, register_token
from secscore_pipeline.text import GUID

log = logging.getLogger(__name__)

_CACHE_SECONDS = 5.0
"""For how long a token is handed out before MSAL, which keeps minutes in hand, is called for it again."""

SIGN_IN_SECONDS = 120.0
"""How long a sign-in may take in all, its retries and pauses included."""

_MAX_TOKEN_BYTES = 1024 * 1024
"""How large an answer of the sign-in host may be: a token has a few thousand bytes."""

_FAILED_SECONDS = 30.0
"""For how long an unreachable sign-in host is not called again: each step of a run would wait through its retries."""


class TokenSource(Protocol):
    """Anything that hands out bearer tokens for Azure Resource Manager."""

    def token(self) -> str:
        """Return a valid access token; raise `SignInError` when there is none to be had."""

    def renew(self, rejected: str, claims_challenge: str | None = None) -> str:
        """Return a token other than `rejected`, from Entra only if no other thread got one meanwhile."""

    @property
    def tenant_id(self) -> str | None:
        """The tenant of the newest token: its GUID, lower case; None before the first one, or where it does not say."""

    def stop(self) -> None:
        """End a sign-in that is under way or waits; there are no tokens any more."""


class _Claims(msgspec.Struct):
    tid: str = ""


def tenant_of(token: str) -> str | None:
    """Return the tenant that an access token was issued by: its GUID, lower case; None for a token that does not say.

    The signature is not checked: the token is requested over TLS, and who it is for checks it.

    Args:
        token: a JWT, as Entra issues it.
    """
    try:
        payload = token.split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=_Claims)
    except (IndexError, ValueError, msgspec.DecodeError, RecursionError):
        return None
    return claims.tid.lower() if GUID.fullmatch(claims.tid) else None


class MsalTokenSource:
    """Tokens for one application from MSAL's `ConfidentialClientApplication`, which caches and renews them.

    >>> source = MsalTokenSource(ClientSecret(tenant, client, secret), Cloud())  # doctest: +SKIP
    >>> source.token()  # doctest: +SKIP
    """

    def __init__(
        self,
        credential: Credential,
        cloud: Cloud,
        ca_bundle: str | None = None,
        retry: Retry | None = None,
        timeout: float = 30,
    ) -> None:
        self._credential = credential
        self._cloud = cloud
        # The metadata service is the machine's own: where it is not there, waiting does not bring it.
        tries = 2 if isinstance(credential, ManagedIdentity) else 4
        self._retry = retry or Retry(total=tries, backoff_factor=0.5, backoff_max=10, backoff_jitter=0.5)
        self._stop = threading.Event()
        is_managed = isinstance(credential, ManagedIdentity)
        self._session = SignInSession(
            ca_bundle,
            timeout=timeout,
            max_bytes=_MAX_TOKEN_BYTES,
            # The metadata service is the machine's own, and speaks plain http; no secret is sent there.
            origin=None if is_managed else cloud.authority_host,
            allow_http=is_managed,
            stop=self._stop,
        )
        register_secrets(*credential.secrets)
        self._lock = threading.Lock()
        self._application: Any = None
        self._cached: tuple[str, float] | None = None
        self._tenant_id: str | None = None
        self._failed: tuple[SignInError, float] | None = None

    def token(self) -> str:
        """Return a token, from MSAL's cache while it is valid; MSAL is called at most every few seconds.

        Raises:
            SignInError: Entra refused, or could not be reached.
        """
        with self._lock:
            if self._failed and time.monotonic() < self._failed[1]:
                raise self._failed[0]
            if self._cached is None or time.monotonic() > self._cached[1]:
                try:
                    self._cached = self._acquire(), time.monotonic() + _CACHE_SECONDS
                except SignInError as error:
                    if error.failure == "sign-in-failing":
                        self._failed = error, time.monotonic() + _FAILED_SECONDS
                    raise
            return self._cached[0]

    def renew(self, rejected: str, claims_challenge: str | None = None) -> str:
        """Return a token that is not the `rejected` one: one renewal, shared by all threads.

        Args:
            rejected: the token that ARM answered with 401.
            claims_challenge: the decoded claims of a `WWW-Authenticate: … insufficient_claims` answer.
        """
        with self._lock:
            current = self._cached[0] if self._cached else self._acquire()
            if current == rejected:
                self._application = None  # with it goes MSAL's cache, where the rejected one may be
                current = self._acquire(claims_challenge)
            self._cached = current, time.monotonic() + _CACHE_SECONDS
            return current

    @property
    def tenant_id(self) -> str | None:
        """See `TokenSource`."""
        return self._tenant_id

    def stop(self) -> None:
        """End a sign-in that is under way or waits; whoever calls from now on gets `InterruptedReadError`."""
        self._stop.set()

    def _acquire(self, claims_challenge: str | None = None) -> str:
        """Call MSAL, again with growing pauses while Entra is down: what is final ends it at once.

        Raises:
            SignInError: whatever went wrong, in MSAL too.
            InterruptedReadError: it was stopped.
        """
        retry, ends_at = self._retry, time.monotonic() + SIGN_IN_SECONDS
        while True:
            if self._stop.is_set():
                raise InterruptedReadError
            try:
                with complete_within(ends_at - time.monotonic()):
                    token = self._token_in(self._call_msal(claims_challenge))
            except AzureError:
                self._application = None
                raise
            except Exception as error:  # noqa: BLE001 - MSAL raises what its parsers and its requests raise
                # MSAL keeps a failed answer for a while; a new application tries anew.
                self._application = None
                retry = self._next_try(retry, error, ends_at)
            else:
                register_token(token)
                self._tenant_id = tenant_of(token)
                return token

    def _token_in(self, result: dict[str, Any]) -> str:
        token = result.get("access_token")
        if not isinstance(token, str):
            raise _refusal(result, self._credential)
        return token

    def _next_try(self, retry: Retry, error: Exception, ends_at: float) -> Retry:
        """Wait as the policy says and return the policy for the next try, or give up."""
        is_final = is_untrusted(error) or isinstance(error, AnswerTooLargeError | ForeignHostError)
        if is_final or self._stop.is_set():
            raise self._unreachable(error) from None
        try:
            following = retry.increment("POST", self._cloud.authority_host, error=error)
        except Exception:  # noqa: BLE001 - urllib3 gives up by an exception of its own, or by the one it was given
            raise self._unreachable(error) from None
        seconds = following.get_backoff_time()
        if time.monotonic() + seconds > ends_at:
            raise self._unreachable(error) from None
        log.debug("sign-in failed (%s), trying again", type(error).__name__)
        self._stop.wait(seconds)
        return following

    def _call_msal(self, claims_challenge: str | None) -> dict[str, Any]:
        if self._application is None:
            self._application = self._credential.application(self._cloud, self._session)
        result: dict[str, Any]
        if isinstance(self._credential, ManagedIdentity):
            result = self._application.acquire_token_for_client(
                resource=self._cloud.arm_endpoint, claims_challenge=claims_challenge
            )
        else:
            result = self._application.acquire_token_for_client([self._cloud.scope], claims_challenge=claims_challenge)
        return result

    def _unreachable(self, error: Exception) -> AzureError:
        log.debug("sign-in failed", exc_info=error)
        if self._stop.is_set():
            return InterruptedReadError()
        if isinstance(error, ForeignHostError):
            return SignInError(f"The sign-in did not stay on its host: {error}.", "sign-in-elsewhere")
        if isinstance(self._credential, ManagedIdentity):
            return SignInError(
                f"The metadata service of this machine gave no token ({type(error).__name__}).",
                "managed-identity-absent",
            )
        if is_untrusted(error):
            return SignInError(f"The TLS certificate of {self._cloud.authority_host} is not trusted.", "tls-untrusted")
        return SignInError(
            f"The sign-in host {self._cloud.authority_host} could not be reached or gave no usable answer "
            f"({type(error).__name__}).",
            "sign-in-failing",
        )


_FAILURES = {
    7000215: "secret-wrong",
    7000222: "secret-expired",
    700016: "application-unknown",
    90002: "tenant-unknown",
    900023: "tenant-name-invalid",
    7000112: "application-disabled",
    7000216: "credential-not-sent",
    7000229: "service-principal-missing",
    700027: "certificate-not-registered",
    700024: "assertion-rejected",
    50027: "assertion-rejected",
    70021: "federation-mismatch",
    700213: "federation-mismatch",
    500011: "resource-unknown",
    1002012: "scope-invalid",
    70011: "scope-invalid",
    53003: "conditional-access",
}
"""What an AADSTS code means: the failure's name in the catalogue."""


def _refusal(result: dict[str, Any], credential: Credential) -> SignInError:
    """Convert Entra's error document to one sentence and a resolution, with its trace id for support."""
    description = str(result.get("error_description") or result.get("error") or "no reason given")
    first = re.split(r"\r?\n|\s+Trace ID:", description)[0].strip()
    sentence = quote_answer(first, *credential.secrets, length=600).rstrip(".")
    if isinstance(credential, ManagedIdentity):
        return SignInError(f"The metadata service refused a token: {sentence}.", "managed-identity-refused")
    codes = [code for code in result.get("error_codes") or [] if isinstance(code, int)]
    failure = next((_FAILURES[code] for code in codes if code in _FAILURES), "sign-in-refused")
    trace_id = result.get("trace_id") or result.get("correlation_id")
    trace = f" (trace id {quote_answer(str(trace_id), *credential.secrets)})" if trace_id else ""
    return SignInError(f"Entra refused the sign-in: {sentence}{trace}.", failure, client_id=credential.client_id)
