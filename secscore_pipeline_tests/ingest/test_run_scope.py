"""The list of the subscriptions is read beside the fetches: over real sockets, in an order that the answers force."""

import asyncio
import re
from dataclasses import dataclass, field, replace
from itertools import cycle

import dagster as dg
import pytest

from secscore_pipeline.azure.errors import AzureError
from secscore_pipeline.azure.event_types import SECURE_SCORES
from secscore_pipeline.defs.assets.raw import SCORES, SUBSCRIPTIONS
from secscore_pipeline.defs.jobs import READING
from secscore_pipeline.defs.runner import execute_run
from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.world import State, World
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline_tests.conftest import failed_checks
from secscore_pipeline_tests.support.fetching import fetch_event_type
from secscore_pipeline_tests.support.runs import instance_and_job, materialize, metadata_of, try_again
from testbed.waiting import DEADLINE

LIST = "/subscriptions$"
SCORE = "/secureScores$"
GROUPS = "/descendants$"
FETCHED = "select distinct subscription_id from raw.fetches order by all"
COUNTS = (
    "select (select count(*) from raw.fetches), (select count(*) from raw.listings), "
    "(select count(*) from raw.scope_changes where state = 'left')"
)


@dataclass
class Held(Fault):
    """Holds back what becomes of some requests until others have arrived; it is what becomes of them by `kind`.

    Attributes:
        numbers: which of the requests that `path` fits, from 1.
        after: what is to be requested before, as a regular expression.
        count: how often.
        in_time: whether it was; None before a request was held.
    """

    numbers: range = range(1, 1000)
    after: str = ""
    count: int = 1
    in_time: bool | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def strikes(self, path: str) -> bool:
        if re.search(self.after, path, re.IGNORECASE):
            self.count -= 1
            if self.count <= 0:
                self.arrived.set()
        if not re.search(self.path, path, re.IGNORECASE):
            return False
        self.struck += 1
        return self.struck in self.numbers

    async def spoil(self, response, scope, receive, send) -> None:
        try:
            await asyncio.wait_for(self.arrived.wait(), DEADLINE / 4)
            self.in_time = True
        except TimeoutError:
            self.in_time = False
        await super().spoil(response, scope, receive, send)


def requests_of(azure, path):
    return sum(count for request, count in azure.requests.items() if re.search(path, request, re.IGNORECASE))


@pytest.fixture
def azure(local_azure, store):
    azure = local_azure(World(subscriptions=6), page_size=2)
    store.use(azure, "*")
    return azure


def test_with_every_subscription_fetches_begin_with_the_first_page(azure, store):
    held = Held(Kind.SLOW, LIST, numbers=range(3, 4), after=SCORE, count=4)
    azure.faults.append(held)
    result = store.sync()
    assert held.in_time
    assert failed_checks(result) == set()
    assert store.query(FETCHED) == sorted((one,) for one in azure.world.subscriptions)
    assert store.query(COUNTS) == [(12, 1, 0)]
    assert requests_of(azure, LIST) == 3
    assert requests_of(azure, SCORE) == 6
    assert store.query("select distinct subscriptions_in_scope, tenant_id from raw.fetches") == [
        (6, azure.world.tenant_id)
    ]
    assert store.one("select count(*) from raw.fetches where subscription_version_id is null") == 0


def test_where_subscriptions_are_named_no_fetch_waits_for_their_list(azure, store):
    store.use(azure)
    held = Held(Kind.SLOW, LIST, after=SCORE, count=6)
    azure.faults.append(held)
    result = store.sync()
    assert held.in_time
    assert failed_checks(result) == set()
    assert store.query(COUNTS) == [(12, 1, 0)]
    assert store.one("select count(*) from raw.fetches where subscription_version_id is null") == 0
    assert metadata_of(result, SUBSCRIPTIONS)["subscriptions"].value == 6


@pytest.mark.parametrize("scope", ["*", ""])
def test_no_fetch_waits_for_the_management_groups(azure, store, scope):
    store.use(azure, *filter(None, [scope]))
    held = Held(Kind.SLOW, GROUPS, after=SCORE, count=6)
    azure.faults.append(held)
    result = store.sync()
    assert held.in_time
    assert metadata_of(result, SUBSCRIPTIONS)["management_groups"].value == "read"


@pytest.mark.parametrize("settings", [{"SECSCORE_EXCLUDE": "nobody"}, {"AZURE_MANAGEMENT_GROUP_ID": "landing-zones"}])
def test_what_only_the_whole_list_tells_is_waited_for(azure, store, settings):
    store.use(azure, "*", **settings)
    for one in azure.world.subscriptions.values():
        one.group = "corp"
    order = []
    azure.on_arm_request = lambda _: order.append((requests_of(azure, LIST), requests_of(azure, SCORE)))
    store.sync()
    assert {lists for lists, scores in order if scores} == {3}
    assert store.query(FETCHED) == sorted((one,) for one in azure.world.subscriptions)


def test_the_subscriptions_alone_are_listed_and_not_read(azure, store):
    assert materialize(dg.AssetSelection.assets(SUBSCRIPTIONS)).success
    assert store.query(COUNTS) == [(0, 1, 0)]
    assert requests_of(azure, SCORE) == 0


