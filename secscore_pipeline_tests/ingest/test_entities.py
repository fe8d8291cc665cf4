"""What subscriptions are called, where they lie and whose they are: stored as received, kept as it was, and used."""

import json
import re

import pytest

from secscore_pipeline.clock import utc_now
from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.world import State, World
from secscore_pipeline.ocsf.validation import build_event, find_problems
from secscore_pipeline.warehouse.store import delete_old_fetches
from secscore_pipeline_tests.conftest import failed_checks, secscore

ENTITIES = "select name, state, owner, management_group_path, is_listed from posture.entities where subscription_id = ?"


@pytest.fixture
def azure(local_azure, store):
    azure = local_azure(World(subscriptions=3))
    for subscription, group in zip(azure.world.subscriptions.values(), ("corp", "platform", "root"), strict=True):
        subscription.group = group
        subscription.tags = {"Owner": f"{group}@example.com", "stage": "test"}
        subscription.name = f"{group} one"
    store.use(azure)
    return azure


@pytest.mark.slow
def test_each_subscription_has_a_name_an_owner_and_a_place(azure, store):
    store.sync()
    corp, platform, root = azure.world.subscriptions
    assert store.query(ENTITIES, corp) == [("corp one", "Enabled", "corp@example.com", "Landing Zones / Corp", True)]
    assert store.query(ENTITIES, platform) == [("platform one", "Enabled", "platform@example.com", "Platform", True)]
    assert store.query(ENTITIES, root) == [("root one", "Enabled", "root@example.com", "", True)]
    assert store.query("select tags from posture.entities where subscription_id = ?", corp) == [
        ({"Owner": "corp@example.com", "stage": "test"},)
    ]


@pytest.mark.slow
def test_what_azure_listed_is_kept_byte_for_byte(azure, store):
    store.sync()
    for subscription_id, record in store.query("select subscription_id, record from raw.subscriptions"):
        document = azure.world.subscription_document(azure.world.subscriptions[subscription_id])
        assert record == json.dumps(document, separators=(",", ":"), ensure_ascii=False)


@pytest.mark.slow
def test_findings_carry_the_name_and_the_owner_and_are_valid(azure, store):
    store.sync()
    corp, *_ = azure.world.subscriptions
    found = [build_event(row) for (row,) in store.query("select to_json(f) from ocsf.assessment_findings as f")]
    assert [find_problems(finding) for finding in found if find_problems(finding)] == []
    ours = [finding for finding in found if finding["cloud"]["account"]["uid"] == corp]
    assert {finding["cloud"]["account"]["name"] for finding in ours} == {"corp one"}
    assert {finding["resources"][0]["name"] for finding in ours} == {"corp one"}
    assert {finding["resources"][0]["owner"]["name"] for finding in ours} == {"corp@example.com"}


@pytest.mark.slow
def test_what_stays_unhealthy_names_who_owns_its_subscription_now(local_azure, store):
    azure = local_azure(World(subscriptions=1))
    (subscription,) = azure.world.subscriptions.values()
    store.use(azure, SECSCORE_EVENT_TYPES="secure_scores,secure_score_controls,assessments")
    for number in (1, 2):
        subscription.name, subscription.tags = f"name {number}", {"owner": f"owner-{number}@example.com"}
        store.sync()
    assert store.one("select count(*) from internal.record_spans where ended_fetch_id is not null") == 0
    for view in ("unhealthy_resources", "last_unhealthy", "recommendations"):
        named = store.query(f"select distinct subscription_name, owner from posture.{view}")
        assert (view, named) == (view, [("name 2", "owner-2@example.com")])


