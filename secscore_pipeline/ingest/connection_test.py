"""The connection, tried step by step: what works, how long it took, and which of the usual things is wrong.

It reads, and changes nothing. The command line prints the steps, the UI's job logs them.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import NameResolutionError

from secscore_pipeline.azure.clouds import CLOUDS, RETIRED, Cloud
from secscore_pipeline.azure.errors import RESULTS, AzureError, Outcome, ReadResult, RequestError, SignInError
from secscore_pipeline.azure.event_types import ASSESSMENT_METADATA, ASSESSMENTS, Fetch, fetch, fetch_all
from secscore_pipeline.azure.origins import host_of
from secscore_pipeline.azure.session import Session, certificate_of, is_untrusted
from secscore_pipeline.clock import Clock
from secscore_pipeline.config.azure_settings import AzureSettings
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.errors import explain
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.text import GUID, list_some

_TRY_SECONDS = 10

_NAMED = 10
"""How many subscriptions of a group are named."""


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
        subscription_name: its display name, where Azure listed it.
        outcome: how the reading ended; None for the steps before.
    """

    name: str
    state: State
    says: str
    seconds: float
    failure: str | None = None
    subscription_id: str | None = None
    subscription_name: str | None = None
    outcome: Outcome | None = None

    @property
    def shown_subscription(self) -> str:
        """How the subscription is called for a reader: its name before its id."""
        return self.subscription_name or self.subscription_id or ""

    @property
    def line(self) -> str:
        """The step in a line."""
        whose = f" {self.shown_subscription}" if self.subscription_id else ""
        return f"{self.name}{whose} ({1000 * self.seconds:.0f} ms): {self.says}"

    @property
    def record(self) -> dict[str, Any]:
        """The step as JSON shows it, for programs."""
        outcome = self.outcome.value if self.outcome else None
        return {**asdict(self), "state": self.state.value, "seconds": round(self.seconds, 3), "outcome": outcome}

    @property
    def row(self) -> dict[str, Any]:
        """The step as a table shows it, for people."""
        return {**self.record, "outcome": self.outcome.words if self.outcome else None}


def run_connection_steps(connection: AzureConnection, clock: Clock) -> Iterator[Step]:
    """Try a connection: settings, network, sign-in, subscriptions, then every subscription for each event type.

    A step that the next ones cannot do without ends it. Of recommendations, the first page of each list is read, and of
    their metadata that of one list: a whole one may be long.

    Args:
        connection: whose settings are tried.
        clock: returns the present time.
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

    for host in (
        _Host("The sign-in host", "AZURE_AUTHORITY_HOST", settings.cloud.authority_host),
        _Host("Azure Resource Manager", "SECSCORE_ARM_ENDPOINT", settings.cloud.arm_endpoint),
    ):
        try:
            _reach(host, settings.ca_bundle)
        except AzureError as error:
            yield _make_failed_step("network", error, watch)
            return
        says = f"{host.role}, {host.url}, answers{host.by_proxy}, and its certificate is trusted."
        yield Step("network", State.PASSED, says, watch.lap())

    client = connection.client()
    try:
        client.sign_in()
    except SignInError as error:
        yield _make_failed_step("sign-in", explain_sign_in(error, settings), watch)
        return
    who = settings.credential.client_id or "the managed identity"
    yield Step("sign-in", State.PASSED, f"Entra gave {who} a token.", watch.lap())

    try:
        listing = connection.listing()
        seen, subscription_ids = listing.visible, connection.subscriptions(listing)
    except AzureError as error:
        yield _make_failed_step("subscriptions", error, watch)
        return
    yield Step(
        "subscriptions",
        State.PASSED,
        f"The identity sees {len(seen)} subscriptions; {len(subscription_ids)} are to be read.",
        watch.lap(),
    )
    for sentence in connection.describe_unmatched_patterns(listing):
        yield Step("subscriptions", State.WARNED, sentence, watch.lap(), _failure_in(sentence))
    names = {one.subscription_id: one.name for one in seen}
    for event_type in settings.event_types:
        most_pages = 1 if event_type is ASSESSMENTS else None
        fetches = fetch_all(client, [event_type], subscription_ids, clock, most_pages=most_pages)
        readable = None
        for done in fetches:
            yield _read(done, names.get(done.subscription_id))
            if done.outcome is Outcome.COMPLETE:
                readable = done.subscription_id
        if event_type is ASSESSMENTS and readable:
            yield _read(fetch(client, ASSESSMENT_METADATA, readable, clock, most_pages=1), names.get(readable))


@dataclass(frozen=True)
class Group:
    """Readings that ended in the same way, for the same subscriptions.

    Attributes:
        names: the event types.
        steps: one reading of each subscription, the first event type's.
    """

    names: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def state(self) -> State:
        """How they ended."""
        return self.steps[0].state

    @property
    def line(self) -> str:
        """The group in a line: what was read of whom, and of what is wrong the first one's reason."""
        whose = _format_names(self.steps)
        what = ", ".join(self.names)
        if self.state is State.PASSED:
            return f"{what}: {len(self.steps)} read: {whose}."
        first = "" if len(self.steps) == 1 else "The first: "
        return f"{what}: {_count(self.steps)}: {whose}. {first}{self.steps[0].says}"


