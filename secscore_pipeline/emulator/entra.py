"""The sign-in half of the local Azure: openid-configuration, the token endpoint, and the checking of tokens."""

import re
import time
import uuid
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.responses import JSONResponse

from secscore_pipeline.emulator.world import World

_GUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_DOMAIN = re.compile(r"([a-z0-9-]+\.)+[a-z]{2,}", re.IGNORECASE)


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
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._issued: set[str] = set()
        self._revoked: set[str] = set()
        self._checked: dict[str, dict[str, object]] = {}

    def configuration(self, tenant: str) -> JSONResponse:
        """Answer GET /{tenant}/v2.0/.well-known/openid-configuration."""
        if tenant.lower() != self.world.tenant_id:
            return self._unknown_tenant(tenant, "invalid_tenant")
        base = f"{self.host}/{self.world.tenant_id}"
        return JSONResponse(
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "issuer": f"{base}/v2.0",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
                "response_types_supported": ["code"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid"],
            }
        )

    def token(self, tenant: str, body: bytes) -> JSONResponse:
        """Answer POST /{tenant}/oauth2/v2.0/token for the client credentials grant."""
        form = dict(parse_qsl(body.decode("utf-8", "replace")))
        if tenant.lower() != self.world.tenant_id:
            return self._unknown_tenant(tenant, "invalid_request")
        for name in ("grant_type", "client_id", "scope"):
            if not form.get(name):
                return _refused(
                    400, "invalid_request", 900144, f"The request body must contain the following parameter: '{name}'."
                )
        if form["grant_type"] != "client_credentials":
            return _refused(
                400, "unsupported_grant_type", 70003, f"The grant type '{form['grant_type']}' is not supported here."
            )
        application = self.world.applications.get(form["client_id"].lower())
        if application is None:
            return _refused(
                400,
                "unauthorized_client",
                700016,
                f"Application with identifier '{form['client_id']}' was not found in the directory '{tenant}'. "
                "This can happen if the application has not been installed by the administrator of the tenant or "
                "consented to by any user in the tenant. You may have sent your authentication request to the "
                "wrong tenant.",
            )
        if application.disabled:
            return _refused(
                400,
                "unauthorized_client",
                7000112,
                f"Application '{application.client_id}'({application.display_name}) is disabled.",
            )
        if "client_secret" not in form:
            return _refused(
                401,
                "invalid_client",
                7000216,
                "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
            )
        if form["client_secret"] != application.secret:
            return _refused(
                401,
                "invalid_client",
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                f"value, not the client secret ID, for a secret added to app '{application.client_id}'.",
            )
        if application.secret_expired:
            return _refused(
                401,
                "invalid_client",
                7000222,
                f"The provided client secret keys for app '{application.client_id}' are expired. Visit the Azure "
                "portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using "
                "certificate credentials for added security: https://aka.ms/certCreds.",
            )
        scope = form["scope"]
        if not scope.endswith("/.default"):
            return _refused(
                400,
                "invalid_scope",
                1002012,
                f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value "
                "with /.default suffixed to the resource identifier (application ID URI).",
            )
        resource = scope.removesuffix("/.default")
        if resource.rstrip("/") not in (self.host, "https://management.azure.com"):
            return _refused(
                400,
                "invalid_resource",
                500011,
                f"The resource principal named {resource} was not found in the tenant named {tenant}.",
            )
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
        return JSONResponse(
            {
                "token_type": "Bearer",
                "expires_in": self.lifetime,
                "ext_expires_in": self.lifetime,
                "access_token": token,
            },
            headers=_headers(),
        )

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
            return _refused(
                400,
                "invalid_request",
                900023,
                f"Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain.",
            )
        return _refused(
            400,
            error,
            90002,
            f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into "
            "the correct cloud. Check with your subscription administrator, this may happen if there are no active "
            "subscriptions for the tenant.",
        )


def _refused(status: int, error: str, code: int, description: str) -> JSONResponse:
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


def _headers() -> dict[str, str]:
    return {
        "Cache-Control": "no-store, no-cache",
        "Pragma": "no-cache",
        "x-ms-request-id": str(uuid.uuid4()),
        "x-ms-ests-server": "local",
    }