@pytest.mark.slow
def test_history_keeps_the_name_of_its_time_beside_the_one_of_now(azure, store):
    store.sync()
    corp, *_ = azure.world.subscriptions
    azure.world.subscriptions[corp].name = "corp two"
    azure.world.subscriptions[corp].group = "online"
    store.sync()
    assert store.query(
        "select history.subscription_name, entities.name from posture.score_history as history "
        "join posture.entities as entities using (subscription_id) where subscription_id = ? order by observed_at",
        corp,
    ) == [("corp one", "corp two"), ("corp two", "corp two")]
    assert store.query(ENTITIES, corp) == [("corp two", "Enabled", "corp@example.com", "Landing Zones / Online", True)]
    assert store.query(
        "select cloud.account.name from ocsf.assessment_findings where cloud.account.uid = ? "
        "and metadata.event_code = 'secureScores' order by time",
        corp,
    ) == [("corp one",), ("corp two",)]


@pytest.mark.slow
def test_what_did_not_change_is_not_stored_again_and_a_rebuild_tells_the_same(azure, store):
    store.sync()
    store.sync()
    assert store.one("select count(*) from raw.subscriptions") == 3
    assert store.one("select count(*) from raw.listings") == 2
    before = store.query("from internal.subscription_versions order by all")
    store.sync(config={"ops": {"ocsf__assessment_findings": {"config": {"rebuild": True}}}})
    assert store.query("from internal.subscription_versions order by all") == before


@pytest.mark.slow
def test_one_that_vanishes_and_returns_is_told(azure, store, caplog):
    store.sync()
    corp, *_ = azure.world.subscriptions
    gone = azure.world.subscriptions.pop(corp)
    store.sync()
    assert store.query(ENTITIES, corp) == [("corp one", "Enabled", "corp@example.com", "Landing Zones / Corp", False)]
    azure.world.subscriptions[corp] = gone
    result = store.sync()
    assert store.query(ENTITIES, corp)[0][-1] is True
    (shown,) = [
        one.materialization.metadata
        for one in result.get_asset_materialization_events()
        if one.asset_key.path[-1] == "subscriptions"
    ]
    assert shown["returned"].value == 1


@pytest.mark.slow
def test_names_that_may_not_be_read_cost_the_names_only(azure, store):
    azure.faults.append(Fault(Kind.STATUS, path=r"/subscriptions$", status=403))
    result = store.sync()
    assert failed_checks(result) == {"subscriptions: names_read"}
    assert store.query("select count(*), count(subscription_name) from posture.current_scores") == [(3, 0)]
    azure.faults.clear()
    store.sync()
    assert store.query("select count(*), count(subscription_name) from posture.current_scores") == [(3, 3)]


@pytest.mark.slow
def test_management_groups_that_may_not_be_read_cost_the_path_only(azure, store):
    for application in azure.world.applications.values():
        application.reads_groups = False
    assert failed_checks(store.sync()) == set()
    assert store.query("select count(name), count(management_group_path) from posture.entities") == [(3, 0)]
    assert "AuthorizationFailed" in str(store.one("select management_groups from raw.listings"))
    for application in azure.world.applications.values():
        application.reads_groups = True
    store.sync()
    assert store.query("select count(name), count(management_group_path) from posture.entities") == [(3, 3)]
    for application in azure.world.applications.values():
        application.reads_groups = False
    store.sync()
    assert store.query("select count(name), count(management_group_path) from posture.entities") == [(3, 3)]


@pytest.mark.slow
def test_a_setting_turns_it_off_and_another_names_the_tag(azure, store):
    store.use(azure, SECSCORE_ENTITIES="off")
    assert failed_checks(store.sync()) == set()
    assert store.one("select count(*) from raw.subscriptions") == 0
    store.use(azure, SECSCORE_ENTITIES="on", SECSCORE_OWNER_TAG="STAGE")
    store.sync()
    assert store.query("select distinct owner from posture.entities") == [("test",)]


