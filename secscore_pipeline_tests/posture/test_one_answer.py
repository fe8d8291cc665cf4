"""The same thing is spelled in one way, and counted in one way, wherever it is shown."""

import json
import re
from functools import partial
from itertools import combinations

import duckdb
import pytest
from urllib3.util.retry import Retry

from secscore_pipeline.alerts.events import find_alerts
from secscore_pipeline.azure import arm
from secscore_pipeline.azure.arm import ArmClient, Patience
from secscore_pipeline.azure.errors import RESULTS, Outcome
from secscore_pipeline.clock import utc_now
from secscore_pipeline.defs.assets.posture import DATABASE
from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.world import Counts, State, World
from secscore_pipeline.posture.coverage import Coverage, read_coverage
from secscore_pipeline.report.page import read_report
from secscore_pipeline.text import from_markdown, in_markdown, printable
from secscore_pipeline_tests.conftest import of_files, secscore

MISSING = "ffffffff-ffff-ffff-ffff-ffffffffffff"

EXPECTED = Coverage(read=4, without_score=2, not_read=7)
"""Two plain ones, the one with a second score and the oddly spelled one; no score: unscored, disabled, unsupported."""


def subscription(number):
    return f"00000000-0000-4000-8000-0000000000{number:02}"


def spell_oddly(world, subscription_id):
    """Return the documents of a subscription, spelled as Azure may spell ids and names."""
    subscription = world.subscriptions[subscription_id]
    scores, controls = world.scores(subscription), world.controls(subscription, "ascScore", expand=True)
    for document in controls:
        document["id"] = (
            document["id"].replace("ascScore", "ASCSCORE").replace(subscription_id, subscription_id.upper())
        )
        document["name"] = document["name"].upper()
    return {"secureScores": scores, "secureScoreControls": controls}


@pytest.fixture(scope="module")
def every_kind(module_azure, module_store):
    """Return what the second of two syncs logged and materialized: subscriptions of every kind, all read before."""
    with pytest.MonkeyPatch.context() as patch:
        once = Patience(retry=Retry(total=0, status_forcelist=(429, 500)))
        patch.setattr(arm, "ArmClient", partial(ArmClient, patience=once))
        azure = module_azure(World(subscriptions=2))
        for number in range(11):
            azure.world.add_subscription(subscription(number))
        said = []
        formatter = "secscore_pipeline.defs.logger._MessageFormatter"
        patch.setattr(f"{formatter}.format", lambda _, record: said.append(record) or "")
        module_store.use(azure, *(one.upper() for one in azure.world.subscriptions), MISSING)
        began = utc_now()
        module_store.sync()
        states = (State.GRACE, State.UNSCORED, State.DISABLED, State.FORBIDDEN, State.UNREGISTERED, State.FOREIGN)
        for number, state in enumerate(states):
            azure.world.subscriptions[subscription(number)].state = state
        azure.world.subscriptions[subscription(10)].state = State.UNSUPPORTED
        for one in azure.world.subscriptions.values():
            one.counts = {name: Counts(3, 4, 0) for name in one.counts}
        azure.faults += [
            Fault(Kind.STATUS, subscription(6), status=429),
            Fault(Kind.STATUS, subscription(7), status=500),
            Fault(Kind.STATUS, f"{subscription(8)}.*secureScoreControls", status=400),
        ]
        for kind, documents in spell_oddly(azure.world, subscription(9)).items():
            azure.arm.verbatim[subscription(9), kind] = json.dumps({"value": documents}).encode()
        said.clear()
        result = module_store.sync()
        return began, [record.dagster_meta["orig_message"] for record in said], result


