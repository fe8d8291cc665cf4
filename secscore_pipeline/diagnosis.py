"""The connection, tried step by step: what works, how long it took, and which of the usual things is wrong.

It reads, and changes nothing. The command line prints the steps, the UI's job logs them.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NameResolutionError

from secscore_pipeline.azure.clouds import CLOUDS, RETIRED, Cloud
from secscore_pipeline.azure.errors import AzureError, Outcome, RequestError, SignInError
from secscore_pipeline.azure.secure_score import Fetch, fetch_all
from secscore_pipeline.azure.session import Session, certificate_of, is_untrusted
from secscore_pipeline.clock import Clock
from secscore_pipeline.failures import explained
from secscore_pipeline.resources import AzureConnection
from secscore_pipeline.settings import AzureSettings, SettingsError
from secscore_pipeline.shown import GUID

_TRY_SECONDS = 10


class State(StrEnum):
    """How a step ended."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"


@dataclass(frozen=True)
class Step:
    """One step of the diagnosis.

    Attributes:
        name: settings, network, sign-in, subscriptions, or the event type that was read.
        state: how it ended.
        says: what was found; of what is wrong also why and what to do, with the failure's name.
        seconds: how long it took.
        failure: the name of what is wrong in the catalogue of failures; None where nothing is.
        subscription_id: whose data was read; None for the steps before.
    """

    name: str
    state: State
    says: str
    seconds: float
    failure: str | None = None
    subscription_id: str | None = None

    @property
    def line(self) -> str:
        """The step in a line."""
        whose = f" {self.subscription_id}" if self.subscription_id else ""
        return f"{self.name}{whose} ({1000 * self.seconds:.0f} ms): {self.says}"

    @property
    def record(self) -> dict[str, Any]:
        """The step as tables and JSON show it."""
        return {**asdict(self), "state": self.state.value, "seconds": round(self.seconds, 3)}


def diagnose(connection: AzureConnection, clock: Clock) -> Iterator[Step]:
    """Try a connection: settings, network, sign-in, subscriptions, then every subscription for each event type.

    A step that the next ones cannot do without ends it.

    Args:
        connection: whose settings are tried.
        clock: tells the present time.
    """
    watch = _Watch()
    try:
        settings = connection.settings()
    except SettingsError as error:
        for problem in error.problems:
            yield Step("settings", State.FAILED, problem, watch.lap(), _failure_in(problem))
        return
    yield Step("settings", State.PASSED, "All settings are there and well-formed.", watch.lap())
    if settings.cloud.partition in RETIRED:
        yield Step("settings", State.WARNED, RETIRED[settings.cloud.partition], watch.lap())

    for setting, url in (
        ("AZURE_AUTHORITY_HOST", settings.cloud.authority_host),
        ("SECSCORE_ARM_ENDPOINT", settings.cloud.arm_endpoint),
    ):
        try:
            _reach(url, setting, settings.ca_bundle)
        except AzureError as error:
            yield _failed("network", error, watch)
            return
        yield Step("network", State.PASSED, f"{url} answers, and its certificate is trusted.", watch.lap())

    client = connection.client()
    try:
        client.sign_in()
    except SignInError as error:
        yield _failed("sign-in", explain_sign_in(error, settings), watch)
        return
    who = settings.credential.client_id or "the managed identity"
    yield Step("sign-in", State.PASSED, f"Entra gave {who} a token.", watch.lap())

    try:
        directory = connection.directory()
        seen, subscription_ids = directory.visible, connection.subscriptions(directory)
    except AzureError as error:
        yield _failed("subscriptions", error, watch)
        return
    yield Step(
        "subscriptions",
        State.PASSED,
        f"The identity sees {len(seen)} subscriptions; {len(subscription_ids)} are to be read.",
        watch.lap(),
    )
    for sentence in connection.describe_unmatched_patterns(directory):
        yield Step("subscriptions", State.WARNED, sentence, watch.lap(), _failure_in(sentence))
    for event_type in settings.event_types:
        looks = fetch_all(client, event_type, subscription_ids, clock, settings.max_connections)
        for look in looks:
            yield _read(look)


def summary(steps: list[Step]) -> str:
    """Return the outcome of a diagnosis in a line."""
    read = [step for step in steps if step.subscription_id]
    if not read:
        wrong = next((step for step in steps if step.state is State.FAILED), None)
        return f"Stopped at {wrong.name}." if wrong else "Nothing was read."
    states = Counter(step.state for step in read)
    parts = [
        f"{states[State.PASSED]} of {len(read)} readings gave data",
        *([f"{states[State.WARNED]} have no score yet"] if states[State.WARNED] else []),
        *([f"{states[State.FAILED]} failed"] if states[State.FAILED] else []),
    ]
    return f"{', '.join(parts)}."


