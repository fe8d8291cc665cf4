"""Every way Azure can fail us, as a typed error that says what happened, why, and what to do."""

from dataclasses import dataclass
from enum import StrEnum


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
        cure: one sentence that says what to do about it.
    """

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(f"{what} {cure}")
        self.what = what
        self.cure = cure


class SignInError(AzureError):
    """Entra gave no token: every subscription is out of reach, so the run ends here."""


class RequestError(AzureError):
    """One request to Azure Resource Manager failed for good, its retries included.

    Args:
        what, cure: as for `AzureError`.
        outcome: the state this leaves the subscription in.
        http_status: the status of the last answer; None when there was no answer.
        code: Azure's own error code, as received.
        request_ids: `x-ms-request-id` of every answer that led here.
    """

    def __init__(
        self,
        what: str,
        cure: str,
        *,
        outcome: Outcome = Outcome.FAILED,
        http_status: int | None = None,
        code: str | None = None,
        request_ids: tuple[str, ...] = (),
    ) -> None:
        super().__init__(what, cure)
        self.outcome = outcome
        self.http_status = http_status
        self.code = code
        self.request_ids = request_ids


class InterruptedReadError(AzureError):
    """The run was told to stop while this request waited."""

    def __init__(self) -> None:
        super().__init__("The run was stopped.", "Start it again: nothing half-read was stored.")


@dataclass(frozen=True)
class Verdict:
    """What an error answer of Azure Resource Manager means for the subscription it is about."""

    outcome: Outcome
    cure: str


_BY_CODE = {
    "subscription not registered": Verdict(
        Outcome.NOT_REGISTERED,
        "Register the provider: az provider register --namespace Microsoft.Security.",
    ),
    "missingsubscriptionregistration": Verdict(
        Outcome.NOT_REGISTERED,
        "Register the provider: az provider register --namespace Microsoft.Security.",
    ),
    "subscriptionnotfound": Verdict(
        Outcome.NOT_FOUND,
        "Check AZURE_SUBSCRIPTION_IDS, and that the subscription belongs to AZURE_TENANT_ID.",
    ),
    "invalidsubscriptionid": Verdict(Outcome.NOT_FOUND, "Check AZURE_SUBSCRIPTION_IDS."),
    "disabledsubscription": Verdict(
        Outcome.DISABLED, "Enable the subscription in the Azure portal, or take it out of the list."
    ),
    "readonlydisabledsubscription": Verdict(
        Outcome.DISABLED, "Enable the subscription in the Azure portal, or take it out of the list."
    ),
    "subscriptionnotactive": Verdict(
        Outcome.DISABLED, "Enable the subscription in the Azure portal, or take it out of the list."
    ),
}

_BY_STATUS = {
    401: Verdict(
        Outcome.FAILED,
        "Check that AZURE_TENANT_ID is the subscription's own tenant and that the authority and the ARM "
        "endpoint belong to one cloud.",
    ),
    403: Verdict(
        Outcome.FORBIDDEN,
        "Give the application the role Security Reader on this subscription; a grant made minutes ago may "
        "take some more.",
    ),
    404: Verdict(Outcome.NOT_FOUND, "Check AZURE_SUBSCRIPTION_IDS and SECSCORE_ARM_ENDPOINT."),
    429: Verdict(Outcome.THROTTLED, "Wait, or lower SECSCORE_MAX_CONNECTIONS: Azure limits reads."),
}

_UNKNOWN = Verdict(Outcome.FAILED, "Run it again; if it stays, give Microsoft's support the request id.")


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