@pytest.mark.slow
def test_every_place_that_counts_subscriptions_has_the_same_figures(every_kind, module_store, tmp_path):
    began, log, result = every_kind
    assert EXPECTED.sentence == "4 of 13 subscriptions read; 2 have no score; 7 not read"
    assert sorted(line for line in log if "subscriptions read" in line) == [
        f"secure_score_controls: {EXPECTED.sentence}",
        "secure_scores: 5 of 13 subscriptions read; 2 have no score; 6 not read",
    ]
    (database,) = (
        event.materialization for event in result.all_events
        if event.is_step_materialization and event.asset_key == DATABASE
    )  # fmt: skip
    assert {name: database.metadata[name].value for name in EXPECTED.metadata} == EXPECTED.metadata
    with module_store.warehouse.get_published() as connection:
        assert read_coverage(connection) == EXPECTED
        report = read_report(connection, utc_now())
        assert report.tenants[0].coverage == EXPECTED
        assert f"{EXPECTED.sentence}." in report.page()
        (lost,) = (alert for alert in find_alerts(connection, began, 2) if alert.kind == "coverage_lost")
        assert lost.title == f"{EXPECTED.not_read - 1} subscriptions can no longer be read"  # one never could
    codes = [outcome for outcome in Outcome if "_" in outcome]
    examples = [evaluation.metadata["examples"] for evaluation in result.get_asset_check_evaluations()
                if "examples" in evaluation.metadata]  # fmt: skip
    checked = [evaluation.description for evaluation in result.get_asset_check_evaluations()]
    for text in (report.page(), *lost.lines, *log, *map(str, examples), *checked):
        assert not [code for code in codes if code in text], text
    assert len(examples) > 0
    (feed,) = json.loads(secscore("status", "--json", cwd=tmp_path, env=module_store.settings, check=1).stdout)["feeds"]
    assert Coverage(feed["read"], feed["without_score"], feed["not_read"]) == EXPECTED
    assert feed["subscriptions"] == EXPECTED.subscriptions
    shown = secscore("status", cwd=tmp_path, env=module_store.settings, check=1).stdout
    assert re.search(r"UTC +4 of 13 +2 +7\b", shown)
    assert "7 of 13 subscriptions of the feed default could not be read" in shown
    figures = secscore("status", "--max-age", "9d", cwd=tmp_path, env=module_store.settings, check=None).stdout
    assert "'not read default'=7;0;;0;13" in figures


def test_an_outcome_means_the_same_in_python_and_in_sql(every_kind, module_store):
    assert set(RESULTS) == set(Outcome)
    found = module_store.query(
        "select unnest($outcomes), internal.read_result_of(unnest($outcomes))", {"outcomes": list(Outcome)}
    )
    assert dict(found) == RESULTS


@pytest.mark.parametrize("text", ["[forbidden]", "a\\b *c* `d` <e> |f| !#g", "\\[x\\]", "\\\\[", "\x1b[31m"])
def test_what_is_escaped_for_markdown_is_read_back(text):
    assert from_markdown(in_markdown(text)) == printable(text)


@of_files
def test_a_database_of_an_older_version_is_a_sentence(every_kind, module_store, tmp_path):
    old = tmp_path / "old.duckdb"
    old.write_bytes(module_store.published.read_bytes())
    with duckdb.connect(str(old)) as connection:
        connection.execute("drop view posture.read_results")
    done = secscore("status", cwd=tmp_path, env={"SECSCORE_DATABASE": str(old)}, check=1)
    assert "[database-outdated]" in done.stderr


OWN_WORDS = {("status", "ocsf.assessment_findings")}
"""Columns whose name is another standard's, and means something else there."""

SAME = {
    "ControlId": "control_id",
    "ControlName": "control",
    "SecureScoresSubscriptionId": "subscription_id",
    "_SubscriptionId": "subscription_id",
    "score_name": "score",
    "subscription": "subscription_id",
}
"""Columns that hold the same thing under another name."""


@pytest.mark.slow
def test_every_pair_of_views_joins_on_what_they_share(every_kind, module_store):
    columns = module_store.query(
        "select schema_name || '.' || table_name, column_name from duckdb_columns() "
        "where database_name = current_database() and schema_name in ('posture', 'ocsf', 'raw') "
        "and data_type = 'VARCHAR' "
        "and table_name not in ('records', 'secure_scores', 'secure_score_controls', 'bodies', 'departures')"
    )
    values: dict[str, dict[str, set[str]]] = {}
    for view, column in columns:
        if (column, view) in OWN_WORDS or (view, column) == ("internal.parsed_versions", "score_name"):  # as received
            continue
        found = module_store.query(f'select distinct "{column}" from {view} where "{column}" is not null')
        values.setdefault(SAME.get(column, column), {})[f"{view}.{column}"] = {value for (value,) in found}
    pairs = 0
    for column, by_view in values.items():
        for (one, ours), (other, theirs) in combinations(by_view.items(), 2):
            alike = {value.lower() for value in ours} & {value.lower() for value in theirs}
            assert {value.lower() for value in ours & theirs} == alike, (one, other, ours ^ theirs)
            is_key = column in ("score", "control", "feed", "event_type", "cloud_partition") or column.endswith("_id")
            if is_key and ours and theirs:
                pairs += 1
                assert ours & theirs, (one, other, ours, theirs)
    assert pairs > 300
    assert values["score"]["posture.changes.score"] >= {"ascScore"}
