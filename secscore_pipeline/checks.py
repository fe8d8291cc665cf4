"""What must be true of each table after a run: asset checks, each a SQL file whose rows are the violations."""

from typing import NamedTuple

import dagster as dg

from secscore_pipeline.assets.findings import assessment_findings
from secscore_pipeline.assets.raw import secure_score_controls, secure_scores
from secscore_pipeline.assets.tables import failures_explained, frame, preview
from secscore_pipeline.ocsf.validation import event, problems
from secscore_pipeline.resources import Warehouse
from secscore_pipeline.warehouse import sql

SHOWN = 10
"""How many violations a check shows."""

SAMPLE = 50
"""How many findings of a run are held against the OCSF schema; the tests hold all of theirs against it."""

_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


class Check(NamedTuple):
    """One check: the table it guards, its name and SQL file, what it says, and how grave a violation is."""

    asset: dg.AssetsDefinition
    name: str
    file: str
    says: str
    severity: dg.AssetCheckSeverity


def _raw_checks(asset: dg.AssetsDefinition) -> list[Check]:
    table = asset.key.path[-1]
    return [
        Check(asset, "not_empty", f"not_empty_{table}", "Every complete look has all its records here.", _ERROR),
        Check(asset, "keys_unique", f"keys_unique_{table}", "No record id stands twice in a snapshot.", _ERROR),
        Check(asset, "score_in_range", f"score_in_range_{table}", "0 ≤ current ≤ max.", _WARN),
        Check(asset, "all_subscriptions_read", f"all_read_{table}", "Every subscription could be read.", _WARN),
    ]


CHECKS = (
    *_raw_checks(secure_scores),
    *_raw_checks(secure_score_controls),
    Check(
        assessment_findings,
        "not_empty",
        "not_empty_assessment_findings",
        "Every complete snapshot became findings.",
        _ERROR,
    ),
    Check(
        assessment_findings,
        "keys_unique",
        "keys_unique_assessment_findings",
        "No event identifier (metadata.uid) stands twice.",
        _ERROR,
    ),
    Check(
        assessment_findings,
        "score_in_range",
        "score_in_range_assessment_findings",
        "0 ≤ current ≤ max.",
        _WARN,
    ),
    Check(
        assessment_findings,
        "percentage_agrees",
        "percentage_agrees",
        "The percentage is current / max, rounded to four digits.",
        _WARN,
    ),
    Check(
        assessment_findings,
        "controls_add_up",
        "controls_add_up",
        "A subscription's controls add up to its score.",
        _WARN,
    ),
    Check(
        assessment_findings,
        "nothing_rejected",
        "nothing_rejected",
        "Every raw record became a finding.",
        _WARN,
    ),
)

_NEWEST = "select snapshot_id from raw.fetches order by stored_at desc limit 1"


def _asset_check(check: Check) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=check.asset, name=check.name, description=check.says)
    def asset_check(warehouse: Warehouse) -> dg.AssetCheckResult:
        with failures_explained(), warehouse.get_reader() as connection:
            newest = connection.execute(_NEWEST).fetchone()
            violations = frame(connection, sql(f"checks/{check.file}"), {"snapshot_id": newest[0] if newest else ""})
        return dg.AssetCheckResult(
            passed=violations.empty,
            severity=check.severity,
            description=check.says if violations.empty else f"{len(violations)} exceptions to: {check.says}",
            metadata={"violations": len(violations), "examples": preview(violations.head(SHOWN))},
        )

    return asset_check


@dg.asset_check(
    asset=assessment_findings,
    name="valid_ocsf",
    description=f"The newest findings are valid OCSF (a sample of {SAMPLE}).",
)
def valid_ocsf(warehouse: Warehouse) -> dg.AssetCheckResult:
    """Hold a sample of the newest snapshot's findings against the OCSF schema."""
    with failures_explained(), warehouse.get_reader() as connection:
        newest = connection.execute(_NEWEST).fetchone()
        rows = connection.execute(
            sql("sample_findings"), {"snapshot_id": newest[0] if newest else "", "limit": SAMPLE}
        ).fetchall()
    wrong = {finding["metadata"]["uid"]: found for (row,) in rows if (found := problems(finding := event(row)))}
    return dg.AssetCheckResult(
        passed=not wrong,
        severity=_ERROR,
        description=f"{len(rows) - len(wrong)} of {len(rows)} findings are valid OCSF.",
        metadata={"checked": len(rows), "problems": dg.MetadataValue.json(dict(list(wrong.items())[:SHOWN]))},
    )


asset_checks = [*map(_asset_check, CHECKS), valid_ocsf]
