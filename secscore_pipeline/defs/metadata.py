"""What the assets of every layer share: table schemas for the UI, and failures explained in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import dagster as dg
import duckdb

from secscore_pipeline.azure.errors import AzureError
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.defs.partitions import BY_HAND
from secscore_pipeline.defs.stopped_runs import report_run_stopped
from secscore_pipeline.errors import may_pass
from secscore_pipeline.system.files import FileError
from secscore_pipeline.system.stopping import is_requested, watch_run
from secscore_pipeline.text import from_markdown
from secscore_pipeline.warehouse.errors import WarehouseError
from secscore_pipeline.warehouse.statements import execute

OWNERS = ["team:security-posture"]

POOL = "secscore_warehouse"
"""The concurrency pool of everything that writes the database: dagster.yaml lets one run at a time into it."""

RETRIES = dg.RetryPolicy(max_retries=2, delay=60, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""What is done about a failure that may be gone later: again after about a minute, and after three."""

READ = "is_read"
"""The check of a raw asset that says whether anything could be read for it; its description says why not."""

Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext | dg.OpExecutionContext


@contextmanager
def explain_failures(context: Context) -> Iterator[None]:
    """Convert an error that already says what happened and what to do into a Dagster failure with that text.

    It is tried again, as RETRIES has it, where it may be gone later and nobody waits for the run: Dagster is asked for
    that by `RetryRequested`, which is no failure yet. An interrupt is none, whatever a library made of it: it ends the
    run. (A retry policy of the job would try it again too.)
    """
    watch_run(partial(report_run_stopped, context.instance, context.run.run_id))
    failed: dg.Failure
    try:
        yield
    except Exception as error:
        if is_requested():
            raise dg.DagsterExecutionInterruptedError from None
        if isinstance(error, dg.Failure):
            failed = error
        elif isinstance(error, AzureError | FileError | SettingsError | WarehouseError):
            failed = make_failure(context, str(error))
        else:
            raise
    else:
        return
    # Without its cause: Dagster stores the whole chain, and the text of a library or server in it.
    step = context if isinstance(context, dg.OpExecutionContext) else context.op_execution_context
    if not failed.allow_retries or step.retry_number >= RETRIES.max_retries:
        raise failed from None
    seconds = RETRIES.calculate_delay(step.retry_number + 1)
    raise dg.RetryRequested(max_retries=RETRIES.max_retries, seconds_to_wait=seconds) from failed


def make_failure(context: Context, message: str) -> dg.Failure:
    """Return the failure with a message, to be tried again or not."""
    is_awaited = BY_HAND.items() <= context.run.tags.items()
    return dg.Failure(message, allow_retries=may_pass(message) and not is_awaited)


def list_unread(context: Context) -> list[str]:
    """Return what the run's raw assets say of what could not be read at all, a message each, once per cause.

    They succeed as steps all the same: what could be read becomes findings and is published, and then the run fails.
    """
    records = context.instance.get_records_for_run(
        context.run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ).records
    evaluations = [record.event_log_entry.asset_check_evaluation for record in records]
    messages = [
        from_markdown(one.description or "") for one in evaluations if one and one.check_name == READ and not one.passed
    ]
    return list(dict.fromkeys(messages))


def describe_columns(connection: duckdb.DuckDBPyConnection, table: str) -> dg.TableSchema:
    """Return the columns of a table, `schema.name`, with types and comments, as Dagster's UI shows them."""
    columns = execute(
        connection,
        "select column_name, data_type, comment, is_nullable from duckdb_columns() "
        "where database_name = current_database() and schema_name || '.' || table_name = $table order by column_index",
        {"table": table},
    ).fetchall()
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=name,
                type=kind,
                description=comment,
                constraints=dg.TableColumnConstraints(nullable=nullable),
            )
            for name, kind, comment, nullable in columns
        ]
    )


def make_preview(table: list[dict[str, Any]]) -> dg.TableMetadataValue:
    """Return rows as a table for Dagster's UI, which shows values as text and runs no markup."""
    records = [dg.TableRecord({name: _cell(cell) for name, cell in row.items()}) for row in table]
    schema = dg.TableSchema(columns=[dg.TableColumn(name) for name in (table[0] if table else {})])
    return dg.MetadataValue.table(records, schema=schema)


def _cell(cell: object) -> str | int | float | bool | None:
    if cell is None or (isinstance(cell, float) and cell != cell):
        return None
    return cell if isinstance(cell, str | int | float | bool) else str(cell)
