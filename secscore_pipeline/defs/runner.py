"""Runs of the job `sync` in this process: what the command line, the demo and the tests call.

The only orchestrator beside Dagster's own daemon. It prints nothing: a caller shows the steps that `run_sync` yields.
"""

import logging
import os
import re
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from functools import partial
from typing import Any

import dagster as dg

from secscore_pipeline.azure.errors import AzureError
from secscore_pipeline.azure.event_types import ASSESSMENT_METADATA, ASSESSMENTS
from secscore_pipeline.config.azure_settings import read_azure_settings
from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.config.registry import (
    EXPORTS,
    SECSCORE_BATCH_SIZE,
    SECSCORE_EVENT_TYPES,
    SECSCORE_EXPORTS,
    SECSCORE_OWNER_TAG,
)
from secscore_pipeline.config.settings import read_signal_settings
from secscore_pipeline.defs.asset_checks import CHECKS, COVERAGE
from secscore_pipeline.defs.assets.exports import get_export_key
from secscore_pipeline.defs.assets.posture import DATABASE
from secscore_pipeline.defs.assets.raw import METADATA, NAMES_READ, RECOMMENDATIONS, SUBSCRIPTIONS
from secscore_pipeline.defs.assets.report import REPORT
from secscore_pipeline.defs.instance import open_instance
from secscore_pipeline.defs.jobs import READING
from secscore_pipeline.defs.metadata import READ
from secscore_pipeline.defs.partitions import BY_HAND, PUBLISHES, SYNC
from secscore_pipeline.defs.run_launcher import PROCESS_TAG
from secscore_pipeline.defs.schedules import list_batches
from secscore_pipeline.defs.stopped_runs import report_run_stopped
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.ingest.fetches import fetch_event_types, has_stored
from secscore_pipeline.ingest.listing import PendingListing
from secscore_pipeline.ocsf.mapping import Normalization
from secscore_pipeline.system import stopping
from secscore_pipeline.system.processes import ProcessIdentity
from secscore_pipeline.text import from_markdown
from secscore_pipeline.warehouse.errors import WarehouseError
from secscore_pipeline.warehouse.store import normalize
from secscore_pipeline.warehouse.warehouse import Warehouse

log = logging.getLogger(__name__)

_PARTIAL_FAILURE = "Some subscriptions could not be read, and SECSCORE_PARTIAL_FAILURE is fail."


class SyncOutcome(Enum):
    """How a sync ended."""

    COMPLETE = auto()
    PARTIAL = auto()
    """What could be read is stored and published; a part could not be read or exported."""
    UNPUBLISHED = auto()
    """What could be read is stored, but not published."""
    NOTHING_STORED = auto()


@dataclass(frozen=True)
class FailedCheck:
    """An asset check that did not pass.

    Attributes:
        message: the table, the check and what it found, as plain text.
        is_warning: whether its severity is WARN.
    """

    message: str
    is_warning: bool


@dataclass(frozen=True)
class FeedStart:
    """The sync of a feed begins."""

    feed: Feed


@dataclass(frozen=True)
class RunStart:
    """A run begins.

    Attributes:
        run_id: Dagster's.
        batch: the key of the batch that it fetches; None where it fetches the whole feed, or publishes.
        number: which batch it is, from 1.
        batches: of how many.
    """

    run_id: str
    batch: str | None = None
    number: int = 1
    batches: int = 1


@dataclass(frozen=True)
class RunResult:
    """A run has ended.

    Attributes:
        run_id: Dagster's.
        succeeded: whether every step and every check that must pass did.
        has_stored: whether it stored what it read of a subscription, or that one left the scope.
        has_published: whether readers have it.
        messages: what each failed step says, without traceback, each once. Not which subscriptions could not be read:
            the causes are in the database, once for all steps that noticed them.
        failed_checks: the checks that did not pass and are in no message.
    """

    run_id: str
    succeeded: bool
    has_stored: bool
    has_published: bool
    messages: tuple[str, ...]
    failed_checks: tuple[FailedCheck, ...]


@dataclass(frozen=True)
class FeedResult:
    """The sync of a feed has ended.

    Attributes:
        feed: whose subscriptions were to be read.
        sync_id: the id that its fetches have in the database.
        outcome: how it ended.
        problem: why its subscriptions could not be listed, where no run could start for that.
    """

    feed: Feed
    sync_id: str
    outcome: SyncOutcome
    problem: str | None = None


SyncStep = FeedStart | RunStart | RunResult | FeedResult


