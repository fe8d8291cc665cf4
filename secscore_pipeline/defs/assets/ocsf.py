"""The normalized layer: raw records become OCSF Assessment Findings."""

from functools import partial
from textwrap import shorten
from typing import Any

import dagster as dg
import duckdb

from secscore_pipeline.clock import utc_now
from secscore_pipeline.defs.assets.raw import CONTROLS, METADATA, RECOMMENDATIONS, SCORES, get_run_id
from secscore_pipeline.defs.metadata import OWNERS, POOL, describe_columns, explain_failures, list_unread, make_preview
from secscore_pipeline.defs.resources import WarehouseResource, get_batch
from secscore_pipeline.ingest.fetches import has_stored
from secscore_pipeline.ocsf.mapping import Normalization
from secscore_pipeline.posture.steps import has_assessments
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.memory import limit_memory
from secscore_pipeline.warehouse.statements import select_rows
from secscore_pipeline.warehouse.store import delete_findings, normalize

FINDINGS = dg.AssetKey(["ocsf", "assessment_findings"])


SHOWN = 100
"""How many scores a materialization shows; the lowest come first."""


WORST = 20
"""How many recommendations it shows, where assessments are read."""


NAME_LENGTH = 50
"""How many characters of a recommendation's name it shows: a table of Dagster's UI does not wrap them."""


_LAUNCHPAD = {
    "informational_from": dg.Field(
        float,
        default_value=Normalization.informational_from,
        description="A failing control with current/max from here: Informational.",
    ),
    "low_from": dg.Field(float, default_value=Normalization.low_from, description="… from here: Low."),
    "medium_from": dg.Field(
        float, default_value=Normalization.medium_from, description="… from here: Medium; below: High."
    ),
    "extension_version": dg.Field(
        str, default_value=Normalization.extension_version, description="metadata.extensions[0].version"
    ),
    "rebuild": dg.Field(
        bool, default_value=False, description="Delete every finding and make all anew from the raw tables."
    ),
}
"""What a run may set. Plain types, not `dg.Config`, whose texts take `{env: NAME}`: a secret would be stored."""


@dg.asset(
    key=FINDINGS,
    config_schema=_LAUNCHPAD,
    deps=[SCORES, CONTROLS, RECOMMENDATIONS, METADATA],
    group_name="ocsf",
    kinds={"duckdb", "ocsf"},
    owners=OWNERS,
    pool=POOL,
    metadata={"dagster/table_name": "ocsf.assessment_findings"},
)
def assessment_findings(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """Every observation of a secure score or control as an OCSF Assessment Finding (99402001).

    Adds the runs that are not in the table yet; a second run adds nothing.
    """
    started_at = utc_now()
    chosen = dict(context.op_execution_context.op_config)
    is_rebuild = chosen.pop("rebuild")
    with explain_failures(context), warehouse.get_connection() as connection:
        _refuse_empty_run(context, connection)
        if is_rebuild:
            delete_findings(connection)
        added = normalize(connection, Normalization(**chosen).build_mapping())
        sync = {} if get_batch(context) else limit_memory(connection, partial(describe_newest_sync, connection))
        columns = describe_columns(connection, "ocsf.assessment_findings")
        clouds = select_rows(connection, "select distinct cloud_partition from raw.fetches order by all")
        counts = select_rows(connection, load_sql("ocsf/count_findings"))[0]
    context.log.info("%d findings added", added)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": int(counts["findings"]),
            "dagster/column_schema": columns,
            "findings_added": added,
            "clouds": ", ".join(cloud["cloud_partition"] for cloud in clouds),
            **sync,
            "duration_seconds": round((utc_now() - started_at).total_seconds(), 3),
        }
    )


def _refuse_empty_run(context: dg.AssetExecutionContext, connection: duckdb.DuckDBPyConnection) -> None:
    """Raise where the run was to read, could read nothing, and saw nobody leave: nothing is new for findings."""
    problems = list_unread(context)
    if problems and not has_stored(connection, get_run_id(context)):
        raise dg.Failure("\n".join(problems), allow_retries=False)


def describe_newest_sync(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return what Dagster shows of the newest sync: its worst scores, and the numbers that are plotted over time.

    Where assessments are read, its worst recommendations and the open findings by severity are there too. Of all
    subscriptions: the run of a batch leaves it to the one that publishes them.
    """
    scores = select_rows(connection, load_sql("posture/list_scores"), {"limit": SHOWN})
    totals = select_rows(connection, load_sql("posture/sum_up_tenants"))
    return {
        "scores": make_preview(list(map(_describe_score, scores))),
        **_sum_up(totals),
        **_describe_recommendations(connection),
    }


def _describe_recommendations(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return the worst recommendations and the open findings by severity; nothing where no assessments are read."""
    tenants = select_rows(connection, load_sql("posture/count_open_findings")) if has_assessments(connection) else []
    if not tenants:
        return {}
    worst = select_rows(connection, load_sql("posture/list_worst_recommendations"), {"limit": WORST})
    severities = [name for name in tenants[0] if name.startswith("open_")]
    return {
        "recommendations": make_preview(list(map(_describe_recommendation, worst))),
        **{name: sum(int(tenant[name]) for tenant in tenants) for name in severities},
    }


def _describe_recommendation(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a materialization says of a recommendation, no wider than the page."""
    return {
        "recommendation": shorten(row["recommendation"], NAME_LENGTH, placeholder=" …"),
        "severity": row["severity"],
        "unhealthy": row["unhealthy_resources"],
        "oldest_days": row["oldest_days"],
    }


def _sum_up(tenants: list[dict[str, Any]]) -> dict[str, float]:
    """Return the numbers that are plotted: points and resources add up over tenants, each has a score of its own."""
    numbers: dict[str, float] = {}
    for tenant in tenants:
        tenant_id, score = tenant.pop("tenant_id"), tenant.pop("score_percent")
        if score is not None:
            numbers["score_percent" if len(tenants) == 1 else f"score_percent_{tenant_id}"] = float(score)
        for name, number in tenant.items():
            if number is not None:
                numbers[name] = numbers.get(name, 0) + float(number)
    return numbers


def _describe_score(score: dict[str, Any]) -> dict[str, Any]:
    """Return what a materialization says of a score: what people want to know first, and no wider than the page."""
    percentage = score["percentage"]
    return {
        "name": score["subscription_name"],
        "percent": None if percentage is None else round(100 * percentage, 2),
        "points": None if None in (score["current"], score["max"]) else f"{score['current']:g} / {score['max']:g}",
        "score": score["score"],
        "subscription_id": score["subscription_id"],
    }
