"""The whole job: from Azure's answers to findings, over TLS, MSAL, Dagster and DuckDB."""

import json

import pytest

from secscore_pipeline.emulator.world import Counts, State, World
from secscore_pipeline.ocsf.validation import build_event, find_problems
from secscore_pipeline_tests.conftest import failed_checks, of_files, resources_of_environment

FINDINGS = "select to_json(f) from ocsf.assessment_findings as f order by time, metadata.uid"


def events(store):
    return [build_event(row) for (row,) in store.query(FINDINGS)]


def test_every_record_of_every_subscription_becomes_a_finding(local_azure, store):
    azure = local_azure(World(subscriptions=4))
    store.use(azure)
    result = store.sync()
    assert failed_checks(result) == set()
    assert store.query(
        "select event_type, outcome, count(*), sum(records) from raw.fetches group by all order by all"
    ) == [
        ("secure_score_controls", "complete", 4, 60),
        ("secure_scores", "complete", 4, 4),
    ]
    assert store.one("select count(*) from ocsf.assessment_findings") == 64
    rows = store.query(
        'select cloud.account.uid, unmapped.secure_score."current", unmapped.secure_score."max", '
        "unmapped.secure_score.percentage, unmapped.secure_score.weight from ocsf.assessment_findings "
        "where metadata.event_code = 'secureScores'"
    )
    for subscription_id, *numbers in rows:
        (document,) = azure.world.scores(azure.world.subscriptions[subscription_id])
        score = document["properties"]["score"]
        assert numbers == [score["current"], score["max"], score["percentage"], document["properties"]["weight"]]


@of_files  # a lake has no comments on the columns of views
def test_a_materialization_shows_the_columns_of_its_table(local_azure, store):
    event_types = ("secure_scores", "secure_score_controls", "assessments")
    store.use(local_azure(World(subscriptions=1, assessments=20)), SECSCORE_EVENT_TYPES=",".join(event_types))
    shown = {
        event.asset_key.path[-1]: event.materialization.metadata["dagster/column_schema"].value.columns
        for event in store.sync().get_asset_materialization_events()
        if event.asset_key.path[0] in ("raw", "ocsf")
    }
    assert set(shown) == {"subscriptions", *event_types, "assessment_metadata", "assessment_findings"}
    assert all(column.description and column.type for columns in shown.values() for column in columns)


def test_every_finding_is_valid_ocsf(local_azure, store):
    store.use(local_azure(World(subscriptions=6, mixed=True)))
    store.sync()
    findings = events(store)
    assert len(findings) > 60
    assert [find_problems(finding) for finding in findings if find_problems(finding)] == []