@pytest.mark.slow
def test_scores_roll_up_by_tag_and_by_management_group(azure, store):
    store.sync()
    expected = {}
    for subscription in azure.world.subscriptions.values():
        (score,) = azure.world.scores(subscription)
        expected[subscription.group] = score["properties"]
    by_group = dict(
        store.query("select management_group_id, percentage from posture.management_group_score order by all")
    )
    assert set(by_group) == {"landing-zones", "corp", "platform"}
    assert by_group["corp"] == by_group["landing-zones"]
    assert by_group["corp"] == round(expected["corp"]["score"]["current"] / expected["corp"]["score"]["max"], 4)
    ((percentage, weight, subscriptions),) = store.query(
        "select percentage, weight, subscriptions from posture.tag_score where tag = 'stage' and value = 'test'"
    )
    assert (percentage, weight, subscriptions) == store.query(
        "select percentage, weight, subscriptions from posture.tenant_score"
    )[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "record",
    [
        '{"subscriptionId": "ID", "displayName": 7, "tags": [1]}',
        '{"subscriptionId": "ID"}',
        '{"subscriptionId": "ID", "displayName": "\\ud83d\\ude00 \\u202e <b>", "tags": {"owner": null, "a": {"b": 1}}}',
    ],
)
def test_an_odd_record_is_kept_and_costs_its_own_fields_only(azure, store, record):
    azure.world.subscription_document = lambda one: json.loads(record.replace("ID", one.subscription_id))
    assert failed_checks(store.sync()) == set()
    assert store.one("select count(*) from internal.subscription_versions where is_listed") == 3
    assert store.one("select count(*) from posture.current_scores") == 3


def test_an_odd_management_group_costs_itself_only(azure, store):
    everything = azure.world.descendants

    odd = [7, {"id": 5}, {"id": "/x", "properties": None}, {"id": "/y", "properties": {"parent": {"id": "/y"}}}]
    azure.world.descendants = lambda group: [*odd, *everything(group)]
    assert failed_checks(store.sync()) == set()
    assert store.query("select count(management_group_path) from posture.entities") == [(3,)]


def test_an_element_of_the_list_that_is_no_subscription_is_left_out(azure, store):
    documents = azure.world.subscription_document
    first, *_ = azure.world.subscriptions
    azure.world.subscription_document = lambda one: 7 if one.subscription_id == first else documents(one)
    assert failed_checks(store.sync()) == set()
    assert store.one("select count(*) from posture.entities") == 2


def test_one_that_is_listed_twice_counts_once(azure, store):
    everything = azure.world.subscriptions
    first, *_ = everything
    azure.world.subscriptions = {**everything, "again": everything[first]}
    store.use(azure, "*")
    assert failed_checks(store.sync()) == set()
    assert store.one("select count(*) from raw.subscriptions") == 3
    assert store.one("select count(*) from raw.fetches where event_type = 'secure_scores'") == 3


def test_a_disabled_subscription_is_listed_as_such(azure, store):
    corp, *_ = azure.world.subscriptions
    azure.world.subscriptions[corp].state = State.DISABLED
    store.sync()
    assert store.query(ENTITIES, corp)[0][1] == "Disabled"


@pytest.mark.slow
def test_the_command_line_shows_names(azure, tmp_path):
    done = secscore("sync", cwd=tmp_path, env=azure.settings())
    assert re.search(r"corp one +\d", done.stdout)


@pytest.mark.slow
def test_a_retention_lets_old_names_go_and_keeps_those_that_are_referred_to(azure, store):
    corp, *_ = azure.world.subscriptions
    for name in ("corp one", "corp two", "corp three"):
        azure.world.subscriptions[corp].name = name
        cutoff = utc_now()
        store.sync()
    with store.warehouse.get_connection() as connection:
        delete_old_fetches(connection, cutoff)
    assert set(store.query("select record ->> '$.displayName' from raw.subscriptions")) == {
        ("platform one",), ("root one",), ("corp two",), ("corp three",),
    }  # fmt: skip
    before = store.query("from internal.subscription_versions order by all")
    history = "select subscription_name from posture.score_history where subscription_id = ? order by observed_at"
    assert store.query(history, corp) == [("corp two",), ("corp three",)]
    store.sync(config={"ops": {"ocsf__assessment_findings": {"config": {"rebuild": True}}}})
    assert store.query("from internal.subscription_versions order by all") == before
    assert store.query(history, corp) == [("corp two",), ("corp three",), ("corp three",)]
