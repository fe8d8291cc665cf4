"""Whose a subscription is: each has its own tenant's GUID everywhere, however the tenant is spelled in the settings."""

from datetime import UTC, date, datetime

import jwt
import pytest

from secscore_pipeline.azure.event_types import SECURE_SCORES
from secscore_pipeline.azure.tokens import tenant_of
from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.world import World
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline_tests.conftest import failed_checks
from secscore_pipeline_tests.support.fetching import fetch_event_type

TENANTS = """select subscription_id, tenant_id from raw.fetches
union select subscription_id, tenant_id from internal.subscription_versions
union select subscription_id, tenant_id from posture.entities
union select subscription_id, tenant_id from posture.coverage
union select subscription_id, tenant_id from posture.score_history
union select subscription_id, tenant_id from posture.current_controls
union select subscription_id, tenant_id from posture.opportunities
union select subscription_id, tenant_id from posture.gaps
union select cloud.account.uid, metadata.tenant_uid from ocsf.assessment_findings
union select cloud.account.uid, cloud.org.uid from ocsf.assessment_findings"""
"""Every place that says whose a subscription is."""


def owners(azure):
    return {(one.subscription_id, one.tenant_id) for one in azure.world.subscriptions.values()}


def listing_groups(store):
    """Return what the newest list tells of each tenant's management groups."""
    ((groups,),) = store.query("select management_groups from raw.listings order by listing_id desc limit 1")
    return {one["tenant_id"]: (one["top_group"], one["error"]) for one in groups}


def paths(store):
    return dict(store.query("select subscription_id, management_group_path from posture.entities"))


@pytest.mark.parametrize(
    ("claims", "tenant_id"),
    [
        ({"tid": "0000000A-0000-0000-0000-000000000000"}, "0000000a-0000-0000-0000-000000000000"),
        ({"tid": "contoso.com"}, None),
        ({"tid": 7}, None),
        ({}, None),
    ],
)
def test_a_token_tells_its_tenant_or_none(claims, tenant_id):
    assert tenant_of(jwt.encode(claims, "k" * 32)) == tenant_id


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "..", "a.\u00e9.c", f"a.{'W1' * 3}.c"])
def test_what_is_no_token_tells_no_tenant(token):
    assert tenant_of(token) is None


def test_a_machine_is_of_the_tenant_of_its_token_whatever_the_settings_say(local_azure, store, monkeypatch):
    azure = local_azure(World(subscriptions=1))
    azure.application.assigned = True
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", azure.url)
    azure.faults.append(Fault(Kind.STATUS, path=r"/subscriptions$", status=403))
    for wrong in ("wrong.example.com", "00000000-0000-0000-0000-00000000000f"):
        store.use(azure, AZURE_CLIENT_SECRET="", AZURE_CLIENT_ID="", AZURE_TENANT_ID=wrong)
        store.sync()
    assert store.query("select distinct tenant_id from raw.fetches") == [(azure.world.tenant_id,)]


@pytest.fixture
def provider(local_azure, store):
    """Return a provider's Azure: two subscriptions of its own, and three customers that are listed before them."""
    world = World(subscriptions=0)
    customers = [world.add_customer(2) for _ in range(3)]
    for number in range(2):
        world.add_subscription(f"00000000-0000-0000-0000-00000000000{number}").group = "corp"
    azure = local_azure(world)
    azure.customers = customers
    store.use(azure, "*")
    return azure


@pytest.mark.slow
def test_each_subscription_has_its_own_tenant_everywhere(provider, store):
    result = store.sync(with_report=True)
    assert failed_checks(result) == set()
    assert set(store.query(TENANTS)) == owners(provider)
    rolled_up = dict(store.query("select tenant_id, subscriptions from posture.tenant_score"))
    assert rolled_up == {provider.world.tenant_id: 2, **dict.fromkeys(provider.customers, 2)}
    by_tag = store.query("select distinct tenant_id from posture.tag_score where tag = 'owner'")
    assert {tenant for (tenant,) in by_tag} == set(rolled_up)
    assert store.query("select distinct tenant_id from posture.management_group_score") == [(provider.world.tenant_id,)]
    first_places = store.query("select distinct tenant_id from posture.opportunities where place = 1")
    assert {tenant for (tenant,) in first_places} == set(rolled_up)
    page = (store.path.parents[1] / "report.html").read_text(encoding="utf-8")
    assert all(f"Tenant {tenant}" in page for tenant in rolled_up)
    shown = {one.asset_key.path[-1]: one.materialization.metadata for one in result.get_asset_materialization_events()}
    for asset in ("assessment_findings", "report"):
        scores = {name for name in shown[asset] if name.startswith("score_percent")}
        assert scores == {f"score_percent_{tenant}" for tenant in rolled_up}, asset
    assert shown["subscriptions"]["management_groups"].value.startswith("read of 1 of 4 tenants")


@pytest.mark.slow
def test_the_groups_of_a_customer_that_cannot_be_read_cost_the_paths_of_that_customer_only(provider, store):
    result = store.sync()
    own = {one.subscription_id for one in provider.world.subscriptions.values() if one.group == "corp"}
    assert {path for one, path in paths(store).items() if one in own} >= {"Landing Zones / Corp"}
    groups = listing_groups(store)
    assert groups[provider.world.tenant_id] == (provider.world.tenant_id, None)
    for customer in provider.customers:
        top_group, error = groups[customer]
        assert top_group == customer
        assert "403 AuthorizationFailed" in error
        assert "AZURE_MANAGEMENT_GROUP_ID" not in error
        assert "Lighthouse" in error
    warnings = [record for record in result.all_events if "management group" in (record.message or "").lower()]
    assert warnings == []


