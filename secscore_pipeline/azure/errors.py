"""Every way Azure can fail us, as a typed error that says what happened, why, and what to do."""

from enum import StrEnum
from typing import NamedTuple

from secscore_pipeline.failures import cure, explained


class Outcome(StrEnum):
    """How one look at one subscription for one event type ended: `raw.fetches.outcome`."""

    COMPLETE = "complete"
    NO_SCORE = "no_score"
    NOT_REGISTERED = "not_registered"
    DISABLED = "disabled"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    THROTTLED = "throttled"
    FAILED = "failed"


class AzureError(Exception):
    """Something between this machine and Azure's answer went wrong.

    Args:
        what: one sentence that says what happened, without a secret in it.
        failure: its name in the catalogue of failures, which says what to do about it.
        known: what the cure has places for.
    """

    def __init__(self, what: str, failure: str, **known: object) -> None:
        super().__init__(explained(what, failure, **known))
        self.what = what
        self.failure = failure
        self.cure = cure(failure, **known)


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


class InterruptedReadError(AzureError):
    """The run was told to stop while this request waited."""

    def __init__(self) -> None:
        super().__init__("The run was stopped.", "stopped")


class Verdict(NamedTuple):
    """What an error answer of Azure Resource Manager means for the subscription it is about."""

    outcome: Outcome
    failure: str


_BY_CODE = {
    "subscription not registered": Verdict(Outcome.NOT_REGISTERED, "not-registered"),
    "missingsubscriptionregistration": Verdict(Outcome.NOT_REGISTERED, "not-registered"),
    "subscriptionnotfound": Verdict(Outcome.NOT_FOUND, "subscription-unknown"),
    "invalidsubscriptionid": Verdict(Outcome.NOT_FOUND, "subscription-unknown"),
    "disabledsubscription": Verdict(Outcome.DISABLED, "subscription-disabled"),
    "readonlydisabledsubscription": Verdict(Outcome.DISABLED, "subscription-disabled"),
    "subscriptionnotactive": Verdict(Outcome.DISABLED, "subscription-disabled"),
    "invalidauthenticationtokentenant": Verdict(Outcome.FAILED, "wrong-tenant"),
}

_BY_STATUS = {
    401: Verdict(Outcome.FAILED, "token-refused"),
    403: Verdict(Outcome.FORBIDDEN, "forbidden"),
    404: Verdict(Outcome.NOT_FOUND, "not-found"),
    429: Verdict(Outcome.THROTTLED, "throttled"),
}

_UNKNOWN = Verdict(Outcome.FAILED, "azure-failing")


def verdict(http_status: int, code: str | None) -> Verdict:
    """Say what an error answer means.

    Args:
        http_status: the answer's status.
        code: the error code in its body, in any case; None when the body had none.

    Source: Azure Resource Manager's error answers; codes are compared without regard to case since one
    provider writes its keys and codes differently from the next.
    """
    return _BY_CODE.get((code or "").lower()) or _BY_STATUS.get(http_status, _UNKNOWN)


def is_no_score(http_status: int, code: str | None, message: str | None) -> bool:
    """Tell whether an error answer says that a subscription has no secure score yet.

    Microsoft.Security answers 404 with the code ResourceNotFound and the text "Secure score '…' does not
    exist in scope '…'": a state of the subscription, not a failure.
    """
    return (
        http_status == 404 and (code or "").lower() == "resourcenotfound" and "secure score" in (message or "").lower()
    )
