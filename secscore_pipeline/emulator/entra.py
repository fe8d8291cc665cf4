"""The sign-in half of the local Azure: openid-configuration, the token endpoint, and the checking of tokens."""

import base64
import re
import secrets
import time
import uuid
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from starlette.responses import JSONResponse

from secscore_pipeline.emulator.world import Application, World

_GUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_DOMAIN = re.compile(r"([a-z0-9-]+\.)+[a-z]{2,}", re.IGNORECASE)


IMDS = "/metadata/identity/oauth2/token"
APP_SERVICE = "/msi/token"


class _UnknownSignerError(Exception):
    """Nobody that the application trusts signed the assertion."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code


class Entra:
    """Signs applications in and vouches for their tokens.

    Args:
        world: the applications and the tenant.
        host: the https URL this is served under.
        lifetime: seconds a token is good for.
    """

    def __init__(self, world: World, host: str, lifetime: int = 3599) -> None:
        self.world = world
        self.host = host
        self.lifetime = lifetime
        self.tokens_issued = 0
        self.identity_header = secrets.token_hex(16)
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._issued: set[str] = set()
        self._revoked: set[str] = set()
        self._checked: dict[str, dict[str, object]] = {}

    def configuration(self, tenant: str) -> JSONResponse:
        """Answer GET /{tenant}/v2.0/.well-known/openid-configuration."""
        if not self.world.is_tenant(tenant):
            return self._unknown_tenant(tenant, "invalid_tenant")
        base = f"{self.host}/{self.world.tenant_id}"
        return JSONResponse(
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "issuer": f"{base}/v2.0",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "response_types_supported": ["code"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid"],
            }
        )

    def token(self, tenant: str, body: bytes) -> JSONResponse:
        """Answer POST /{tenant}/oauth2/v2.0/token for the client credentials grant."""
        form = dict(parse_qsl(body.decode("utf-8", "replace")))
        if not self.world.is_tenant(tenant):
            return self._unknown_tenant(tenant, "invalid_request")
        for name in ("grant_type", "client_id", "scope"):
            if not form.get(name):
                return _make_refusal(
                    400, "invalid_request", 900144, f"The request body must contain the following parameter: '{name}'."
                )
        if form["grant_type"] != "client_credentials":
            return _make_refusal(
                400, "unsupported_grant_type", 70003, f"The grant type '{form['grant_type']}' is not supported here."
            )
        application = self.world.applications.get(form["client_id"].lower())
        if application is None:
            return _make_refusal(
                400,
                "unauthorized_client",
                700016,
                f"Application with identifier '{form['client_id']}' was not found in the directory '{tenant}'. "
                "This can happen if the application has not been installed by the administrator of the tenant or "
                "consented to by any user in the tenant. You may have sent your authentication request to the "
                "wrong tenant.",
            )
        if application.disabled:
            return _make_refusal(
                400,
                "unauthorized_client",
                7000112,
                f"Application '{application.client_id}'({application.display_name}) is disabled.",
            )
        if not application.has_principal:
            return _make_refusal(
                401,
                "invalid_client",
                7000229,
                f"The client application {application.client_id} is missing service principal in the tenant "
                f"{self.world.tenant_id}. See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119",
            )
        refused = self._make_unproven(application, form)
        if refused is not None:
            return refused
        if application.blocked:
            return _make_refusal(
                400,
                "invalid_grant",
                53003,
                "Access has been blocked by Conditional Access policies. The access policy does not allow token "
                "issuance.",
            )
        scope = form["scope"]
        if not scope.endswith("/.default"):
            return _make_refusal(
                400,
                "invalid_scope",
                1002012,
                f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value "
                "with /.default suffixed to the resource identifier (application ID URI).",
            )
        resource = scope.removesuffix("/.default")
        if resource.rstrip("/") not in (self.host, "https://management.azure.com"):
            return _make_refusal(
                400,
                "invalid_resource",
                500011,
                f"The resource principal named {resource} was not found in the tenant named {tenant}.",
            )
        return JSONResponse(
            {
                "token_type": "Bearer",
                "expires_in": self.lifetime,
                "ext_expires_in": self.lifetime,
                "access_token": self._issue(application, resource),
            },
            headers=_headers(),
        )

    def metadata(self, path: str, query: str, headers: dict[bytes, bytes]) -> JSONResponse:
        """Answer the metadata service of Azure's machines (IMDS), and that of App Service, for managed identities."""
        parameters = dict(parse_qsl(query))
        if path == APP_SERVICE:
            if headers.get(b"x-identity-header", b"").decode() != self.identity_header:
                return JSONResponse({"statusCode": 401, "message": "The identity header is missing or wrong."}, 401)
            version = "2019-08-01"
        else:
            if headers.get(b"metadata", b"").lower() != b"true":
                return _imds_refused("invalid_request", "Required metadata header not specified")
            version = "2018-02-01"
        if parameters.get("api-version") != version or not parameters.get("resource"):
            return _imds_refused("invalid_request", "The api-version or resource is missing or not supported")
        wanted = parameters.get("client_id")
        identity = next(
            (
                one
                for one in self.world.applications.values()
                if one.assigned and (wanted is None or one.client_id == wanted.lower())
            ),
            None,
        )
        if identity is None:
            return _imds_refused("invalid_request", "Identity not found")
        expires = int(time.time()) + self.lifetime
        return JSONResponse(
            {
                "access_token": self._issue(identity, parameters["resource"]),
                "client_id": identity.client_id,
                "expires_in": str(self.lifetime),
                "expires_on": str(expires),
                "ext_expires_in": str(self.lifetime),
                "not_before": str(expires - self.lifetime),
                "resource": parameters["resource"],
                "token_type": "Bearer",
            }
        )

    def _make_unproven(self, application: Application, form: dict[str, str]) -> JSONResponse | None:
        """Return the refusal of an application that does not prove itself; None where it does."""
        if "client_assertion" in form:
            return self._wrong_assertion(application, form)
        if "client_secret" not in form:
            return _make_refusal(
                401,
                "invalid_client",
                7000216,
                "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
            )
        if form["client_secret"] != application.secret:
            return _make_refusal(
                401,
                "invalid_client",
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                f"value, not the client secret ID, for a secret added to app '{application.client_id}'.",
            )
        if application.secret_expired:
            return _make_refusal(
                401,
                "invalid_client",
                7000222,
                f"The provided client secret keys for app '{application.client_id}' are expired. Visit the Azure "
                "portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using "
                "certificate credentials for added security: https://aka.ms/certCreds.",
            )
        return None

    def _wrong_assertion(self, application: Application, form: dict[str, str]) -> JSONResponse | None:
        """Check an assertion: signed with a certificate of the application, or by a platform that it trusts."""
        if form.get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
            return _make_refusal(
                400, "invalid_request", 900144, "The client_assertion_type is missing or not supported."
            )
        assertion = form["client_assertion"]
        try:
            header = jwt.get_unverified_header(assertion)
            claimed = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            return _make_refusal(401, "invalid_client", 50027, "JWT token is invalid or malformed.")
        try:
            if claimed.get("iss") == application.client_id:
                self._check_certificate(application, assertion, header)
            else:
                self._check_federation(application, assertion, claimed)
        except _UnknownSignerError as problem:
            return _make_refusal(401, "invalid_client", problem.code, str(problem))
        except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
            return _make_refusal(
                401, "invalid_client", 700024, "Client assertion is not within its valid time range. Current time: now."
            )
        except jwt.InvalidTokenError:
            return _make_refusal(401, "invalid_client", 50027, "JWT token is invalid or malformed.")
        return None

    def _check_certificate(self, application: Application, assertion: str, header: dict[str, object]) -> None:
        known = {}
        for pem in application.certificates:
            certificate = x509.load_pem_x509_certificate(pem)
            for name, algorithm in (("x5t#S256", SHA256()), ("x5t", SHA1())):  # noqa: S303 - the old header's name for it
                digest = base64.urlsafe_b64encode(certificate.fingerprint(algorithm)).decode().rstrip("=")
                known[name, digest] = certificate
        presented = {(name, str(text).rstrip("=")) for name, text in header.items()}
        signer = next((known[one] for one in presented & known.keys()), None)
        if signer is None:
            raise _UnknownSignerError(
                700027,
                "The certificate with identifier used to sign the client assertion is not registered on application. "
                "[Reason - The key was not found.]",
            )
        jwt.decode(
            assertion,
            signer.public_key(),  # type: ignore[arg-type]
            algorithms=["PS256", "RS256"],
            audience=f"{self.host}/{self.world.tenant_id}/oauth2/v2.0/token",
            issuer=application.client_id,
            subject=application.client_id,
            options={"require": ["exp", "iss", "sub", "aud", "jti"]},
        )

    def _check_federation(self, application: Application, assertion: str, claimed: dict[str, object]) -> None:
        audience = claimed.get("aud")
        for federation in application.federations:
            if (claimed.get("iss"), claimed.get("sub"), audience) == (
                federation.issuer,
                federation.subject,
                federation.audience,
            ):
                jwt.decode(assertion, federation.public_key, algorithms=["RS256"], audience=federation.audience)
                return
        raise _UnknownSignerError(
            70021,
            f"No matching federated identity record found for presented assertion. Assertion Issuer: "
            f"'{claimed.get('iss')}'. Assertion Subject: '{claimed.get('sub')}'. Assertion Audience: '{audience}'.",
        )

    def _issue(self, application: Application, resource: str) -> str:
        now = int(time.time())
        claims = {
            "aud": resource,
            "iss": f"https://sts.windows.net/{self.world.tenant_id}/",
            "iat": now,
            "nbf": now,
            "exp": now + self.lifetime,
            "appid": application.client_id,
            "oid": application.object_id,
            "tid": self.world.tenant_id,
            "uti": uuid.uuid4().hex,
            "ver": "1.0",
        }
        self.tokens_issued += 1
        token = jwt.encode(claims, self._key, algorithm="RS256")
        self._issued.add(token)
        return token

    def revoke_all(self) -> None:
        """Make every token issued so far as good as expired."""
        self._revoked.update(self._issued)

    def check(self, token: str) -> dict[str, object]:
        """Return a token's claims; its signature is verified once, its expiry each time.

        Raises:
            jwt.ExpiredSignatureError: it has expired.
            jwt.InvalidAudienceError: it was made for another resource.
            jwt.InvalidTokenError: it is no token of ours.
        """
        claims = self._checked.get(token)
        if claims is None:
            claims = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=["RS256"],
                audience=[self.host, f"{self.host}/", "https://management.azure.com", "https://management.azure.com/"],
            )
            self._checked[token] = claims
        if token in self._revoked or float(str(claims["exp"])) <= time.time():
            raise jwt.ExpiredSignatureError(str(claims["exp"]))
        return claims

    def _unknown_tenant(self, tenant: str, error: str) -> JSONResponse:
        if not _GUID.fullmatch(tenant) and not _DOMAIN.fullmatch(tenant):
            return _make_refusal(
                400,
                "invalid_request",
                900023,
                f"Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain.",
            )
        return _make_refusal(
            400,
            error,
            90002,
            f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into "
            "the correct cloud. Check with your subscription administrator, this may happen if there are no active "
            "subscriptions for the tenant.",
        )


def _make_refusal(status: int, error: str, code: int, description: str) -> JSONResponse:
    trace_id, correlation_id = str(uuid.uuid4()), str(uuid.uuid4())
    stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return JSONResponse(
        {
            "error": error,
            "error_description": f"AADSTS{code}: {description} Trace ID: {trace_id} "
            f"Correlation ID: {correlation_id} Timestamp: {stamp}",
            "error_codes": [code],
            "timestamp": stamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": f"https://login.microsoftonline.com/error?code={code}",
        },
        status_code=status,
        headers=_headers(),
    )


def _imds_refused(error: str, description: str) -> JSONResponse:
    return JSONResponse({"error": error, "error_description": description}, 400)


def _headers() -> dict[str, str]:
    return {
        "Cache-Control": "no-store, no-cache",
        "Pragma": "no-cache",
        "x-ms-request-id": str(uuid.uuid4()),
        "x-ms-ests-server": "local",
    }
