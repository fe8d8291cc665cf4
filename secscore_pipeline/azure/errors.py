"""Every way Azure can fail us, as a typed error that says what happened, why, and what to do."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from secscore_pipeline.errors import FailureError
from secscore_pipeline.system.redaction import redact
from secscore_pipeline.text import printable

log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """How one fetch of one event type of one subscription ended: `raw.fetches.outcome`."""

    COMPLETE = "complete"
    NO_SCORE = "no_score"
    NOT_REGISTERED = "not_registered"
    DISABLED = "disabled"
    UNSUPPORTED = "unsupported"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    THROTTLED = "throttled"
    FAILED = "failed"

    @property
    def result(self) -> "ReadResult":
        """What it means for coverage."""
        return RESULTS[self]

    @property
    def words(self) -> str:
        """The outcome as people read it, of one subscription; the code itself is for programs."""
        return _WORDS[self]


_WORDS: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.COMPLETE: "read",
        Outcome.NO_SCORE: "no score yet",
        Outcome.NOT_REGISTERED: "not registered",
        Outcome.DISABLED: "disabled",
        Outcome.UNSUPPORTED: "unsupported",
        Outcome.FORBIDDEN: "forbidden",
        Outcome.NOT_FOUND: "not found",
        Outcome.THROTTLED: "throttled",
        Outcome.FAILED: "failed",
    }
)


class ReadResult(StrEnum):
    """What an outcome means for coverage: each subscription counts in one of these, everywhere."""

    READ = "read"
    NO_SCORE = "no_score"
    NOT_READ = "not_read"


RESULTS: Mapping[Outcome, ReadResult] = MappingProxyType(
    {
        Outcome.COMPLETE: ReadResult.READ,
        Outcome.NO_SCORE: ReadResult.NO_SCORE,
        Outcome.UNSUPPORTED: ReadResult.NO_SCORE,
        Outcome.NOT_REGISTERED: ReadResult.NOT_READ,
        Outcome.DISABLED: ReadResult.NOT_READ,
        Outcome.FORBIDDEN: ReadResult.NOT_READ,
        Outcome.NOT_FOUND: ReadResult.NOT_READ,
        Outcome.THROTTLED: ReadResult.NOT_READ,
        Outcome.FAILED: ReadResult.NOT_READ,
    }
)
"""What each outcome means for coverage; `internal.read_result_of` has the same in SQL, and a test compares."""


class AzureError(FailureError):
    """Something between this machine and Azure's answer went wrong.

    Args:
        what: one sentence that says what happened; secrets and control characters in it do not reach the message.
        failure: its name in the catalogue of failures, which says what to do about it.
        known: what the resolution has places for.
    """

    def __init__(self, what: str, failure: str, **known: object) -> None:
        self.what = printable(redact(what))
        super().__init__(self.what, failure, **known)


class SignInError(AzureError):
    """Entra gave no token: every subscription is out of reach, so the run ends here."""


class RequestError(AzureError):
    """One request to Azure Resource Manager failed for good, its retries included.

    Args:
        what, failure, known: as for `AzureError`.
        outcome: the state this leaves the subscription in.
        http_status: the status of the last answer; None when there was no answer.
        code: Azure's own error code, as received.
        request_ids: `x-ms-request-id` of every answer that led here.
    """

    def __init__(
        self,
        what: str,
        failure: str,
        *,
        outcome: Outcome = Outcome.FAILED,
        http_status: int | None = None,
        code: str | None = None,
        request_ids: tuple[str, ...] = (),
        **known: object,
    ) -> None:
        super().__init__(what, failure, **known)
        self.outcome = outcome
        self.http_status = http_status
        self.code = code
        self.request_ids = request_ids


class NoScoreYet(Exception):  # noqa: N818 - a state of the subscription, not an error
    """Azure Resource Manager says that the subscription has no secure score yet."""

    def __init__(self, answer_status: int, code: str | None, request_ids: tuple[str, ...]) -> None:
        super().__init__("no secure score yet")
        self.http_status = answer_status
        self.code = code
        self.request_ids = request_ids


class InterruptedReadError(AzureError):
    """The run was stopped while this request waited."""

    def __init__(self) -> None:
        super().__init__("The run was stopped.", "stopped")


@contextmanager
def convert_unforeseen_errors(what: str, failure: str) -> Iterator[None]:
    """Convert every exception of the block that is not one of ours to a `RequestError`: one answer, one failed fetch.

    Whatever an answer makes a parser, a library or this package do, it costs the request that it answers.

    Args:
        what: the beginning of a sentence that says what failed; the kind of exception is added.
        failure: its name in the catalogue of failures.
    """
    try:
        yield
    except (AzureError, NoScoreYet):
        raise
    except Exception as error:
        log.debug("%s", what, exc_info=error)
        # Without its cause, whose text may be the server's: Dagster would store that too.
        raise RequestError(f"{what} ({type(error).__name__}).", failure) from None


class Verdict(NamedTuple):
    """What an error answer of Azure Resource Manager means for the subscription it is about."""

    outcome: Outcome
    failure: str


_BY_CODE = {
    "subscription not registered": Verdict(Outcome.NOT_REGISTERED, "not-registered"),
    "missingsubscriptionregistration": Verdict(Outcome.NOT_REGISTERED, "not-registered"),
    "subscriptionnotfound": Verdict(Outcome.NOT_FOUND, "subscription-unknown"),
    "invalidsubscriptionid": Verdict(Outcome.NOT_FOUND, "subscription-unknown"),
    "disallowedoperation": Verdict(Outcome.UNSUPPORTED, "subscription-unsupported"),
    "disallowedprovider": Verdict(Outcome.UNSUPPORTED, "subscription-unsupported"),
    "disabledsubscription": Verdict(Outcome.DISABLED, "subscription-disabled"),
    "readonlydisabledsubscription": Verdict(Outcome.DISABLED, "subscription-disabled"),
    "subscriptionnotactive": Verdict(Outcome.DISABLED, "subscription-disabled"),
    "invalidauthenticationtokentenant": Verdict(Outcome.FAILED, "wrong-tenant"),
    "invalidapiversionparameter": Verdict(Outcome.FAILED, "api-version-refused"),
    "noregisteredproviderfound": Verdict(Outcome.FAILED, "api-version-refused"),
    "unsupportedapiversion": Verdict(Outcome.FAILED, "api-version-refused"),
}

_BY_STATUS = {
    401: Verdict(Outcome.FAILED, "token-refused"),
    403: Verdict(Outcome.FORBIDDEN, "forbidden"),
    404: Verdict(Outcome.NOT_FOUND, "not-found"),
    429: Verdict(Outcome.THROTTLED, "throttled"),
}

_UNKNOWN = Verdict(Outcome.FAILED, "azure-failing")


def classify_answer(http_status: int, code: str | None) -> Verdict:
    """Say what an error answer means.

    Args:
        http_status: the answer's status.
        code: the error code in its body, in any case; None when the body had none.

    Source: Azure Resource Manager's error answers; codes are compared without regard to case since one
    provider writes its keys and codes differently from the next.
    """
    return _BY_CODE.get((code or "").lower()) or _BY_STATUS.get(http_status, _UNKNOWN)


def is_version_refused(code: str | None) -> bool:
    """Tell whether an error code says that Azure may know the list in another api-version.

    A resource type that is not there in one version (InvalidResourceType) may be there in an older one.
    """
    code = (code or "").lower()
    return code == "invalidresourcetype" or (code in _BY_CODE and _BY_CODE[code].failure == "api-version-refused")


def is_no_score(http_status: int, code: str | None, message: str | None) -> bool:
    """Return whether an error answer says that a subscription has no secure score yet.

    Microsoft.Security answers 404 with the code ResourceNotFound and the text "Secure score '…' does not
    exist in scope '…'": a state of the subscription, not a failure.
    """
    return (
        http_status == 404 and (code or "").lower() == "resourcenotfound" and "secure score" in (message or "").lower()
    )