@pytest.mark.slow
def test_a_customers_groups_that_fail_leave_the_others_readable(provider, store):
    first, *_ = provider.customers
    provider.faults.append(Fault(Kind.STATUS, path=f"{first}/descendants", status=400))
    store.sync()
    assert "400" in listing_groups(store)[first][1]
    assert "Landing Zones / Corp" in paths(store).values()


@pytest.mark.slow
def test_a_management_group_that_is_set_is_the_top_of_its_own_tenant(provider, store):
    store.use(provider, "*", AZURE_MANAGEMENT_GROUP_ID="landing-zones")
    store.sync()
    assert set(paths(store).values()) == {"Corp", None}
    assert listing_groups(store)[provider.world.tenant_id] == ("landing-zones", None)
    read = {one for (one,) in store.query("select distinct subscription_id from raw.fetches")}
    assert read == {one.subscription_id for one in provider.world.subscriptions.values() if one.group == "corp"
                    and one.tenant_id == provider.world.tenant_id}  # fmt: skip


@pytest.mark.slow
def test_a_subscription_that_moves_keeps_its_old_tenant_in_its_history(provider, store):
    moved = next(one for one in provider.world.subscriptions.values() if one.tenant_id in provider.customers)
    before = moved.tenant_id
    store.sync()
    moved.tenant_id = provider.world.tenant_id
    store.sync()
    history = "select tenant_id from posture.score_history where subscription_id = ? order by observed_at"
    assert store.query(history, moved.subscription_id) == [(before,), (provider.world.tenant_id,)]
    for view in ("coverage where is_in_scope and", "entities where", "current_scores where"):
        now = f"select distinct tenant_id from posture.{view} subscription_id = ?"
        assert store.query(now, moved.subscription_id) == [(provider.world.tenant_id,)], view
    in_coverage = "select count(*) from posture.coverage where subscription_id = ? and is_in_scope"
    assert store.one(in_coverage, moved.subscription_id) == 2


@pytest.mark.slow
@pytest.mark.parametrize("entities", ["on", "off"])
@pytest.mark.parametrize("scope", ["*", ""])
def test_a_domain_and_an_upper_case_guid_are_the_tenant_they_name(local_azure, store, entities, scope):
    azure = local_azure(World(subscriptions=2))
    for spelling in (azure.world.domain, azure.world.tenant_id.upper(), azure.world.domain.upper()):
        ids = [scope] if scope else []
        store.use(azure, *ids, AZURE_TENANT_ID=spelling, SECSCORE_ENTITIES=entities)
        store.sync()
    found = store.query("select tenant_id from raw.fetches union select tenant_id from raw.listings")
    assert found == [(azure.world.tenant_id,)]
    assert store.query("select distinct tenant_id, count(*) over () from posture.tenant_score") == [
        (azure.world.tenant_id, 1)
    ]
    assert store.one("select count(*) from posture.coverage") == 4


@pytest.mark.slow
def test_a_customers_subscription_is_the_customers_also_where_nothing_else_is_stored_of_it(provider, store):
    store.use(provider, SECSCORE_ENTITIES="off")
    store.sync()
    provider.faults.append(Fault(Kind.STATUS, path=r"/subscriptions$", status=403))
    store.sync()
    assert set(store.query("select subscription_id, tenant_id from raw.fetches")) == owners(provider)


@pytest.mark.slow
def test_a_list_that_fails_leaves_each_subscription_its_tenant(provider, store):
    store.use(provider)
    store.sync()
    provider.faults.append(Fault(Kind.STATUS, path=r"/subscriptions$", status=403))
    store.sync()
    assert set(store.query("select subscription_id, tenant_id from raw.fetches")) == owners(provider)


def test_a_list_that_fails_once_is_good_for_the_tenants_when_it_succeeds(provider, store):
    provider.faults.append(Fault(Kind.STATUS, path=r"/subscriptions$", status=403, times=1))
    assert failed_checks(store.sync()) == {"subscriptions: names_read"}
    assert set(store.query("select subscription_id, tenant_id from raw.fetches")) == owners(provider)


@pytest.mark.slow
def test_a_sign_in_that_failed_under_a_domain_is_of_the_same_tenant_later(local_azure, store):
    azure = local_azure(World(subscriptions=1))
    store.use(azure, AZURE_TENANT_ID=azure.world.domain, AZURE_CLIENT_SECRET="wrong")
    store.sync(succeeds=False)
    store.use(azure, AZURE_TENANT_ID=azure.world.domain)
    store.sync()
    store.use(azure, AZURE_TENANT_ID=azure.world.domain, AZURE_CLIENT_SECRET="wrong")
    store.sync(succeeds=False)
    assert store.query("select distinct tenant_id from raw.fetches") == [(azure.world.tenant_id,)]
    assert store.one("select count(*) from posture.coverage") == 2


def test_days_missed_before_a_move_are_the_old_tenants(provider, store):
    first, *_ = provider.world.subscriptions
    moved = provider.world.subscriptions[first]
    before, own = moved.tenant_id, provider.world.tenant_id
    store.use(provider, first)
    connection = AzureConnection.from_environment()
    for day, tenant_id in ((1, before), (4, own), (6, own)):
        moved.tenant_id = tenant_id
        fetch_event_type(
            connection, store.warehouse, SECURE_SCORES, f"run {day}", lambda day=day: datetime(2026, 3, day, tzinfo=UTC)
        )
    assert store.query("select day, tenant_id from posture.gaps where day < '2026-03-07' order by day") == [
        (date(2026, 3, 2), before), (date(2026, 3, 3), before), (date(2026, 3, 5), own),
    ]  # fmt: skip
