"""The runner: a sync in this process, whose steps are results that anybody can show."""

import dataclasses

import pytest

from secscore_pipeline.config.feeds import Feed, read_feeds
from secscore_pipeline.definitions import build_definitions
from secscore_pipeline.defs.runner import (
    FeedResult,
    FeedStart,
    RunResult,
    RunStart,
    SyncOutcome,
    combine_outcomes,
    run_sync,
)
from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.world import World

COMPLETE, PARTIAL, UNPUBLISHED, NOTHING_STORED = SyncOutcome


@pytest.mark.parametrize(
    ("outcomes", "together"),
    [
        ([COMPLETE], COMPLETE),
        ([NOTHING_STORED, NOTHING_STORED], NOTHING_STORED),
        ([COMPLETE, NOTHING_STORED], PARTIAL),
        ([COMPLETE, PARTIAL], PARTIAL),
        ([UNPUBLISHED, COMPLETE], UNPUBLISHED),
        ([NOTHING_STORED, UNPUBLISHED], UNPUBLISHED),
    ],
)
def test_outcomes_of_feeds_together(outcomes, together):
    assert combine_outcomes(outcomes) is together


def test_a_sync_yields_frozen_steps_and_prints_nothing(local_azure, store, capfd):
    azure = local_azure(World(subscriptions=2))
    store.use(azure)
    azure.faults.append(Fault(Kind.STATUS, path="/secureScoreControls", status=403))
    definitions = build_definitions(read_feeds())
    started, run_started, run, feed = run_sync(definitions, (Feed(),))
    assert started == FeedStart(Feed())
    assert run_started == RunStart(run.run_id)
    assert (run.succeeded, run.has_stored, run.has_published) == (False, True, True)
    assert run.messages == ("No secure_score_controls could be read.",)
    assert run.failed_checks == ()
    assert feed == FeedResult(Feed(), run.run_id, PARTIAL)
    assert store.query("select distinct run_id from raw.fetches") == [(feed.sync_id,)]
    with pytest.raises(dataclasses.FrozenInstanceError):
        run.succeeded = True
    azure.faults.clear()
    assert [type(step) for step in run_sync(definitions, (Feed(),))] == [FeedStart, RunStart, RunResult, FeedResult]
    assert capfd.readouterr().out == ""
