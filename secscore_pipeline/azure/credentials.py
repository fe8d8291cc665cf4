"""An application's credentials become tokens for Azure Resource Manager, through MSAL."""

import base64
import json
import logging
import re
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import requests
from urllib3.util.retry import Retry

from secscore_pipeline.azure.clouds import Cloud
from secscore_pipeline.azure.errors import AzureError, InterruptedReadError, SignInError
from secscore_pipeline.azure.session import (
    AnswerTooLargeError,
    ForeignHostError,
    Session,
    complete_within,
    host_of,
    is_same_origin,
    is_untrusted,
)
from secscore_pipeline.system.encodings import EncodingError, decode_text, read_text, unicode_encoding
from secscore_pipeline.system.redaction import quote_answer, register_secrets, register_token
from secscore_pipeline.text import GUID, show_path

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

log = logging.getLogger(__name__)

_HELD_SECONDS = 5.0
"""For how long a token is handed out before MSAL, which keeps minutes in hand, is asked for it again."""


SIGN_IN_SECONDS = 120.0
"""How long a sign-in may take in all, its retries and pauses included."""

_MAX_TOKEN_BYTES = 1024 * 1024
"""How large an answer of the sign-in host may be: a token has a few thousand bytes."""

_LONGEST_LIFETIME = 366 * 24 * 3600
"""How many seconds a token lives at most, to be believed: Entra's live an hour or a day."""


_FAILED_SECONDS = 30.0
"""For how long an unreachable sign-in host is not asked again: each step of a run would wait through its retries."""


class TokenSource(Protocol):
    """Anything that hands out bearer tokens for Azure Resource Manager."""

    def token(self) -> str:
        """Return a valid access token; raise `SignInError` when there is none to be had."""

    def renew(self, rejected: str, claims_challenge: str | None = None) -> str:
        """Return a token other than `rejected`, asking Entra only if nobody has done so meanwhile."""

    @property
    def tenant_id(self) -> str | None:
        """The tenant of the newest token: its GUID, lower case; None before the first one, or where it does not say."""

    def stop(self) -> None:
        """End a sign-in that is under way or waits; there are no tokens any more."""


class _Claims(msgspec.Struct):
    tid: str = ""


def tenant_of(token: str) -> str | None:
    """Return the tenant that an access token was issued by: its GUID, lower case; None for a token that does not say.

    The signature is not checked: the token is asked for over TLS, and who it is for checks it.

    Args:
        token: a JWT, as Entra issues it.
    """
    try:
        payload = token.split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=_Claims)
    except (IndexError, ValueError, msgspec.DecodeError, RecursionError):
        return None
    return claims.tid.lower() if GUID.fullmatch(claims.tid) else None


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


