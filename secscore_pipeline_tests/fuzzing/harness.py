"""What the cases run on: hostile servers, stores to be damaged, and the eyes on time, memory, logs and secrets."""

import json
import logging
import os
import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import psutil
from urllib3.util.retry import Retry

from secscore_pipeline.azure import tokens
from secscore_pipeline.azure.arm import ArmClient, Patience
from secscore_pipeline.azure.clouds import Cloud
from secscore_pipeline.azure.credentials import ClientSecret
from secscore_pipeline.azure.tokens import MsalTokenSource
from secscore_pipeline.emulator.server import LocalAzure
from secscore_pipeline.emulator.tls import write_certificates
from secscore_pipeline.emulator.world import World
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.system.redaction import RedactingFormatter
from secscore_pipeline.warehouse.warehouse import Warehouse
from secscore_pipeline_tests.fuzzing.commands import Commands
from secscore_pipeline_tests.fuzzing.leaks import find_secret
from secscore_pipeline_tests.fuzzing.servers import HostileAzure, HostileReceiver
from secscore_pipeline_tests.fuzzing.stores import store_settings, warehouse_in
from testbed import postgresql

if TYPE_CHECKING:
    from secscore_pipeline_tests.fuzzing.kills import Undisturbed

SUBSCRIPTIONS = 4
ASSESSMENTS, PAGE_SIZE = 60, 25
"""How many recommendations a subscription of the local Azure has, about, and how many records a page."""

DEADLINE = 2.0
"""How many seconds one request may take in all, its retries included."""

LIST_DEADLINE = 4.0
"""The same of all pages of a list."""

QUICK = Patience(
    Retry(
        total=1, status_forcelist=(408, 429, 500, 502, 503, 504), backoff_factor=0.01, backoff_max=1, retry_after_max=1
    ),
    connect_timeout=0.6,
    read_timeout=0.6,
    deadline=DEADLINE,
    list_deadline=LIST_DEADLINE,
)

SIGN_IN_SECONDS = 2.0
"""The same of a whole sign-in."""

OVERRUN = 1.1
"""How much longer than its deadline anything may take."""

SLACK = 0.5
"""Seconds that the machine, which others use too, may take for itself."""

MEMORY = 600 << 20
GROWTH = 350 << 20
"""How many bytes a process may hold at most; where others have filled it before, how many more than then."""

LONGEST = 30.0
"""Seconds after which a case is ended from outside."""


class TookTooLong(BaseException):  # no `except Exception` of what is tried may keep it
    """A case had to be ended."""


@dataclass
class Observed:
    """What was seen while a case ran.

    Attributes:
        log: what this project logs, as its handlers write it, and what libraries log as a warning or worse.
        memory: the most bytes that the process held.
        seconds: how long it took.
    """

    log: list[str] = field(default_factory=list)
    memory: int = 0
    seconds: float = 0.0


