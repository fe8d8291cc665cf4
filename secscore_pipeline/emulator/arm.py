"""The resource manager half of the local Azure: the Secure Score API, and the lists of subscriptions."""

import base64
import json
import re
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import parse_qsl

import jwt
from starlette.responses import Response

from secscore_pipeline.emulator.assessments import describe, is_at
from secscore_pipeline.emulator.entra import Entra
from secscore_pipeline.emulator.recommendations import VERSIONS
from secscore_pipeline.emulator.world import API_VERSION, GROUPS, State, Subscription, World

_SECURITY = r"/providers/Microsoft\.Security"
_SUBSCRIPTION = rf"/subscriptions/(?P<subscription>[^/]+){_SECURITY}"
_VERSIONS = {
    "subscriptions": ("2022-12-01",),
    "descendants": ("2020-05-01",),
    "assessments": VERSIONS,
    "assessmentMetadata": VERSIONS,
}
"""The api-versions of the operations that have others than the secure score."""

_GUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)

Documents = list[dict[str, object]]
_Item = TypeVar("_Item")


class Arm:
    """Answers GET requests below the resource manager's root.

    Args:
        world: the simulated tenant.
        entra: who vouches for tokens.
        page_size: items on a page; None puts all on one, as in every recording of the real service.

    Attributes:
        verbatim: bodies of lists that are sent as they are, by a subscription's id and the kind of the list; the
            metadata of the tenant's recommendations is of the subscription "".
    """

    def __init__(self, world: World, entra: Entra, page_size: int | None = None) -> None:
        self.world = world
        self.entra = entra
        self.page_size = page_size
        self.verbatim: dict[tuple[str, str], bytes] = {}
        self._routes: list[tuple[re.Pattern[str], str, Callable[[re.Match[str], dict[str, str]], Response]]] = [
            (self._pattern(rf"{_SUBSCRIPTION}/secureScores"), "secureScores", self._scores),
            (self._pattern(rf"{_SUBSCRIPTION}/secureScores/(?P<name>[^/]+)"), "secureScores", self._score),
            (
                self._pattern(rf"{_SUBSCRIPTION}/secureScores/(?P<name>[^/]+)/secureScoreControls"),
                "secureScores/secureScoreControls",
                self._controls,
            ),
            (self._pattern(rf"{_SUBSCRIPTION}/secureScoreControls"), "secureScoreControls", self._controls),
            (
                self._pattern(rf"(?:{_SUBSCRIPTION}|{_SECURITY})/secureScoreControlDefinitions"),
                "secureScoreControlDefinitions",
                self._definitions,
            ),
            (self._pattern(rf"{_SUBSCRIPTION}/assessments"), "assessments", self._assessments),
            (
                self._pattern(
                    rf"(?P<resource>/subscriptions/(?P<subscription>[^/]+)(?:/.+)?){_SECURITY}/assessments/(?P<key>[^/]+)"
                ),
                "assessments",
                self._assessment,
            ),
            (
                self._pattern(rf"(?:{_SUBSCRIPTION}|{_SECURITY})/assessmentMetadata(?:/(?P<key>[^/]+))?"),
                "assessmentMetadata",
                self._metadata,
            ),
            (self._pattern("/subscriptions"), "subscriptions", self._subscriptions),
            (
                self._pattern(r"/providers/Microsoft\.Management/managementGroups/(?P<group>[^/]+)/descendants"),
                "descendants",
                self._descendants,
            ),
        ]

    def answer(self, path: str, query: str, authorization: str | None) -> Response:
        """Answer one GET: token, route, api-version, subscription and role are checked in ARM's order."""
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        claims = self._authenticate(authorization)
        if isinstance(claims, Response):
            return claims
        found = next(((m, kind, serve) for pattern, kind, serve in self._routes if (m := pattern.match(path))), None)
        version = parameters.get("api-version")
        if version is None:
            return _error(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        if found is None:
            kind = path.strip("/").rsplit("/", 1)[-1]
            return _error(
                404,
                "InvalidResourceType",
                f"The resource type '{kind}' could not be found in the namespace 'Microsoft.Security' for api "
                f"version '{version}'.",
            )
        match, kind, serve = found
        supported = _VERSIONS.get(kind, (API_VERSION,))
        if version not in supported:
            return _error(
                400,
                "InvalidApiVersionParameter",
                f"The api-version '{version}' is invalid. The supported versions are '{','.join(supported)}'.",
            )
        subscription_id = match.groupdict().get("subscription")
        if subscription_id is not None:
            refused = self._out_of_reach(subscription_id, kind, claims)
            if refused is not None:
                return refused
        if kind == "descendants":
            refused = self._group_out_of_reach(match["group"], claims)
            if refused is not None:
                return refused
        return serve(match, parameters)

    def _authenticate(self, authorization: str | None) -> dict[str, object] | Response:
        if not authorization:
            return self._make_unauthorized(
                "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
            )
        token = authorization.removeprefix("Bearer ").strip()
        if not token or token == "Bearer":  # noqa: S105 - the scheme's name
            return self._make_unauthorized(
                "AuthenticationFailedMissingToken",
                "Authentication failed. The 'Authorization' header is missing the access token.",
            )
        try:
            return self.entra.check(token)
        except jwt.ExpiredSignatureError:
            now = datetime.now(UTC).strftime("%m/%d/%Y %I:%M:%S %p")
            return self._make_unauthorized(
                "ExpiredAuthenticationToken",
                f"The access token expiry UTC time is earlier than current UTC time '{now}'.",
            )
        except jwt.InvalidAudienceError:
            return self._make_unauthorized(
                "InvalidAuthenticationTokenAudience",
                "The access token has been obtained for wrong audience or resource.",
            )
        except jwt.InvalidTokenError:
            return self._make_unauthorized("InvalidAuthenticationToken", "The access token is invalid.")

    def _make_unauthorized(self, code: str, message: str) -> Response:
        response = _error(401, code, message)
        response.headers["WWW-Authenticate"] = (
            f'Bearer authorization_uri="{self.entra.host}/{self.world.tenant_id}", error="invalid_token", '
            f'error_description="{message}"'
        )
        return response

    def _out_of_reach(self, subscription_id: str, kind: str, claims: dict[str, object]) -> Response | None:
        if not _GUID.fullmatch(subscription_id):
            return _error(
                400,
                "InvalidSubscriptionId",
                f"The provided subscription identifier '{subscription_id}' is malformed or invalid.",
            )
        subscription = self.world.subscriptions.get(subscription_id.lower())
        if subscription is None:
            return _error(404, "SubscriptionNotFound", f"The subscription '{subscription_id}' could not be found.")
        if subscription.state is State.FORBIDDEN:
            return _error(
                403,
                "AuthorizationFailed",
                f"The client '{claims['appid']}' with object id '{claims['oid']}' does not have authorization to "
                f"perform action 'Microsoft.Security/{kind}/read' over scope '/subscriptions/{subscription_id}/"
                "providers/Microsoft.Security' or the scope is invalid. If access was recently granted, please "
                "refresh your credentials.",
            )
        if subscription.state is State.FOREIGN:
            return _error(
                401,
                "InvalidAuthenticationTokenTenant",
                f"The access token is from the wrong issuer 'https://sts.windows.net/{self.world.tenant_id}/'. It must "
                f"match the tenant 'https://sts.windows.net/{uuid.UUID(int=0)}/' associated with this subscription.",
            )
        if subscription.state is State.UNSUPPORTED:
            return _error(
                400,
                "DisallowedOperation",
                "The current subscription type is not permitted to perform operations on any provider namespace. "
                "Please use a different subscription.",
            )
        if subscription.state is State.UNREGISTERED:
            return _error(
                404,
                "Subscription Not Registered",
                "Please register to Microsoft.Security in order to view your security status",
            )
        return None

    def _group_out_of_reach(self, group: str, claims: dict[str, object]) -> Response | None:
        application = self.world.applications.get(str(claims["appid"]))
        if group in map(self.world.group_id, GROUPS) and (application is None or application.reads_groups):
            return None
        return _error(
            403,
            "AuthorizationFailed",
            f"The client '{claims['appid']}' with object id '{claims['oid']}' does not have authorization to perform "
            f"action 'Microsoft.Management/managementGroups/descendants/read' over scope '/providers/"
            f"Microsoft.Management/managementGroups/{group}' or the scope is invalid. If access was recently granted, "
            "please refresh your credentials.",
        )

    def _subscription(self, match: re.Match[str]) -> Subscription:
        return self.world.subscriptions[match["subscription"].lower()]

    def _scores(self, match: re.Match[str], parameters: dict[str, str]) -> Response:
        subscription = self._subscription(match)
        given = self.verbatim.get((subscription.subscription_id.lower(), "secureScores"))
        if given is not None:
            return _ok(given)
        return self._list(match.string, parameters, self._documents(subscription, scores=True, expand=False))

    def _score(self, match: re.Match[str], parameters: dict[str, str]) -> Response:  # noqa: ARG002 - a route's form
        subscription = self._subscription(match)
        for document in self._documents(subscription, scores=True, expand=False):
            if str(document["name"]).lower() == match["name"].lower():
                return _ok(_json(document))
        return self._no_such_score(match)

    def _controls(self, match: re.Match[str], parameters: dict[str, str]) -> Response:
        subscription = self._subscription(match)
        given = self.verbatim.get((subscription.subscription_id.lower(), "secureScoreControls"))
        if given is not None:
            return _ok(given)
        name = match.groupdict().get("name")
        names = {str(document["name"]).lower() for document in self._documents(subscription, scores=True, expand=False)}
        if name is not None and name.lower() not in names:
            return self._no_such_score(match)
        expand = parameters.get("$expand", "").lower() == "definition"
        return self._list(match.string, parameters, self._documents(subscription, scores=False, expand=expand))

    def _definitions(self, match: re.Match[str], parameters: dict[str, str]) -> Response:
        return self._list(match.string, parameters, [definition.document for definition in self.world.definitions])

    def _assessments(self, match: re.Match[str], parameters: dict[str, str]) -> Response:
        """Answer with the assessments of a subscription; `$expand` is of no effect, as the specification has none."""
        subscription, version = self._subscription(match), parameters["api-version"]
        given = self.verbatim.get((subscription.subscription_id.lower(), "assessments"))
        if given is not None:
            return _ok(given)
        return self._list(
            match.string,
            parameters,
            self.world.list_assessments(subscription),
            lambda assessment: describe(subscription.subscription_id, assessment, version),
        )

    def _assessment(self, match: re.Match[str], parameters: dict[str, str]) -> Response:
        subscription, version = self._subscription(match), parameters["api-version"]
        for assessment in self.world.list_assessments(subscription):
            if is_at(assessment, subscription.subscription_id, match["resource"], match["key"]):
                expanded = parameters.get("$expand", "").lower().split(",")
                return _ok(_json(describe(subscription.subscription_id, assessment, version, expanded)))
        return _error(404, "ResourceNotFound", f"The assessment '{match['key']}' could not be found.")

    def _metadata(self, match: re.Match[str], parameters: dict[str, str]) -> Response:
        version, catalogue = parameters["api-version"], self.world.catalogue
        given = self.verbatim.get(((match["subscription"] or "").lower(), "assessmentMetadata"))
        if given is not None and match["key"] is None:
            return _ok(given)
        documents = (
            catalogue.tenant_documents(version)
            if match["subscription"] is None
            else catalogue.subscription_documents(self._subscription(match).subscription_id, version)
        )
        if match["key"] is None:
            return self._list(match.string, parameters, documents)
        for document in documents:
            if document["name"] == match["key"].lower():
                return _ok(_json(document))
        return _error(404, "ResourceNotFound", f"The assessment metadata '{match['key']}' could not be found.")

    def _subscriptions(self, match: re.Match[str], parameters: dict[str, str]) -> Response:
        documents = [self.world.subscription_document(one) for one in self.world.subscriptions.values()]
        return self._list(match.string, parameters, documents)

    def _descendants(self, match: re.Match[str], parameters: dict[str, str]) -> Response:
        return self._list(match.string, parameters, self.world.descendants(match["group"]))

    def _documents(self, subscription: Subscription, *, scores: bool, expand: bool) -> Documents:
        if subscription.state in (State.UNSCORED, State.DISABLED):
            return []
        if scores:
            return self.world.scores(subscription)
        return self.world.controls(subscription, "ascScore", expand=expand)

    def _list(
        self,
        path: str,
        parameters: dict[str, str],
        items: Sequence[_Item],
        describe_item: Callable[[_Item], object] = lambda document: document,
    ) -> Response:
        """Answer with a list; `nextLink` is absent, not null, on the last page."""
        if self.page_size is None:
            return _ok(_json({"value": [describe_item(item) for item in items]}))
        start = 0
        if "$skipToken" in parameters:
            start = int(base64.urlsafe_b64decode(parameters["$skipToken"]).decode())
        body: dict[str, object] = {"value": [describe_item(item) for item in items[start : start + self.page_size]]}
        following = start + self.page_size
        if following < len(items):
            token = base64.urlsafe_b64encode(str(following).encode()).decode()
            version = parameters["api-version"]
            expand = f"&$expand={parameters['$expand']}" if "$expand" in parameters else ""
            body["nextLink"] = f"{self.entra.host}{path}?api-version={version}{expand}&$skipToken={token}"
        return _ok(_json(body))

    def _no_such_score(self, match: re.Match[str]) -> Response:
        """Answer 404 with the capitalised keys that Microsoft.Security writes here."""
        body = {
            "Error": {
                "Code": "ResourceNotFound",
                "Message": f"Secure score '{match['name']}' does not exist in scope '{match['subscription']}'",
            }
        }
        return Response(_json(body), 404, headers=_headers(), media_type="application/json")

    @staticmethod
    def _pattern(path: str) -> re.Pattern[str]:
        return re.compile(f"{path}/?$", re.IGNORECASE)


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _ok(body: bytes) -> Response:
    return Response(body, headers=_headers(), media_type="application/json; charset=utf-8")


def _error(status: int, code: str, message: str) -> Response:
    response = Response(
        _json({"error": {"code": code, "message": message}}),
        status,
        headers=_headers(),
        media_type="application/json; charset=utf-8",
    )
    response.headers["x-ms-failure-cause"] = "gateway"
    return response


def _headers() -> dict[str, str]:
    """Return the headers of the recorded answers."""
    request_id = str(uuid.uuid4())
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return {
        "cache-control": "no-cache",
        "pragma": "no-cache",
        "expires": "-1",
        "strict-transport-security": "max-age=31536000; includeSubDomains",
        "x-content-type-options": "nosniff",
        "vary": "Accept-Encoding",
        "x-ms-ratelimit-remaining-subscription-resource-requests": "749",
        "x-ms-request-id": request_id,
        "x-ms-correlation-request-id": request_id,
        "x-ms-routing-request-id": f"LOCAL:{stamp}:{uuid.uuid4()}",
    }
