"""What must be true of each table after a run: asset checks, each a SQL file whose rows are the violations."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import dagster as dg
import duckdb

from secscore_pipeline.azure.errors import AzureError, Outcome
from secscore_pipeline.azure.event_types import ASSESSMENTS
from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.registry import SECSCORE_PARTIAL_FAILURE
from secscore_pipeline.defs.assets.ocsf import FINDINGS
from secscore_pipeline.defs.assets.raw import CONTROLS, METADATA, RECOMMENDATIONS, SCORES, get_run_id
from secscore_pipeline.defs.metadata import explain_failures, list_unread, make_preview
from secscore_pipeline.defs.resources import WarehouseResource
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.text import from_markdown, in_markdown, printable
from secscore_pipeline.warehouse.memory import limit_memory
from secscore_pipeline.warehouse.statements import execute, select_rows, write_values

SHOWN = 10
"""How many violations a check shows."""

CELL = 60
"""How much of a cell they show: a long address that cannot be broken makes the page wider than the screen."""

WARNED_DAYS = 30
"""How many days before its end a credential is warned of."""

SAMPLE = 50
"""How many findings of a run are validated against the OCSF schema; the tests validate all of theirs."""

_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


class Check(NamedTuple):
    """One check: the table it guards, its name and SQL file, what it says, and how grave a violation is.

    One that is about an event type passes, without being run, where the run has no fetch of it.
    """

    asset: dg.AssetKey
    name: str
    says: str
    severity: dg.AssetCheckSeverity
    file: str
    event_type: str | None = None
    ends_the_run: bool = False
    """Whether SECSCORE_PARTIAL_FAILURE decides its severity; as an error, it fails the run and blocks nothing."""

    @property
    def gravity(self) -> dg.AssetCheckSeverity:
        """How grave a violation is, as the settings have it."""
        return _ERROR if self.ends_the_run and SECSCORE_PARTIAL_FAILURE.read() == "fail" else self.severity

    @property
    def title(self) -> str:
        """What it is called in messages."""
        return f"{'/'.join(self.asset.path)}: {self.name}"


def _of_raw(name: str, says: str, severity: dg.AssetCheckSeverity) -> list[Check]:
    """Return a check of each raw table, from one SQL file."""
    return [Check(asset, name, says, severity, name, asset.path[-1]) for asset in (SCORES, CONTROLS)]


def _of_spans(asset: dg.AssetKey, name: str, says: str, severity: dg.AssetCheckSeverity, file: str) -> Check:
    """Return a check of a raw table whose records are stored for as long as they stay the same."""
    return Check(asset, name, says, severity, file, asset.path[-1])


def _of_findings(
    name: str, says: str, severity: dg.AssetCheckSeverity, file: str | None = None, event_type: str | None = None
) -> Check:
    return Check(FINDINGS, name, says, severity, file or name, event_type)


COVERAGE = "all_subscriptions_read"
"""The file of the checks that every subscription could be read, which say the same of each table."""

DRIFT = (
    "Every field is one that the API describes, of the type it describes. Of 20,000 new records or more, a sample is "
    "checked."
)
"""What the checks of the fields say of each table."""

CHECKS = (
    *_of_raw("not_empty", "Every complete fetch has all its records here.", _ERROR),
    *_of_raw("keys_unique", "No record id stands twice in a fetch.", _ERROR),
    *_of_raw("score_in_range", "0 ≤ current ≤ max.", _WARN),
    *_of_raw(COVERAGE, "Every subscription could be read.", _WARN),
    *_of_raw("schema_drift", DRIFT, _WARN),
    *_of_raw("clock_runs_forward", "No clock is behind that of the fetch before.", _WARN),
    *(
        check
        for asset in (RECOMMENDATIONS, METADATA)
        for check in (
            _of_spans(asset, "not_empty", "Every complete fetch has all its records here.", _ERROR, "spans_not_empty"),
            _of_spans(asset, "keys_unique", "No record id stands twice in a fetch.", _ERROR, "spans_keys_unique"),
            _of_spans(asset, "schema_drift", DRIFT, _WARN, "spans_schema_drift"),
            _of_spans(
                asset, "clock_runs_forward", "No clock is behind that of the fetch before.", _WARN, "clock_runs_forward"
            ),
        )
    ),
    _of_spans(RECOMMENDATIONS, COVERAGE, "Every subscription could be read.", _WARN, COVERAGE),
    _of_findings("not_empty", "Every complete fetch became findings.", _ERROR, "findings_not_empty"),
    _of_findings("keys_unique", "No event identifier (metadata.uid) stands twice.", _ERROR, "findings_keys_unique"),
    _of_findings("score_in_range", "0 ≤ current ≤ max.", _WARN, "findings_score_in_range"),
    _of_findings("percentage_agrees", "The percentage is current / max, rounded to four digits.", _WARN),
    _of_findings("controls_add_up", "A subscription's controls add up to its score.", _WARN),
    _of_findings(
        "counts_agree",
        "A control counts as many unhealthy resources as its recommendations, but for what changed within a day.",
        _WARN,
        event_type=ASSESSMENTS.name,
    ),
    _of_findings("nothing_rejected", "Every raw record became a finding.", _WARN),
    # Here and not on the raw tables, where a failure would keep what was read from becoming findings.
    Check(
        FINDINGS,
        "snapshot_is_whole",
        "Every subscription could be read for every event type; SECSCORE_PARTIAL_FAILURE says how grave it is.",
        _WARN,
        COVERAGE,
        ends_the_run=True,
    ),
)

_NOTHING = "There is nothing to check."

_NEWEST = """select run_id from raw.fetches
order by run_id = $run_id desc, stored_at desc
limit 1"""


def _checks_of(asset: dg.AssetKey, feeds: Sequence[Feed]) -> dg.AssetChecksDefinition:
    """Make one step of an asset's checks; each is still shown, and can be run, by itself.

    Those of recommendations pass where no feed reads any, and no database is opened for them.
    """
    checks = [check for check in CHECKS if check.asset == asset]
    asked = feeds if asset in (RECOMMENDATIONS, METADATA) else ()

    @dg.multi_asset_check(
        name=f"{asset.path[-1]}_checks",
        can_subset=True,
        specs=[dg.AssetCheckSpec(check.name, asset=asset, description=check.says) for check in checks],
        required_resource_keys={"warehouse", *(feed.resource_key for feed in asked)},
    )
    def asset_checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        wanted = {key.name for key in context.selected_asset_check_keys}
        if asked and not any(_reads_recommendations(getattr(context.resources, feed.resource_key)) for feed in asked):
            for name in sorted(wanted):
                yield dg.AssetCheckResult(passed=True, check_name=name, description=_NOTHING)
            return
        fatal = list_unread(context) if asset == FINDINGS else []
        with explain_failures(context), context.resources.warehouse.store.get_reader() as connection:
            fetched = _select_run(connection, get_run_id(context))
            chosen = [check for check in checks if check.name in wanted]
            answerable = [check for check in chosen if check.event_type in {None, *fetched}]
            found = limit_memory(connection, partial(_find_violations, connection, answerable))
        for check in chosen:
            result = _result(check, found.get(check.name))
            yield result
            if check.ends_the_run and check.gravity is _ERROR and not result.passed:
                fatal.append(f"{check.title}: {from_markdown(result.description or '')}")
        if fatal:  # the step, on which nothing depends: readers get what was stored, and somebody hears of the run
            raise dg.Failure("\n".join(fatal), allow_retries=False)

    return asset_checks


def _reads_recommendations(azure: AzureConnection) -> bool:
    """Tell whether a connection reads recommendations; what is wrong with its settings, its own run says."""
    with suppress(SettingsError):
        return ASSESSMENTS in azure.settings().event_types
    return False


def _select_run(connection: duckdb.DuckDBPyConnection, run_id: str) -> set[str]:
    """Have the checks start from the fetches of this run, or of the newest one where this one fetched nothing.

    Returns:
        The event types that were fetched.
    """
    newest = execute(connection, _NEWEST, {"run_id": run_id}).fetchone()
    execute(connection, load_sql("defs/select_fetches"), {"run_id": newest[0] if newest else ""})
    found = connection.execute("select distinct event_type from selected_fetches").fetchall()
    return {event_type for (event_type,) in found}


def _find_violations(connection: duckdb.DuckDBPyConnection, checks: Sequence[Check]) -> dict[str, list[dict[str, Any]]]:
    """Run some checks of a table as one query; return the violations of each by its name."""
    if not checks:
        return {}
    if checks[0].asset == FINDINGS:
        connection.execute(load_sql("defs/select_observations"))
    rows = select_rows(connection, "\nunion all by name\n".join(map(_write_query, checks)))
    found: dict[str, list[dict[str, Any]]] = {check.name: [] for check in checks}
    for row in rows:
        name = row["check_name"]
        found[name].append(row[name])
    return found


def _write_query(check: Check) -> str:
    """Return a query of a check's violations: each is the one value of a column with the check's name."""
    query = write_values(load_sql(f"defs/checks/{check.file}"), {"event_type": check.event_type})
    violations = query.rstrip().removesuffix(";")
    name = check.name  # a name of our own
    return f"select '{name}' as check_name, violation as {name} from (\n{violations}\n) as violation"  # noqa: S608


def _result(check: Check, found: Sequence[dict[str, Any]] | None) -> dg.AssetCheckResult:
    """Return how a check has ended, by what it found; None where there was nothing to check."""
    if found is None:
        return dg.AssetCheckResult(asset_key=check.asset, check_name=check.name, passed=True, description=_NOTHING)
    violations = [{**row, "outcome": Outcome(row["outcome"]).words} if "outcome" in row else row for row in found]
    return dg.AssetCheckResult(
        asset_key=check.asset,
        check_name=check.name,
        passed=not violations,
        severity=check.gravity,
        description=in_markdown(_describe_violation(check, violations)) if violations else check.says,
        metadata={
            "violations": len(violations),
            **({"examples": make_preview(list(map(_short, violations[:SHOWN])))} if violations else {}),
        },
    )


def _short(violation: dict[str, Any]) -> dict[str, Any]:
    return {
        name: f"{cell[:CELL]}…" if isinstance(cell, str) and len(cell) > CELL else cell
        for name, cell in violation.items()
    }


def _describe_violation(check: Check, violations: Sequence[dict[str, Any]]) -> str:
    """Say what is wrong: how often, with what, and the first of it."""
    count = len(violations)
    first = ", ".join(
        f"{name.replace('_', ' ')} {cell}" for name, cell in violations[0].items() if cell not in (None, "")
    )
    exceptions = f"{count} {'exception' if count == 1 else 'exceptions'} to: {check.says}"
    return f"{exceptions} {'It is' if count == 1 else 'The first'}: {printable(first)}"


@dg.asset_check(
    asset=FINDINGS,
    name="valid_ocsf",
    description=f"The newest findings are valid OCSF (a sample of {SAMPLE}).",
)
def valid_ocsf(context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Hold a sample of the newest run's findings against the OCSF schema."""
    # A schema's validator takes long to import, and only this check needs it.
    from secscore_pipeline.ocsf.validation import build_event, find_problems

    with explain_failures(context), warehouse.store.get_reader() as connection:
        _select_run(connection, get_run_id(context))
        found = execute(connection, load_sql("ocsf/sample_findings"), {"limit": SAMPLE}).fetchall()
    wrong = {
        finding["metadata"]["uid"]: said for (row,) in found if (said := find_problems(finding := build_event(row)))
    }
    return dg.AssetCheckResult(
        passed=not wrong,
        severity=_ERROR,
        description=f"{len(found) - len(wrong)} of {len(found)} findings are valid OCSF.",
        metadata={"checked": len(found), "problems": dg.MetadataValue.json(dict(list(wrong.items())[:SHOWN]))},
    )