class _LogWatch(logging.Handler):
    def __init__(self, into: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._into = into
        self._ours, self._others = (form("%(name)s %(message)s") for form in (RedactingFormatter, logging.Formatter))

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("secscore_pipeline"):
            self._into.append(self._ours.format(record))
        elif record.levelno >= logging.WARNING:
            self._into.append(self._others.format(record))


class Harness:
    """Everything that cases share; it ends with its context."""

    def __init__(self, patience: float = 1) -> None:
        self._patience = patience
        self._stack = ExitStack()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="secscore-fuzz-")))
        # What every encoding writes otherwise, between parts that none does.
        self.secret = f"Mk~{secrets.token_hex(8)}+/%&\"<>'\\é {secrets.token_hex(8)}"
        self.undisturbed: dict[tuple[str, str], Undisturbed] = {}
        self.cases = 0
        self.most_memory = 0
        self.worst_overrun = 0.0
        self._began_with = psutil.Process().memory_info().rss
        self._stack.callback(setattr, tokens, "SIGN_IN_SECONDS", tokens.SIGN_IN_SECONDS)
        tokens.SIGN_IN_SECONDS = SIGN_IN_SECONDS

    def __enter__(self) -> "Harness":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def azure(self) -> HostileAzure:
        """A hostile Azure with some subscriptions."""
        certificates = self.folder / "certificates"
        certificates.mkdir()
        write_certificates(certificates)
        world = World(subscriptions=SUBSCRIPTIONS)
        return self._stack.enter_context(HostileAzure(world, certificates, self.secret))  # type: ignore[return-value]

    @cached_property
    def receiver(self) -> HostileReceiver:
        """A hostile receiver of alerts; what it leads elsewhere goes to `azure.plain`."""
        return self._stack.enter_context(HostileReceiver(self.azure.plain))  # type: ignore[return-value]

    @cached_property
    def right_azure(self) -> LocalAzure:
        """The local Azure, for commands that are killed or given a damaged store, with few recommendations."""
        world = World(subscriptions=SUBSCRIPTIONS, assessments=ASSESSMENTS, changing=0.06)
        return self._stack.enter_context(LocalAzure(world, page_size=PAGE_SIZE))

    def pass_day(self) -> None:
        """Have a day pass in the local Azure."""
        world = self.right_azure.world
        world.simulate_until(world.today + timedelta(days=1))

    @cached_property
    def commands(self) -> Commands:
        """What runs a command in a process that may die."""
        return self._stack.enter_context(Commands(self.folder / "commands"))

    @cached_property
    def postgresql(self) -> postgresql.Server:
        """A PostgreSQL server for the catalogs of lakes."""
        return self._stack.enter_context(postgresql.server())

    @property
    def subscription_ids(self) -> tuple[str, ...]:
        """The subscriptions that there are; the first is the one that cases are about."""
        return tuple(self.azure.world.subscriptions)

    def client(self) -> ArmClient:
        """Return a new client of the hostile Azure that soon gives up."""
        cloud, bundle = Cloud(self.azure.url(), self.azure.url()), str(self.azure.ca_bundle)
        application = self.azure.application
        credential = ClientSecret(self.azure.world.tenant_id, application.client_id, application.secret)
        tokens = MsalTokenSource(credential, cloud, bundle, Retry(total=1, backoff_factor=0.01), QUICK.read_timeout)
        return ArmClient(cloud, tokens, bundle, 8, QUICK)

    def connection(self, **settings: str) -> AzureConnection:
        """Return a connection to the hostile Azure whose client soon gives up."""
        client = self.client()

        class Hasty(AzureConnection):
            def client(self) -> ArmClient:
                return client

        defaults = {"SECSCORE_MAX_CONNECTIONS": "8", "SECSCORE_ENTITIES": "on"}
        return Hasty({**defaults, **self.azure.settings(), **settings})

    @cached_property
    def _templates(self) -> dict[str, Path]:
        return {}

    def store(self, template: str, make: Callable[[Path], object]) -> tuple[Path, dict[str, str]]:
        """Return the folder of a store of the case's own, and the settings that lead to it.

        Args:
            template: what it is a copy of.
            make: makes the template in a folder, the first time.
        """
        if template not in self._templates:
            self._templates[template] = self.folder / f"template-{template}"
            self._templates[template].mkdir()
            make(self._templates[template])
        folder = self.folder / "case"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._templates[template], folder)
        return folder, store_settings(folder)

    def warehouse(self) -> Warehouse:
        """Return an empty store."""

        def make(folder: Path) -> None:
            with warehouse_in(folder).get_connection():
                pass

        return warehouse_in(self.store("empty", make)[0])

    @contextmanager
    def observed(self, allowed: float = LONGEST, ended_after: float = LONGEST) -> Iterator[Observed]:
        """Watch a case: its log, its memory and its time.

        Args:
            allowed: seconds that it may take.
            ended_after: seconds after which it is ended from outside.
        """
        seen, done = Observed(), threading.Event()
        process = psutil.Process()

        def look() -> None:
            while not done.wait(0.02):
                seen.memory = max(seen.memory, process.memory_info().rss)

        root = logging.getLogger()
        watch, level = _LogWatch(seen.log), root.level
        looking = threading.Thread(target=look, daemon=True)
        began = time.monotonic()
        try:
            root.addHandler(watch)
            root.setLevel(logging.DEBUG)
            looking.start()
            with self._ended_after(self._patience * ended_after):
                yield seen
        finally:
            seen.seconds = time.monotonic() - began
            done.set()
            looking.join()
            root.removeHandler(watch)
            root.setLevel(level)
            self.most_memory = max(self.most_memory, seen.memory)
            self.cases += 1
        self.in_time(seen.seconds, allowed)
        most = max(MEMORY, self._began_with + GROWTH)
        assert seen.memory < most, f"{seen.memory >> 20} MB were held, more than {most >> 20} MB"

    def in_time(self, seconds: float, allowed: float) -> None:
        """Fail where something took a tenth longer than it may."""
        self.worst_overrun = max(self.worst_overrun, seconds / allowed)
        assert seconds <= self._patience * (OVERRUN * allowed + SLACK), (
            f"it took {seconds:.1f} s and may take {allowed:.1f} s"
        )

    @contextmanager
    def _ended_after(self, seconds: float) -> Iterator[None]:
        """End the block from outside after some seconds, where it is the main thread's."""

        def end(_number: int, _frame: FrameType | None) -> None:
            self.azure.scripts.clear()
            self.azure.disconnect()
            signal.setitimer(signal.ITIMER_REAL, 2)  # once more, where somebody has caught it
            raise TookTooLong

        before, began = signal.signal(signal.SIGALRM, end), time.monotonic()
        others, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        except TookTooLong:
            raise AssertionError(f"it was still running after {seconds:g} s") from None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            if others:  # somebody else's alarm, which goes on
                signal.setitimer(signal.ITIMER_REAL, max(others - (time.monotonic() - began), 0.1))

    def no_secret_in(self, **where: bytes | str) -> None:
        """Fail where the secret, or a token, is in any of these, in any encoding."""
        for name, held in where.items():
            data = held.encode("utf-8", "surrogatepass") if isinstance(held, str) else held
            for what, secret in self._secrets():
                found = find_secret(data, secret)
                assert not found, f"{what} is in {name} ({', '.join(sorted(found))})"

    def nobody_else_heard(self) -> None:
        """Fail where a second listener was sent the secret or a token."""
        azure = self.azure
        self.no_secret_in(
            **{"what another host was sent": bytes(azure.away.heard)},
            **{"what was sent without TLS": bytes(azure.plain.heard)},
        )

    def _secrets(self) -> Iterator[tuple[str, str]]:
        yield "the client secret", self.secret
        for token in self.azure.issued:
            yield "a token", token.rpartition(".")[2]

    def fit_to_be_shown(self, text: str, most: int = 4000) -> None:
        """Fail where a message is none: empty, endless, with control characters, or with a secret."""
        assert text.strip(), "a message is empty"
        assert len(text) <= most, f"a message has {len(text)} characters: {text[:100]}…"
        odd = {character for character in text if not character.isprintable()}
        assert not odd, f"a message holds {odd}: {text[:200]!r}"
        self.no_secret_in(message=text)


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Have these settings, and no others, in the environment."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(("AZURE_", "SECSCORE_"))]:
        del os.environ[name]
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def as_text(value: Any) -> str:
    """Return anything as text to be searched."""
    return json.dumps(value, default=str, ensure_ascii=False)