def test_a_wrong_finding_is_not_valid_ocsf(local_azure, store):
    store.use(local_azure(World(subscriptions=1)))
    store.sync()
    finding = events(store)[0]
    assert find_problems({**finding, "nonsense": 1})
    assert find_problems({**finding, "type_uid": 9940200102 if finding["activity_id"] == 1 else 9940200101})
    assert find_problems({**finding, "severity": "Fatal"})
    assert find_problems({**finding, "time": finding["time"] // 1000})


def test_the_raw_record_is_kept_byte_for_byte(local_azure, store):
    azure = local_azure(World(subscriptions=1))
    (subscription_id,) = azure.world.subscriptions
    text = (
        '{"id": "/x/secureScores/ascScore", "name":"ascScore","new":[1.50e0, 12345678901234567890123],'
        '"properties":{"score":{"max":10.0,"current":5,"percentage":0.50}}}'
    )
    azure.arm.verbatim[subscription_id, "secureScores"] = f'{{ "value" : [\r\n {text} ] }}'.encode()
    store.use(azure, SECSCORE_EVENT_TYPES="secure_scores")
    store.sync()
    assert store.query("select record, record_id, name, page from raw.secure_scores") == [
        (text, "/x/secureScores/ascScore", "ascScore", 1)
    ]
    assert store.query('select raw_data, unmapped.secure_score."max" from ocsf.assessment_findings') == [(text, 10.0)]


@pytest.mark.slow
def test_a_second_run_updates_and_normalizing_again_adds_nothing(local_azure, store):
    azure = local_azure(World(subscriptions=2))
    store.use(azure)
    store.sync()
    subscription = next(iter(azure.world.subscriptions.values()))
    mfa = "34a42fb3-e6db-409c-b56b-7b1db6b8aee0"
    subscription.counts[mfa] = Counts(subscription.counts[mfa].healthy, subscription.counts[mfa].unhealthy + 5, 0)
    store.sync()
    assert store.query("select activity_name, count(*) from ocsf.assessment_findings group by all order by all") == [
        ("Create", 32),
        ("Update", 32),
    ]
    changed = store.query(
        "select split_part(finding_info.uid, '/', -1) from ocsf.assessment_findings "
        "where finding_info.modified_time = time order by all"
    )
    assert {name for (name,) in changed} == {mfa, "ascscore"}
    assert store.one(
        "select bool_and(finding_info.first_seen_time = first.first_seen) from ocsf.assessment_findings join "
        "(select finding_info.uid as uid, min(time) as first_seen from ocsf.assessment_findings group by all) as first "
        "on finding_info.uid = first.uid"
    )
    before = events(store)
    from secscore_pipeline.ocsf.mapping import Normalization
    from secscore_pipeline.warehouse.store import normalize

    with store.warehouse.get_connection() as connection:
        assert normalize(connection, Normalization().build_mapping()) == 0
    assert events(store) == before


@pytest.mark.slow
def test_rebuilding_from_raw_gives_the_same_rows(local_azure, store):
    azure = local_azure(World(subscriptions=3))
    store.use(azure)
    for healthy in (1, 5, 5, 2):
        for subscription in azure.world.subscriptions.values():
            subscription.counts["61702b76-1fab-41f2-bcbc-50b7870dcf38"] = Counts(healthy, 3, 0)
        store.sync()
    before = events(store)
    state = store.query("select * from internal.findings order by all")
    from secscore_pipeline.ocsf.mapping import Normalization
    from secscore_pipeline.warehouse.store import delete_findings, normalize

    with store.warehouse.get_connection() as connection:
        delete_findings(connection)
        assert normalize(connection, Normalization().build_mapping()) == len(before) == 3 * 16 * 4
    assert events(store) == before
    assert store.query("select * from internal.findings order by all") == state


def test_every_subscription_has_its_row_whatever_became_of_it(local_azure, store):
    world = World(subscriptions=1)
    for number, state in enumerate(State):
        world.add_subscription(f"00000000-0000-0000-0000-00000000000{number}", state)
    missing = "ffffffff-ffff-ffff-ffff-ffffffffffff"
    store.use(local_azure(world), *world.subscriptions, missing)
    result = store.sync()
    assert failed_checks(result) == {
        "secure_scores: all_subscriptions_read",
        "secure_score_controls: all_subscriptions_read",
        "assessment_findings: snapshot_is_whole",
    }
    rows = store.query(
        "select outcome, http_status, error_code, records from raw.fetches "
        "where event_type = 'secure_scores' order by all"
    )
    assert rows == [
        ("complete", 200, None, 1),
        ("complete", 200, None, 1),
        ("complete", 200, None, 2),
        ("failed", 401, "InvalidAuthenticationTokenTenant", 0),
        ("forbidden", 403, "AuthorizationFailed", 0),
        ("no_score", 200, None, 0),
        ("no_score", 200, None, 0),
        ("not_found", 404, "SubscriptionNotFound", 0),
        ("not_registered", 404, "Subscription Not Registered", 0),
        ("unsupported", 400, "DisallowedOperation", 0),
    ]
    assert store.one("select count(*) from raw.fetches where len(request_ids) = 0") == 0
    assert (
        store.one("select count(*) from raw.fetches where outcome not in ('complete', 'no_score') and error is null")
        == 0
    )


@pytest.mark.slow
def test_a_capitalised_404_means_no_score_yet(local_azure, store):
    from secscore_pipeline.emulator.faults import Fault, Kind

    azure = local_azure(World(subscriptions=2))
    body = {"Error": {"Code": "ResourceNotFound", "Message": "Secure score 'ascScore' does not exist in scope 'x'"}}
    first = next(iter(azure.world.subscriptions))
    azure.faults.append(Fault(Kind.STATUS, path=first, status=404, body=json.dumps(body).encode()))
    store.use(azure)
    assert failed_checks(store.sync()) == set()
    assert store.query("select distinct outcome, error from raw.fetches where subscription_id = ?", first) == [
        ("no_score", None)
    ]


@pytest.mark.slow
def test_every_page_is_followed(local_azure, store):
    azure = local_azure(World(subscriptions=3), page_size=4)
    store.use(azure)
    assert failed_checks(store.sync()) == set()
    assert store.query(
        "select event_type, min(pages), max(pages), sum(records) from raw.fetches group by all order by all"
    ) == [
        ("secure_score_controls", 4, 4, 45),
        ("secure_scores", 1, 1, 3),
    ]
    assert store.query("select page, count(*) from raw.secure_score_controls group by all order by all") == [
        (1, 12), (2, 12), (3, 12), (4, 9)
    ]  # fmt: skip


def test_only_the_event_types_that_were_asked_for_are_read(local_azure, store):
    azure = local_azure()
    store.use(azure, SECSCORE_EVENT_TYPES="secure_score_controls")
    assert failed_checks(store.sync()) == set()
    assert store.query("select distinct event_type from raw.fetches") == [("secure_score_controls",)]
    assert not any(path.lower().endswith("/securescores") for path in azure.requests)
    assert store.query("select distinct compliance.standards from ocsf.assessment_findings") == [(["ascScore"],)]


def test_when_nothing_can_be_read_the_run_fails_and_every_row_says_why(local_azure, store):
    azure = local_azure(World(subscriptions=2))
    store.use(azure, AZURE_CLIENT_SECRET="wrong-" + "x" * 20)
    store.sync(succeeds=False)
    rows = store.query("select outcome, error from raw.fetches")
    assert len(rows) == 4
    assert all(outcome == "failed" and "AADSTS7000215" in error for outcome, error in rows)
    assert store.one("select count(*) from ocsf.assessment_findings") == 0


@pytest.mark.slow
def test_the_client_sends_nothing_but_reads_to_arm(local_azure, store):
    azure = local_azure()
    store.use(azure)
    store.sync()
    assert {request.split()[0] for request in azure.requests if "/subscriptions/" in request} == {"GET"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "check"),
    [
        ("delete from internal.observations", "secure_scores: not_empty"),
        ("insert into internal.observations from internal.observations", "secure_scores: keys_unique"),
        (
            "update internal.record_versions set record = replace(record, '\"current\":', '\"current\":9')",
            "secure_score_controls: score_in_range",
        ),
        ("delete from internal.parsed_versions", "assessment_findings: not_empty"),
        ("insert into internal.observations from internal.observations", "assessment_findings: keys_unique"),
        ('update internal.parsed_versions set "current" = -1', "assessment_findings: score_in_range"),
        ("update internal.parsed_versions set percentage = 0.123", "assessment_findings: percentage_agrees"),
        (
            "delete from internal.parsed_versions where display_name = 'Enable MFA' and \"max\" > 0",
            "assessment_findings: controls_add_up",
        ),
        ("update internal.findings set first_seen_time = 5", "assessment_findings: valid_ocsf"),
    ],
)
def test_each_check_notices_what_it_is_there_for(local_azure, store, damage, check):
    import dagster as dg

    from secscore_pipeline.definitions import defs

    store.use(local_azure(World(subscriptions=2)))
    store.sync()
    store.write(damage)
    table, name = check.split(": ")
    wanted = {
        k for c in defs.asset_checks or [] for k in c.check_keys if (k.asset_key.path[-1], k.name) == (table, name)
    }
    assert len(wanted) == 1
    with dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance:
        result = dg.materialize(
            defs.asset_checks or [],
            instance=instance,
            resources=resources_of_environment(),
            selection=dg.AssetSelection.checks(*wanted),
        )
    assert failed_checks(result) == {check}
