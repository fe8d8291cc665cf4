"""The definitions as a whole: a changed graph, check or schedule shows in review as a changed list here."""

import dagster as dg

from secscore_pipeline.definitions import defs


def test_the_graph_is_what_it_is_meant_to_be():
    graph = {
        spec.key.to_user_string(): (
            sorted(dep.asset_key.to_user_string() for dep in spec.deps), spec.group_name, sorted(spec.kinds)
        )
        for spec in defs.resolve_all_asset_specs()
    }  # fmt: skip
    assert graph == {
        "raw/subscriptions": ([], "raw", ["azure", "duckdb"]),
        "raw/secure_scores": (["raw/subscriptions"], "raw", ["azure", "duckdb"]),
        "raw/secure_score_controls": (["raw/subscriptions"], "raw", ["azure", "duckdb"]),
        "raw/assessments": (["raw/subscriptions"], "raw", ["azure", "duckdb"]),
        "raw/assessment_metadata": (["raw/assessments"], "raw", ["azure", "duckdb"]),
        "ocsf/assessment_findings": (
            ["raw/assessment_metadata", "raw/assessments", "raw/secure_score_controls", "raw/secure_scores"],
            "ocsf",
            ["duckdb", "ocsf"],
        ),
        "posture/database": (["ocsf/assessment_findings"], "posture", ["duckdb"]),
        "posture/report": (["posture/database"], "posture", ["html"]),
        "exports/jsonl": (["posture/database"], "exports", ["jsonl"]),
        "exports/parquet": (["posture/database"], "exports", ["parquet"]),
        "exports/security_lake": (["posture/database"], "exports", ["parquet"]),
        "exports/csv": (["posture/database"], "exports", ["csv"]),
        "exports/xlsx": (["posture/database"], "exports", ["xlsx"]),
    }  # fmt: skip


def test_every_asset_says_what_it_is_and_who_owns_it():
    for spec in defs.resolve_all_asset_specs():
        assert spec.description, spec.key
        assert spec.owners, spec.key


def test_the_checks_of_each_table():
    names = sorted(
        f"{key.asset_key.path[-1]}: {key.name}" for check in defs.asset_checks or [] for key in check.check_keys
    )
    raw = [
        "all_subscriptions_read", "clock_runs_forward", "keys_unique", "not_empty", "schema_drift", "score_in_range",
    ]  # fmt: skip
    spans = ["clock_runs_forward", "keys_unique", "not_empty", "schema_drift"]
    findings = [
        "controls_add_up", "counts_agree", "keys_unique", "not_empty", "nothing_rejected", "percentage_agrees",
        "score_in_range", "snapshot_is_whole", "valid_ocsf",
    ]  # fmt: skip
    assert names == [
        *(f"assessment_findings: {name}" for name in findings),
        *(f"assessment_metadata: {name}" for name in spans),
        *(f"assessments: {name}" for name in ["all_subscriptions_read", *spans]),
        *(f"secure_score_controls: {name}" for name in raw),
        *(f"secure_scores: {name}" for name in sorted([*raw, "credential_lasts"])),
    ]


def test_the_schedules_are_off_until_switched_on():
    schedules = {schedule.name: schedule for schedule in defs.schedules or []}
    assert {name: schedule.cron_schedule for name, schedule in schedules.items()} == {
        "sync_schedule": "0 5 * * *",
        "forget_old_runs": "0 3 * * 0",
        "maintain": "0 4 * * 0",
    }
    for schedule in schedules.values():
        assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
        assert schedule.execution_timezone == "UTC"


def test_the_secret_never_stands_in_the_configuration(monkeypatch):
    from secscore_pipeline.config.feeds import Feed
    from secscore_pipeline.defs.resources import build_connection_resource

    monkeypatch.setenv("AZURE_CLIENT_SECRET", "marked-secret")
    resource = build_connection_resource(Feed())
    config = resource.config_schema.config_type
    assert "marked-secret" not in repr(
        {name: (field.default_value, field.description) for name, field in config.fields.items()}
    )
    connection = resource.resource_fn(dg.build_init_resource_context(config=defaults_of(config)))
    assert connection.values["AZURE_CLIENT_SECRET"] == "marked-secret"
    assert "marked-secret" not in repr(connection)


def defaults_of(config):
    return {name: field.default_value for name, field in config.fields.items()}


def test_a_run_may_change_what_its_feed_reads_and_then_has_a_scope_of_its_own(monkeypatch):
    from secscore_pipeline.config.feeds import Feed
    from secscore_pipeline.defs.resources import build_connection_resource

    monkeypatch.setenv("SECSCORE_MAX_CONNECTIONS", "8")
    resource = build_connection_resource(Feed())
    defaults = defaults_of(resource.config_schema.config_type)
    assert (defaults["max_connections"], defaults["subscription_ids"]) == ("8", "*")
    for changed, has_own_scope in (({}, False), ({"max_connections": "2"}, False), ({"exclude": "dev-*"}, True)):
        connection = resource.resource_fn(dg.build_init_resource_context(config={**defaults, **changed}))
        assert connection.has_own_scope is has_own_scope
        assert connection.values["SECSCORE_MAX_CONNECTIONS"] == changed.get("max_connections", "8")
        assert connection.values["SECSCORE_EXCLUDE"] == changed.get("exclude", "")
