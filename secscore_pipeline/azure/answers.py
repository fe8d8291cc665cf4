"""Reads the answers of Azure Resource Manager: lists, errors in whatever form they come, and challenges."""

import base64
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import msgspec

from secscore_pipeline.system.redaction import bounded_code

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """A complete answer with its body.

    Attributes:
        status: what it means: that of the answer, or that of the error which a body sent with 200 holds.
        seconds: how long it took from the request to the answer's headers.
        page: the list that the body is; None where it is none.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    raw: object
    seconds: float
    page: "ListEnvelope | None" = None

    @cached_property
    def request_id(self) -> str | None:
        """ARM's id of the answer (`x-ms-request-id`); None where it sent none."""
        return bounded_code(self.headers.get("x-ms-request-id"))


class ListEnvelope(msgspec.Struct):
    """The envelope of ARM's lists; records stay unparsed so that no numeral is rewritten."""

    value: list[msgspec.Raw] | None
    nextLink: str | None = None  # noqa: N815 - the API's own name


def decode_list(body: bytes) -> ListEnvelope | None:
    """Return the list that a body is; None where it is JSON of another form.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError: it is no JSON, as a body cut short is none.
    """
    try:
        page = msgspec.json.decode(body, type=ListEnvelope)
    except msgspec.ValidationError:
        msgspec.json.decode(body, type=msgspec.Raw)
        page = None
    body.decode()
    return page


def decode_error(body: bytes) -> tuple[str | None, str | None]:
    """Return code and message of an error body, whatever the case of its keys; None where there is none."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, None
    error = _lower_keys(_lower_keys(document).get("error"))
    code, message = error.get("code"), error.get("message")
    return bounded_code(code), (str(message) if isinstance(message, str | int | float) else None)


_STATUS_BY_CODE = {
    "authorizationfailed": 403,
    "subscriptionnotfound": 404,
    "resourcenotfound": 404,
    "toomanyrequests": 429,
    "subscriptionrequeststhrottled": 429,
    "resourcerequeststhrottled": 429,
    "gatewaytimeout": 504,
}
"""The status that Azure sends with an error code, for gateways that send the error with 200."""


def status_of_error(body: bytes) -> int:
    """Return the status of the error that a body sent with 200 holds; 200 where it holds none."""
    code, message = decode_error(body)
    if code is None and message is None:
        return 200
    return _STATUS_BY_CODE.get((code or "").lower(), 503)


def _lower_keys(value: object) -> dict[str, object]:
    return {str(key).lower(): item for key, item in value.items()} if isinstance(value, dict) else {}


def decode_claims_challenge(answer: Answer) -> str | None:
    """Return the decoded claims of a continuous-access-evaluation challenge, None when there is none."""
    header = answer.headers.get("WWW-Authenticate", "")
    found = re.search(r'claims="([^"]+)"', header)
    if not found or "insufficient_claims" not in header:
        return None
    try:
        return base64.b64decode(found[1] + "=" * (-len(found[1]) % 4), altchars=b"-_").decode()
    except ValueError:
        log.debug("unreadable claims challenge from ARM")
        return None