class _Watch:
    """Tells how long ago it was asked last."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        return seconds


def _failure_in(sentence: str) -> str:
    """Return the name of the failure that an explained sentence ends with."""
    return sentence.rsplit("[", 1)[-1].rstrip("]")


def _failed(name: str, error: AzureError, watch: _Watch) -> Step:
    return Step(name, State.FAILED, str(error), watch.lap(), error.failure)


def _read(look: Fetch) -> Step:
    seconds = (look.finished_at - look.started_at).total_seconds()
    name, identifier = look.event_type.name, look.subscription_id
    if look.outcome is Outcome.COMPLETE:
        says = f"{look.records} {'record' if look.records == 1 else 'records'}."
        return Step(name, State.PASSED, says, seconds, subscription_id=identifier)
    if look.outcome is Outcome.NO_SCORE:
        says = explained("It has no secure score yet.", "no-score", subscription_id=identifier)
        return Step(name, State.WARNED, says, seconds, "no-score", identifier)
    if look.outcome is Outcome.UNSUPPORTED:
        return Step(name, State.WARNED, look.error or look.outcome, seconds, look.failure, identifier)
    return Step(name, State.FAILED, look.error or look.outcome, seconds, look.failure, identifier)


def _reach(url: str, setting: str, ca_bundle: str | None) -> None:
    """Resolve a host, connect to it and agree on TLS, through the proxy if there is one.

    Raises:
        RequestError: names what stands in the way.
    """
    host = urlsplit(url).hostname or url
    try:
        with Session(ca_bundle, timeout=_TRY_SECONDS).get(url):
            return  # whatever it answers, it is there
    except requests.exceptions.ProxyError as error:
        raise RequestError(f"The proxy on the way to {host} failed.", "proxy-failing", host=host) from error
    except requests.exceptions.SSLError as error:
        if is_untrusted(error):
            raise RequestError(f"The certificate of {host} is not trusted{_signer(url)}.", "tls-untrusted") from error
        raise RequestError(f"TLS with {host} could not be agreed on.", "tls-broken", setting=setting) from error
    except requests.exceptions.ConnectionError as error:
        cause = getattr(error.args[0] if error.args else None, "reason", None)
        if isinstance(cause, NameResolutionError):
            raise RequestError(f"{host} cannot be resolved.", "name-unresolved", setting=setting) from error
        raise RequestError(f"{host} cannot be reached.", "unreachable", setting=setting) from error
    except requests.exceptions.Timeout as error:
        raise RequestError(f"{host} did not answer in {_TRY_SECONDS} s.", "unreachable", setting=setting) from error


def _signer(url: str) -> str:
    """Say who signed the certificate that a host shows: a proxy that opens TLS is known by that."""
    from cryptography import x509

    pem = certificate_of(url, _TRY_SECONDS)
    if pem is None:
        return ""
    return f": it is signed by {x509.load_pem_x509_certificate(pem).issuer.rfc4514_string()!r}"


def explain_sign_in(error: SignInError, settings: AzureSettings) -> SignInError:
    """Return the error of a sign-in, with a cause found for a tenant that Entra does not know.

    Another cloud may know it, or the two ids are swapped. Both are asked of Entra.
    """
    if error.failure != "tenant-unknown":
        return error
    client_id = settings.credential.client_id
    if GUID.fullmatch(client_id) and _knows(settings.cloud, client_id, settings.ca_bundle):
        return SignInError(f"{client_id} in AZURE_CLIENT_ID is a tenant.", "tenant-and-client-swapped")
    if settings.cloud in CLOUDS.values():
        for name, cloud in CLOUDS.items():
            if cloud != settings.cloud and _knows(cloud, settings.tenant_id, settings.ca_bundle):
                what = f"The tenant {settings.tenant_id} is in {name}."
                return SignInError(what, "wrong-cloud", cloud=name)
    return error


def _knows(cloud: Cloud, tenant: str, ca_bundle: str | None) -> bool:
    url = f"{cloud.authority_host}/{tenant}/v2.0/.well-known/openid-configuration"
    try:
        return Session(ca_bundle, timeout=_TRY_SECONDS).get(url).status_code == 200
    except requests.exceptions.RequestException:
        return False
