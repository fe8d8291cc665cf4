"""The HTTP session that MSAL signs in with: only answers of the form that Entra documents come through it."""

import json
from typing import Any

import requests

from secscore_pipeline.azure.origins import host_of, is_same_origin
from secscore_pipeline.azure.session import ForeignHostError, Session

_LONGEST_LIFETIME = 366 * 24 * 3600
"""How many seconds a token lives at most, to be believed: Entra's live an hour or a day."""


class UnusableAnswerError(requests.exceptions.RequestException, ValueError):
    """An answer of the sign-in host is none that MSAL should see: it would log the whole of it."""


class SignInSession(Session):
    """Hands MSAL only answers of the form that Entra documents, and sends it nowhere else.

    MSAL follows where a configuration document points, logs answers it cannot read, and trusts the types in those that
    it can.
    """

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """See `Session`; raises `ForeignHostError` for a redirect, and `UnusableAnswerError`."""
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
        raise UnusableAnswerError(f"an answer of status {response.status_code} is not JSON") from None
    if not isinstance(document, dict):
        raise UnusableAnswerError(f"an answer of status {response.status_code} is no JSON object")
    return document


def _check_token_answer(document: dict[str, Any]) -> None:
    """Raise where the parts of a token answer that MSAL uses are not what Entra documents."""
    token, lifetime = document["access_token"], document.get("expires_in", 0)
    is_lifetime = isinstance(lifetime, int | str) and str(lifetime).isascii() and str(lifetime).isdigit()
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise UnusableAnswerError("an answer holds a token that is none")
    if not is_lifetime or int(lifetime) > _LONGEST_LIFETIME:
        raise UnusableAnswerError("an answer holds a token with a lifetime that is none")