@pytest.mark.parametrize("scope", ["*", ""])
def test_a_table_alone_is_read_and_stores_no_list(azure, store, scope):
    store.use(azure, *filter(None, [scope]))
    held = Held(Kind.SLOW, LIST, numbers=range(3, 4), after=SCORE)
    azure.faults.append(held)
    result = materialize(dg.AssetSelection.assets(SCORES))
    assert result.success
    assert held.in_time
    assert [one.asset_key for one in result.get_asset_materialization_events()] == [SCORES]
    assert store.query(COUNTS) == [(6, 0, 0)]
    assert requests_of(azure, "secureScoreControls") == requests_of(azure, GROUPS) == 0
    assert store.query("select distinct subscriptions_in_scope, tenant_id from raw.fetches") == [
        (6, azure.world.tenant_id)
    ]


def test_a_list_that_breaks_off_after_fetches_have_begun_stores_nothing(azure, store):
    store.sync()
    gone, *_ = azure.world.subscriptions
    del azure.world.subscriptions[gone]
    before, files = store.query(COUNTS), store.leftovers()
    held = Held(Kind.STATUS, LIST, status=403, numbers=range(3, 1000), after=SCORE)
    azure.faults.append(held)
    result = store.sync(succeeds=False)
    assert {"subscriptions: names_read", "secure_scores: is_read", "secure_score_controls: is_read"} <= failed_checks(
        result
    )
    assert held.in_time
    assert store.query(COUNTS) == before
    assert store.leftovers() == files


def test_a_list_that_breaks_off_once_costs_the_names_only(azure, store):
    azure.faults.append(Held(Kind.STATUS, LIST, status=403, numbers=range(3, 4), after=SCORE))
    assert failed_checks(store.sync()) == {"subscriptions: names_read"}
    assert store.query(COUNTS) == [(12, 0, 0)]
    assert requests_of(azure, LIST) == 3 + 3
    assert requests_of(azure, SCORE) == 6


def test_of_a_named_subscription_that_turns_out_disabled_nothing_is_stored(azure, store):
    store.use(azure)
    store.sync()
    off, *others = azure.world.subscriptions
    azure.world.subscriptions[off].state = State.DISABLED
    held = Held(Kind.SLOW, LIST, after=f"{off}.*{SCORE}")
    azure.faults.append(held)
    result = store.sync()
    assert held.in_time
    assert failed_checks(result) == set()
    assert store.one("select count(*) from raw.fetches where subscription_id = ?", off) == 2
    assert store.one("select count(*) from raw.secure_scores where subscription_id = ?", off) == 1
    assert store.query("select subscription_id, reason from raw.scope_changes where state = 'left'") == [
        (off, "disabled")
    ]
    shown = metadata_of(result, SCORES)
    assert shown["records"].value == shown["outcome_complete"].value == shown["requests"].value == len(others)
    assert store.query("select distinct subscriptions_in_scope from raw.fetches order by all") == [(5,), (6,)]


@pytest.mark.parametrize("is_off_first", [True, False])
def test_the_last_that_a_list_says_of_a_subscription_counts(azure, store, is_off_first):
    first, *others = azure.world.subscriptions
    everything, document_of = azure.world.subscriptions, azure.world.subscription_document
    azure.world.subscriptions = {**everything, "again": everything[first]}
    states = cycle(("Disabled", "Enabled") if is_off_first else ("Enabled", "Disabled"))
    azure.world.subscription_document = lambda one: {
        **document_of(one), **({"state": next(states)} if one.subscription_id == first else {})
    }  # fmt: skip
    store.sync()
    fetched = [first, *others] if is_off_first else others
    assert store.query(FETCHED) == sorted((one,) for one in fetched)


def test_a_tenant_of_which_nothing_is_left_is_listed_and_leaves(azure, store):
    store.sync()
    for one in azure.world.subscriptions.values():
        one.state = State.DISABLED
    result = store.sync(succeeds=False)
    assert "subscriptions: names_read" not in failed_checks(result)
    assert store.query(COUNTS) == [(12, 2, 6)]


def test_a_named_subscription_of_another_feed_is_refused_before_anything_is_read(azure, store):
    store.use(azure)
    north = replace(AzureConnection.from_environment(), feed="north", other_feeds=("south",))
    south = replace(north, feed="south", other_feeds=("north",))
    fetch_event_type(north, store.warehouse, SECURE_SCORES, "run 1")
    before = requests_of(azure, SCORE)
    with pytest.raises(AzureError, match="feeds-overlap"):
        fetch_event_type(south, store.warehouse, SECURE_SCORES, "run 2")
    assert requests_of(azure, SCORE) == before


def test_what_the_try_before_stored_is_not_read_again(azure, store):
    with instance_and_job() as (instance, job):
        first = execute_run(job, instance, asset_selection=READING)
        before = requests_of(azure, GROUPS), requests_of(azure, SCORE)
        assert try_again(instance, job, first.run_id).is_success
    assert (requests_of(azure, GROUPS), requests_of(azure, SCORE)) == before == (5, 6)
    assert store.query(COUNTS) == [(12, 1, 0)]