def _credential_lasts(feeds: Sequence[Feed]) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=SCORES,
        name="credential_lasts",
        description=f"No credential ends within {WARNED_DAYS} days, where its end is known.",
        required_resource_keys={feed.resource_key for feed in feeds},
    )
    def credential_lasts(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        left = {feed.name: _days_left(getattr(context.resources, feed.resource_key)) for feed in feeds}
        known = {name: days for name, days in left.items() if days is not None}
        says = [f"That of the feed {name} ends in {days} days." for name, days in sorted(known.items(), key=_days)]
        return dg.AssetCheckResult(
            passed=all(days >= WARNED_DAYS for days in known.values()),
            severity=_WARN,
            description=" ".join(says) or "When it ends is not known.",
            metadata={"days_left": min(known.values())} if known else {},
        )

    return credential_lasts


def _days(entry: tuple[str, int]) -> int:
    return entry[1]


def _days_left(azure: AzureConnection) -> int | None:
    """Return how many days a connection's credential still lasts; None where that is not known."""
    try:
        ends = azure.settings().credential.expires_at
    except (SettingsError, AzureError):  # the feed's own run says so
        return None
    return (ends - utc_now()).days if ends else None


def build_asset_checks(feeds: Sequence[Feed]) -> list[dg.AssetChecksDefinition]:
    """Return the checks of every asset."""
    assets = (SCORES, CONTROLS, RECOMMENDATIONS, METADATA, FINDINGS)
    return [*(_checks_of(asset, feeds) for asset in assets), valid_ocsf, _credential_lasts(feeds)]