def run_sync(definitions: dg.Definitions, feeds: Sequence[Feed]) -> Generator[SyncStep, None, None]:
    """Run the job `sync` for each feed, or for each of its batches, and yield each step as it happens.

    Every feed is tried, whatever became of the one before.

    Args:
        definitions: those of the project.
        feeds: whose subscriptions are read.

    Raises:
        SettingsError: a setting is wrong; nothing was read.
        KeyboardInterrupt: the process got a signal to stop.
    """
    if not feeds[0].partition:
        read_azure_settings(os.environ)
    read_signal_settings()
    log.debug("runs write %s", Warehouse.from_environment().path)
    with open_instance() as instance:
        runs = _Runs(definitions, instance)
        for feed in feeds:
            yield FeedStart(feed)
            yield from runs.sync_batches(feed) if SECSCORE_BATCH_SIZE.read() else runs.sync_feed(feed)


def combine_outcomes(outcomes: Sequence[SyncOutcome]) -> SyncOutcome:
    """Return how several syncs ended together."""
    if len(set(outcomes)) == 1:
        return outcomes[0]
    return SyncOutcome.UNPUBLISHED if SyncOutcome.UNPUBLISHED in outcomes else SyncOutcome.PARTIAL


class _Runs:
    """Executes the runs of a sync."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self._definitions = definitions
        self._instance = instance

    def sync_feed(self, feed: Feed) -> Iterator[SyncStep]:
        """Read a feed in one run, whose id is that of the sync."""
        sync_id = str(uuid.uuid4())
        # The report has a command of its own: what draws its charts takes a second and 200 MB.
        excluded = {
            REPORT,
            *(get_export_key(form) for form in EXPORTS if form not in SECSCORE_EXPORTS.read()),
            *_list_assets_without_work(feed),
        }
        selection = [key for key in self._definitions.resolve_all_asset_keys() if key not in excluded]
        yield RunStart(sync_id)
        result = self._execute(feed, sync_id, selection, partition=feed.partition)
        yield result
        yield FeedResult(feed, sync_id, _get_feed_outcome(result))

    def sync_batches(self, feed: Feed) -> Iterator[SyncStep]:
        """Read the batches of a feed, a run for each, and publish what they stored in another one."""
        sync_id = str(uuid.uuid4())
        try:
            batches = list_batches(feed, self._instance)
        except AzureError as error:
            yield FeedResult(feed, sync_id, SyncOutcome.NOTHING_STORED, str(error))
            return
        results = []
        reading = [key for key in READING if key not in _list_assets_without_work(feed)]
        for number, batch in enumerate(batches, 1):
            run_id = str(uuid.uuid4())
            yield RunStart(run_id, batch.key, number, len(batches))
            results.append(self._execute(feed, run_id, reading, partition=batch.key, tags={SYNC: sync_id}))
            yield results[-1]
        if not any(result.has_stored for result in results):
            yield FeedResult(feed, sync_id, SyncOutcome.NOTHING_STORED)
            return
        run_id = str(uuid.uuid4())
        yield RunStart(run_id)
        published = self._execute(
            feed, run_id, [DATABASE, *map(get_export_key, SECSCORE_EXPORTS.read())], tags={PUBLISHES: sync_id}
        )
        yield published
        yield FeedResult(feed, sync_id, _get_batches_outcome(results, published))

    def _execute(
        self,
        feed: Feed,
        run_id: str,
        selection: Sequence[dg.AssetKey],
        *,
        partition: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> RunResult:
        result = execute_run(
            self._definitions.resolve_job_def("sync"),
            self._instance,
            run_id=run_id,
            tags={"secscore/feed": feed.name, PROCESS_TAG: str(ProcessIdentity.of(os.getpid())), **(tags or {})},
            partition_key=partition,
            asset_selection=selection,
        )
        messages, failed_checks = _describe_problems(result)
        return RunResult(
            run_id,
            result.success,
            result.success or _has_stored(run_id),
            any(event.asset_key == DATABASE for event in result.all_events if event.is_step_materialization),
            messages,
            failed_checks,
        )


def execute_run(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    *,
    run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    config: Mapping[str, Any] | None = None,
    **options: Any,
) -> dg.ExecuteInProcessResult:
    """Execute a job in this process, to its end, as a run that somebody waits for.

    Args:
        job: what to execute.
        instance: where the run is recorded.
        run_id: its id; a new one where none is given.
        tags: its tags, beside the one that says who started it.
        config: its configuration, beside the log's.
        options: further ones of `JobDefinition.execute_in_process`.

    Raises:
        KeyboardInterrupt: the process got a signal to stop.
    """
    run_id = run_id or str(uuid.uuid4())
    with stopping.act_before_end(partial(report_run_stopped, instance, run_id)):
        result = job.execute_in_process(
            instance=instance,
            run_config={"loggers": {"plain": {}}, **(config or {})},
            raise_on_error=False,
            tags={**BY_HAND, **(tags or {})},
            run_id=run_id,
            **options,
        )
    if stopping.is_requested():
        raise KeyboardInterrupt
    return result


def store_past_fetches(warehouse: Warehouse, sync_id: str, observed_at: datetime) -> None:
    """Fetch what the settings lead to and store it as if it had been observed at another time, without a Dagster run.

    Findings are made of it by `normalize_fetches`.

    Args:
        warehouse: where to store it.
        sync_id: what the fetches are called.
        observed_at: UTC.
    """

    def read_clock() -> datetime:
        return observed_at

    azure: AzureConnection = AzureConnection.from_environment()
    PendingListing(azure, warehouse, sync_id, SECSCORE_OWNER_TAG.read(), read_clock).result()
    event_types = azure.settings().event_types
    described = [ASSESSMENT_METADATA] if ASSESSMENTS in event_types else []
    for _ in fetch_event_types(azure, warehouse, [*event_types, *described], sync_id, read_clock):
        pass  # each is stored


def normalize_fetches(warehouse: Warehouse) -> int:
    """Make the findings of all fetches that have none yet; return how many were added."""
    with warehouse.get_connection() as connection:
        return normalize(connection, Normalization().build_mapping())


def _list_assets_without_work(feed: Feed) -> list[dg.AssetKey]:
    """Return the assets of recommendations where a feed does not read them: their steps would take time for nothing."""
    return [] if ASSESSMENTS.name in SECSCORE_EVENT_TYPES.read(feed.settings) else [RECOMMENDATIONS, METADATA]


def _get_feed_outcome(result: RunResult) -> SyncOutcome:
    if result.succeeded:
        return SyncOutcome.COMPLETE
    if not result.has_stored:
        return SyncOutcome.NOTHING_STORED
    return SyncOutcome.PARTIAL if result.has_published else SyncOutcome.UNPUBLISHED


def _get_batches_outcome(results: Sequence[RunResult], published: RunResult) -> SyncOutcome:
    if not published.has_published:
        return SyncOutcome.UNPUBLISHED
    is_complete = all(result.succeeded for result in (*results, published))
    return SyncOutcome.COMPLETE if is_complete else SyncOutcome.PARTIAL


def _has_stored(run_id: str) -> bool:
    """Return whether a run that failed stored something all the same."""
    try:
        with Warehouse.from_environment().get_reader() as connection:
            return has_stored(connection, run_id)
    except WarehouseError:
        return False  # the run has already said what is wrong with the file


def _describe_problems(result: dg.ExecuteInProcessResult) -> tuple[tuple[str, ...], tuple[FailedCheck, ...]]:
    """Return what failed steps say, and the checks that did not pass, each problem once."""
    about_coverage = {check.title for check in CHECKS if check.file == COVERAGE}
    names_read = f"{'/'.join(SUBSCRIPTIONS.path)}: {NAMES_READ}"
    evaluations = result.get_asset_check_evaluations()
    has_read = any(check.passed and check.check_name == READ for check in evaluations)
    messages: list[str] = []
    checks: list[FailedCheck] = []
    for evaluation in evaluations:
        name = f"{'/'.join(evaluation.asset_key.path)}: {evaluation.check_name}"
        if evaluation.passed or name in about_coverage:
            continue
        description = from_markdown(evaluation.description or "")
        is_warning = evaluation.severity is dg.AssetCheckSeverity.WARN
        if evaluation.check_name == READ:
            messages.append(description)
        elif name != names_read:
            checks.append(FailedCheck(f"{name}: {description}", is_warning))
        elif has_read:  # else what kept the list from being read kept everything
            checks.append(FailedCheck(description, is_warning))
    messages += _list_step_failures(result)
    shortened = dict.fromkeys(_shorten_failure(message, about_coverage) for message in messages)
    # A check that ends the run is in its failure too.
    in_checks = {check.message for check in checks}
    return tuple(message for message in shortened if message not in in_checks), tuple(dict.fromkeys(checks))


def _shorten_failure(message: str, about_coverage: set[str]) -> str:
    """Return a failure without what the causes of unread subscriptions say of it."""
    if nothing_read := re.match(r"No \w+ could be read(?=:| \()", message):
        return f"{nothing_read[0]}."
    return _PARTIAL_FAILURE if any(message.startswith(f"{title}: ") for title in about_coverage) else message


def _list_step_failures(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    """Yield what each failed step says, without a traceback where it was foreseen."""
    for event in result.all_events:
        if not event.is_step_failure:
            continue
        failure = event.step_failure_data
        if failure.user_failure_data and failure.user_failure_data.description:
            yield from failure.user_failure_data.description.splitlines()
        elif failure.error:
            yield f"{event.step_key}: {failure.error.message.strip()} Run it with --verbose for the detail."