def group_readings(steps: Sequence[Step]) -> list[Group]:
    """Return the readings among steps, those of one outcome and the same subscriptions as one group; the good first."""
    by_end: dict[tuple[str, State, str | None], list[Step]] = defaultdict(list)
    for step in steps:
        if step.subscription_id:
            by_end[step.name, step.state, step.failure].append(step)
    alike: dict[tuple[State, str | None, tuple[str, ...]], list[list[Step]]] = defaultdict(list)
    for (_, state, failure), found in by_end.items():
        alike[state, failure, tuple(sorted(step.subscription_id or "" for step in found))].append(found)
    groups = [
        Group(
            tuple(found[0].name for found in some),
            tuple(sorted(some[0], key=lambda step: step.shown_subscription.lower())),
        )
        for some in alike.values()
    ]
    order = list(State)
    return sorted(groups, key=lambda group: order.index(group.state))


def summarize_steps(steps: Sequence[Step]) -> str:
    """Return the outcome of a diagnosis in a line: how many subscriptions were read, and which were not.

    A subscription counts as its worst reading.
    """
    order = list(State)
    worst: dict[str, Step] = {}
    for step in steps:
        if step.subscription_id:
            before = worst.setdefault(step.subscription_id, step)
            if order.index(step.state) > order.index(before.state):
                worst[step.subscription_id] = step
    if not worst:
        wrong = next((step for step in steps if step.state is State.FAILED), None)
        return f"Stopped at {wrong.name}." if wrong else "Nothing was read."
    by_end: dict[Outcome | None, list[Step]] = defaultdict(list)
    for step in worst.values():
        by_end[step.outcome].append(step)
    read = len(by_end.pop(Outcome.COMPLETE, []))
    groups = sorted(by_end.values(), key=lambda found: order.index(found[0].state))
    parts = [
        f"{read} of {len(worst)} subscriptions read",
        *(
            f"{_count(found)}{f': {_format_names(found)}' if found[0].state is State.FAILED else ''}"
            for found in groups
        ),
    ]
    return f"{'; '.join(parts)}."


def _count(steps: Sequence[Step]) -> str:
    """Return how many readings ended as the first of them did, which gave no data."""
    outcome, number = steps[0].outcome, len(steps)
    if outcome is Outcome.NO_SCORE:
        return f"{number} {'has' if number == 1 else 'have'} no score yet"
    return f"{number} {(outcome or Outcome.FAILED).words}"


def _format_names(steps: Sequence[Step]) -> str:
    """Return the subscriptions of readings by name, the first few of many."""
    return list_some([step.shown_subscription for step in steps], _NAMED)