class Credential(ABC):
    """What an identity proves itself with: one of the classes below. Credentials are values: equal ones are one.

    Attributes:
        client_id: the application's id; empty for the identity of the machine itself.
    """

    client_id: str

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown, however it got into an answer."""
        return ()

    @property
    def expires_at(self) -> datetime | None:
        """When it stops being accepted, UTC; None where that cannot be known."""
        return None

    @abstractmethod
    def application(self, cloud: Cloud, session: Session) -> Any:
        """Return MSAL's application for it. The import is MSAL's, 0.2 s, which not every `--help` pays."""


@dataclass(frozen=True)
class _Confidential(Credential):
    """An application (service principal) of a tenant.

    Attributes:
        tenant_id: the Entra tenant (GUID or domain).
        client_id: the application's id.
    """

    tenant_id: str
    client_id: str

    def application(self, cloud: Cloud, session: Session) -> Any:
        """See `Credential`."""
        from msal.application import ConfidentialClientApplication

        try:
            return ConfidentialClientApplication(  # type: ignore[no-untyped-call]
                self.client_id,
                client_credential=self._proof(),
                authority=f"{cloud.authority_host}/{self.tenant_id}",
                instance_discovery=False,
                http_client=session,
                client_capabilities=["CP1"],
            )
        except _UnusableAnswerError:
            raise  # a discovery document that is none: it may pass
        except ValueError:  # MSAL's answer to a tenant whose discovery document is refused, with the whole of it
            raise SignInError(
                f"Entra at {cloud.authority_host} does not know the tenant {self.tenant_id}.", "tenant-unknown"
            ) from None

    @abstractmethod
    def _proof(self) -> object:
        """Return what MSAL takes as `client_credential`."""


@dataclass(frozen=True)
class ClientSecret(_Confidential):
    """An application that signs in with a client secret.

    Attributes:
        secret: the secret's value; kept out of `repr`.
        expires_on: the day it ends on, where somebody noted it: Entra does not tell.
    """

    secret: str = field(repr=False)
    expires_on: date | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """See `Credential`."""
        return (self.secret,)

    @property
    def expires_at(self) -> datetime | None:
        """See `Credential`."""
        return datetime.combine(self.expires_on, datetime.min.time(), UTC) if self.expires_on else None

    def _proof(self) -> object:
        return self.secret


@dataclass(frozen=True)
class ClientCertificate(_Confidential):
    """An application that signs in with a certificate: an assertion signed by its key, known by its SHA-256 thumbprint.

    Attributes:
        path: a PEM file with the certificate and its private key, or a PFX file.
        password: opens the private key; empty where it needs none; kept out of `repr`.
    """

    path: Path
    password: str = field(default="", repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """See `Credential`."""
        return (self.password,) if self.password else ()

    @property
    def expires_at(self) -> datetime | None:
        """See `Credential`."""
        return self._open_certificate()[0].not_valid_after_utc

    def _proof(self) -> object:
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        certificate, key = self._open_certificate()
        if certificate.not_valid_after_utc <= datetime.now(UTC):
            raise SignInError(
                f"The certificate in {self.path} expired on {certificate.not_valid_after_utc:%Y-%m-%d}.",
                "certificate-expired",
            )
        # Opened here and handed to MSAL in clear, so that PEM and PFX, with a password or without, are one way.
        return {
            "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
            "public_certificate": certificate.public_bytes(Encoding.PEM).decode(),
        }

    def _open_certificate(self) -> "tuple[x509.Certificate, RSAPrivateKey]":
        """Return certificate and private key.

        Raises:
            SignInError: the file cannot be read, holds something else, or needs another password.
        """
        # 15 MB that only a certificate needs.
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

        password, is_locked = self.password.encode() or None, False
        try:
            content = _plain_pem(self.path.read_bytes())
            if b"-----BEGIN" in content:
                is_locked = b"ENCRYPTED" in content
                key: object = load_pem_private_key(content, password if is_locked else None)
                is_locked = False  # what fails from here on is not the password
                certificates = x509.load_pem_x509_certificates(content)
            else:
                key, first, others = load_key_and_certificates(content, password)
                certificates = [*([first] if first else []), *others]
        except OSError as error:
            raise self._unusable(error.strerror or "it cannot be read") from error
        except EncodingError as error:
            raise self._unusable(str(error)) from error
        except (TypeError, ValueError) as error:  # cryptography's ways to say: wrong or no password; or no key at all
            # Now and then a wrong password decrypts to something, which then is no key.
            if is_locked or "password" in str(error).lower() or "decrypt" in str(error).lower():
                raise SignInError(f"{self.path} does not open with that password.", "certificate-password") from error
            raise self._unusable("it holds no certificate with a private key") from error
        if not certificates or not isinstance(key, RSAPrivateKey):
            raise self._unusable("it holds no certificate with an RSA key")
        # Authorities deliver chains in any order: the application's certificate is the one that the key belongs to.
        public_key = key.public_key()
        certificate = next((one for one in certificates if one.public_key() == public_key), None)
        if certificate is None:
            raise self._unusable("its private key belongs to none of its certificates")
        return certificate, key

    def _unusable(self, why: str) -> SignInError:
        return SignInError(
            f"The certificate file {show_path(self.path)} cannot be used: {why}.", "certificate-unreadable"
        )


def _plain_pem(content: bytes) -> bytes:
    """Return a PEM file that an editor made a Unicode text of as the ASCII that it is; any other file as it is.

    What stands around its blocks may be in any encoding, and means nothing.

    Raises:
        EncodingError: it says to be in an encoding that it is not in.
    """
    return decode_text(content).encode("ascii", "replace") if unicode_encoding(content) else content


@dataclass(frozen=True)
class WorkloadIdentity(_Confidential):
    """An application that signs in with a token of a platform it trusts, such as a Kubernetes cluster.

    Attributes:
        token_file: where the platform writes the token; read anew for every sign-in, since it is replaced.
    """

    token_file: Path

    def _proof(self) -> object:
        return {"client_assertion": self._token}

    def _token(self) -> str:
        try:
            return read_text(self.token_file).strip()
        except (OSError, EncodingError) as error:
            reason = error.strerror if isinstance(error, OSError) else f"it holds no token: {error}"
            raise SignInError(
                f"The file of the federated token {show_path(self.token_file)} cannot be read ({reason}).",
                "federated-token-unreadable",
            ) from error


@dataclass(frozen=True)
class ManagedIdentity(Credential):
    """The identity that Azure gives a machine, a container or an app: nothing to keep secret.

    Attributes:
        client_id: that of a user-assigned identity; empty for the machine's own.
    """

    client_id: str = ""

    def application(self, cloud: Cloud, session: Session) -> Any:  # noqa: ARG002 - it asks the machine
        """See `Credential`."""
        from msal.managed_identity import (
            ManagedIdentityClient,
            SystemAssignedManagedIdentity,
            UserAssignedManagedIdentity,
        )

        identity = (
            UserAssignedManagedIdentity(client_id=self.client_id)  # type: ignore[no-untyped-call]
            if self.client_id
            else SystemAssignedManagedIdentity()  # type: ignore[no-untyped-call]
        )
        return ManagedIdentityClient(identity, http_client=session)


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
        self._session = _SignInSession(
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
        self._held: tuple[str, float] | None = None
        self._tenant_id: str | None = None
        self._failed: tuple[SignInError, float] | None = None

    def token(self) -> str:
        """Return a token, from MSAL's cache while it is valid; MSAL is asked at most every few seconds.

        Raises:
            SignInError: Entra refused, or could not be reached.
        """
        with self._lock:
            if self._failed and time.monotonic() < self._failed[1]:
                raise self._failed[0]
            if self._held is None or time.monotonic() > self._held[1]:
                try:
                    self._held = self._acquire(), time.monotonic() + _HELD_SECONDS
                except SignInError as error:
                    if error.failure == "sign-in-failing":
                        self._failed = error, time.monotonic() + _FAILED_SECONDS
                    raise
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
                self._application = None  # with it goes MSAL's cache, where the rejected one may be
                current = self._acquire(claims_challenge)
            self._held = current, time.monotonic() + _HELD_SECONDS
            return current

    @property
    def tenant_id(self) -> str | None:
        """See `TokenSource`."""
        return self._tenant_id

    def stop(self) -> None:
        """End a sign-in that is under way or waits; whoever asks from now on gets `InterruptedReadError`."""
        self._stop.set()

    def _acquire(self, claims_challenge: str | None = None) -> str:
        """Ask MSAL, again with growing pauses while Entra is down: what is final ends it at once.

        Raises:
            SignInError: whatever went wrong, in MSAL too.
            InterruptedReadError: it was told to stop.
        """
        retry, ends_at = self._retry, time.monotonic() + SIGN_IN_SECONDS
        while True:
            if self._stop.is_set():
                raise InterruptedReadError
            try:
                with complete_within(ends_at - time.monotonic()):
                    token = self._token_in(self._ask(claims_challenge))
            except AzureError:
                self._application = None
                raise
            except Exception as error:  # noqa: BLE001 - MSAL raises what its parsers and its requests raise
                # MSAL remembers a failed answer for a while; a new application asks anew.
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

    def _ask(self, claims_challenge: str | None) -> dict[str, Any]:
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


class _UnusableAnswerError(requests.exceptions.RequestException, ValueError):
    """An answer of the sign-in host is none that MSAL should see: it would log the whole of it."""


class _SignInSession(Session):
    """Hands MSAL only answers of the form that Entra documents, and sends it nowhere else.

    MSAL follows where a configuration document points, logs answers it cannot read, and trusts the types in those that
    it can.
    """

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """See `Session`; raises `ForeignHostError` for a redirect, and `_UnusableAnswerError`."""
        response = super().send(request, **kwargs)
        if 300 <= response.status_code < 400:
            target = host_of(response.headers.get("location", ""))
            raise ForeignHostError(f"{host_of(request.url or '')} answered with a redirect to {target}")
        if response.status_code >= 500:
            return response  # MSAL raises it without its text
        document = _json_object(response)
        endpoint = document.get("token_endpoint")
        if endpoint is not None and self.origin and not is_same_origin(str(endpoint), self.origin):
            raise ForeignHostError(
                f"the configuration of {host_of(self.origin)} names a token endpoint on {host_of(str(endpoint))}"
            )
        if "access_token" in document:
            _check_token_answer(document)
        return response


def _json_object(response: requests.Response) -> dict[str, Any]:
    try:
        document = json.loads(response.content)
    except (ValueError, RecursionError):
        raise _UnusableAnswerError(f"an answer of status {response.status_code} is not JSON") from None
    if not isinstance(document, dict):
        raise _UnusableAnswerError(f"an answer of status {response.status_code} is no JSON object")
    return document


def _check_token_answer(document: dict[str, Any]) -> None:
    """Raise where the parts of a token answer that MSAL uses are not what Entra documents."""
    token, lifetime = document["access_token"], document.get("expires_in", 0)
    is_lifetime = isinstance(lifetime, int | str) and str(lifetime).isascii() and str(lifetime).isdigit()
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise _UnusableAnswerError("an answer holds a token that is none")
    if not is_lifetime or int(lifetime) > _LONGEST_LIFETIME:
        raise _UnusableAnswerError("an answer holds a token with a lifetime that is none")


def _refusal(result: dict[str, Any], credential: Credential) -> SignInError:
    """Turn Entra's error document into one sentence and a resolution, with its trace id for support."""
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
