"""What an identity signs in with: a client secret, a certificate, a federated token, or the machine it runs on."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secscore_pipeline.azure.clouds import Cloud
from secscore_pipeline.azure.errors import SignInError
from secscore_pipeline.system.encodings import EncodingError, decode_text, read_text, unicode_encoding
from secscore_pipeline.text import show_path

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from secscore_pipeline.azure.session import Session


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
    def application(self, cloud: Cloud, session: "Session") -> Any:
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

    def application(self, cloud: Cloud, session: "Session") -> Any:
        """See `Credential`."""
        from msal.application import ConfidentialClientApplication

        from secscore_pipeline.azure.sign_in_session import UnusableAnswerError

        try:
            return ConfidentialClientApplication(  # type: ignore[no-untyped-call]
                self.client_id,
                client_credential=self._proof(),
                authority=f"{cloud.authority_host}/{self.tenant_id}",
                instance_discovery=False,
                http_client=session,
                client_capabilities=["CP1"],
            )
        except UnusableAnswerError:
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
        expires_on: the day it ends on, where somebody noted it: Entra does not say.
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

    def application(self, cloud: Cloud, session: "Session") -> Any:  # noqa: ARG002 - it calls the machine
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