class _Watch:
    """Returns the seconds since its last call."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        return seconds


def _failure_in(sentence: str) -> str:
    """Return the name of the failure that an explained sentence ends with."""
    return sentence.rsplit("[", 1)[-1].rstrip("]")


def _make_failed_step(name: str, error: AzureError, watch: _Watch) -> Step:
    return Step(name, State.FAILED, str(error), watch.lap(), error.failure)


def _read(fetch: Fetch, name: str | None) -> Step:
    seconds = (fetch.finished_at - fetch.started_at).total_seconds()
    failure: str | None
    if fetch.outcome is Outcome.COMPLETE:
        state, failure = State.PASSED, None
        where = " on the first page" if fetch.event_type in (ASSESSMENTS, ASSESSMENT_METADATA) else ""
        says = f"{fetch.records} {'record' if fetch.records == 1 else 'records'}{where}."
    elif fetch.outcome is Outcome.NO_SCORE:
        state, failure = State.WARNED, "no-score"
        says = explain("It has no secure score yet.", failure, subscription_id=fetch.subscription_id)
    elif RESULTS[fetch.outcome] is ReadResult.NO_SCORE:  # for good: what happened says why
        state, failure, says = State.WARNED, fetch.failure, fetch.error or fetch.outcome
    else:
        state, failure, says = State.FAILED, fetch.failure, fetch.error or fetch.outcome
    return Step(fetch.event_type.name, state, says, seconds, failure, fetch.subscription_id, name, fetch.outcome)


class _Host(NamedTuple):
    """A host that is tried: what it is for, the setting that names it, and its URL."""

    role: str
    setting: str
    url: str

    @property
    def label(self) -> str:
        """The host by its role and name, for the beginning of a sentence."""
        return f"{self.role}, {urlsplit(self.url).hostname or self.url},"

    @property
    def by_proxy(self) -> str:
        """Which proxy leads to it, without its password; empty where none does."""
        proxy = select_proxy(self.url, get_environ_proxies(self.url, no_proxy=None))
        if not proxy:
            return ""
        return f" through the proxy {host_of(proxy if '://' in proxy else f'http://{proxy}')}"


def _reach(host: _Host, ca_bundle: str | None) -> None:
    """Resolve a host, connect to it and agree on TLS, through the proxy if there is one.

    Raises:
        RequestError: names what stands in the way.
    """
    url, setting, shown = host.url, host.setting, host.label
    try:
        with Session(ca_bundle, timeout=_TRY_SECONDS).get(url):
            return  # whatever it answers, it is there
    except requests.exceptions.ProxyError as error:
        name = urlsplit(url).hostname
        what = f"{shown} cannot be reached{host.by_proxy}."
        raise RequestError(what, "proxy-failing", host=name) from error
    except requests.exceptions.SSLError as error:
        if is_untrusted(error):
            raise RequestError(
                f"{shown} shows a certificate that is not trusted{_signer(url)}.", "tls-untrusted"
            ) from error
        raise RequestError(f"{shown} does not agree on TLS.", "tls-broken", setting=setting) from error
    except requests.exceptions.ConnectionError as error:
        cause = getattr(error.args[0] if error.args else None, "reason", None)
        if isinstance(cause, NameResolutionError):
            raise RequestError(f"{shown} cannot be resolved.", "name-unresolved", setting=setting) from error
        raise RequestError(f"{shown} cannot be reached.", "unreachable", setting=setting) from error
    except requests.exceptions.Timeout as error:
        raise RequestError(f"{shown} did not answer in {_TRY_SECONDS} s.", "unreachable", setting=setting) from error


def _signer(url: str) -> str:
    """Say who signed the certificate that a host shows: a proxy that opens TLS is known by that."""
    from cryptography import x509

    pem = certificate_of(url, _TRY_SECONDS)
    if pem is None:
        return ""
    return f": it is signed by {x509.load_pem_x509_certificate(pem).issuer.rfc4514_string()!r}"


def explain_sign_in(error: SignInError, settings: AzureSettings) -> SignInError:
    """Return the error of a sign-in, with a cause found for a tenant that Entra does not know.

    Another cloud may know it, or the two ids are swapped. Entra is called for both.
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
