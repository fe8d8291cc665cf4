"""Makes a store with a year of daily syncs of 200,000 recommendations, 1 % changing each day, and times its views.

`python -m bench.recommendation_history FILE`: makes the store where it is not there, which takes some ten minutes, and
prints its size in MB, and how long views take on a connection that was just opened, as JSON.

The first day is what the local Azure has, and the product loads all of it. Of each later day it loads only what has
changed, since to read 200,000 records that have not takes most of the time: `store_changes` ends the spans that a list
of all of them would have ended. `test_recommendation_history.py` compares both ways.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from bench.history import simulate_days, store_day
from secscore_pipeline.emulator.assessments import describe
from secscore_pipeline.emulator.world import World
from secscore_pipeline.ocsf.mapping import Normalization
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.connection import open_for_writing
from secscore_pipeline.warehouse.rows import FetchRow
from secscore_pipeline.warehouse.spool import Spool, open_spool
from secscore_pipeline.warehouse.statements import execute, select_rows
from secscore_pipeline.warehouse.store import load_fetches, load_records, normalize
from secscore_pipeline.warehouse.transactions import transaction

VERSION = "2025-05-04"
PAGE = 100
CHANGING = 0.01

VIEWS = {
    "unhealthy_resources": "from posture.unhealthy_resources",
    "recommendations": "from posture.recommendations",
    "last_unhealthy": "from posture.last_unhealthy",
    "recommendation_changes, a day": "from posture.recommendation_changes where day = $day",
    "time_to_fix": "from posture.time_to_fix",
}
"""The queries that are timed: every row of all subscriptions with every column, as Arrow."""

_CHOOSE_CHANGES = """
-- One row: one current assessment that changes on a day; one of four is gone, and another resource is in its place.
with places as (
    select
        spans.version_id,
        spans.subscription_id,
        spans.page,
        spans.position,
        row_number() over (partition by parsed.status_code order by hash(spans.version_id, $moment)) as place
    from internal.record_spans as spans
    join internal.parsed_assessments as parsed using (version_id)
    where spans.ended_fetch_id is null
        and parsed.status_code in ('Healthy', 'Unhealthy')
)
select
    places.version_id,
    places.subscription_id,
    places.page,
    places.position,
    versions.record,
    places.place % 4 = 0 and contains(versions.record, '/resourceGroups/') as is_replaced
from places
join internal.record_versions as versions using (version_id)
where places.place <= $changes / 2
order by places.subscription_id, places.page, places.position;
"""

_END_SPANS = """
-- One row: one span of a record that has changed, or that is gone.
update internal.record_spans as spans
set ended_fetch_id = fetches.fetch_id
from raw.fetches as fetches
where fetches.run_id = $run_id
    and fetches.event_type = 'assessments'
    and fetches.subscription_id = spans.subscription_id
    and spans.ended_fetch_id is null
    and list_contains(cast($version_ids as bigint[]), spans.version_id);
"""

_BEGIN_SPANS = """
insert into internal.record_spans (version_id, event_type, subscription_id, page, position, first_fetch_id)
select seen.version_id, 'assessments', fetches.subscription_id, seen.page, seen.position, seen.fetch_id
from seen_versions as seen
join raw.fetches as fetches using (fetch_id)
order by seen.fetch_id, seen.page, seen.position;
"""


def spool_fetch(spool: Spool, world: World, subscription_id: str, event_type: str, moment: datetime, size: int) -> None:
    """Spool that a list of some size was read at a moment, in pages as the local Azure has them."""
    pages = max(-(-size // PAGE), 1)
    request_ids = tuple(f"{hash((subscription_id, moment, page)):032x}" for page in range(pages))
    spool.add_fetch(
        FetchRow(
            name_run(moment), world.tenant_id, subscription_id, event_type, moment, moment, "complete", 200, None, None,
            pages, size, request_ids, "https://localhost:1", "localhost",
        )
    )  # fmt: skip


def name_run(moment: datetime) -> str:
    """Return the id of the run of a day, as `history.store_day` has it."""
    return f"history-{moment:%Y-%m-%d}"


def load_lists(
    connection: duckdb.DuckDBPyConnection,
    beside: Path,
    world: World,
    event_type: str,
    moment: datetime,
    lists: Iterable[tuple[str, list[str]]],
) -> None:
    """Load whole lists as a sync does: the texts of all records of each subscription."""
    with open_spool(beside) as spool:
        for subscription_id, records in lists:
            spool_fetch(spool, world, subscription_id, event_type, moment, len(records))
            for page, start in enumerate(range(0, len(records), PAGE), 1):
                spool.add_records(subscription_id, page, records[start : start + PAGE])
        spool.close()
        load_fetches(connection, spool, name_run(moment), event_type, moment)


def list_assessments(world: World) -> Iterator[tuple[str, list[str]]]:
    """Yield each subscription with the texts of its assessments."""
    for subscription in world.subscriptions.values():
        name = subscription.subscription_id
        yield name, [encode(describe(name, one, VERSION)) for one in world.list_assessments(subscription)]


def list_metadata(world: World) -> Iterator[tuple[str, list[str]]]:
    """Yield the one subscription of which a sync reads the metadata, with their texts."""
    name = next(iter(world.subscriptions))
    yield name, [encode(one) for one in world.catalogue.subscription_documents(name, VERSION)]


def encode(document: Mapping[str, object]) -> str:
    """Return a document as the local Azure writes it."""
    return msgspec.json.encode(document).decode()


def change_record(text: str, moment: datetime, *, is_replaced: bool) -> str:
    """Return what a record is after a change: of its state, or of the resource, whose name then ends with the day."""
    record = json.loads(text)
    properties = record["properties"]
    if is_replaced:
        suffix = f"-{moment:%j}"
        resource_id, separator, key = record["id"].rpartition("/providers/Microsoft.Security/assessments/")
        record["id"] = resource_id + suffix + separator + key
        details = properties["resourceDetails"]
        properties["resourceDetails"] = {
            name: value + suffix if name in ("Id", "ResourceName", "NativeResourceId") else value
            for name, value in details.items()
        }
    else:
        status = properties["status"]
        status["code"] = {"Healthy": "Unhealthy", "Unhealthy": "Healthy"}[status["code"]]
        if "statusChangeDate" in status:
            status["statusChangeDate"] = f"{moment:%Y-%m-%dT%H:%M:%S}.0000000Z"
    return encode(record)


def choose_changes(connection: duckdb.DuckDBPyConnection, moment: datetime, changes: int) -> list[dict[str, Any]]:
    """Return the current assessments that change at a moment; `text` is what each is from then on."""
    chosen = select_rows(connection, _CHOOSE_CHANGES, {"moment": moment, "changes": changes})
    return [{**row, "text": change_record(row["record"], moment, is_replaced=row["is_replaced"])} for row in chosen]


def store_changes(
    connection: duckdb.DuckDBPyConnection, beside: Path, world: World, moment: datetime, changed: list[dict[str, Any]]
) -> None:
    """Store what a sync would store of lists in which some records have changed and all others have not.

    Args:
        connection: open for writing; every subscription has been read before.
        beside: the path beside which the fetches are spooled.
        world: the subscriptions.
        moment: when they are read.
        changed: as `choose_changes` returns it.
    """
    sizes = dict(connection.execute(
        "select subscription_id, count(*) from internal.record_spans "
        "where event_type = 'assessments' and ended_fetch_id is null group by all"
    ).fetchall())  # fmt: skip
    with open_spool(beside) as spool:
        for name in world.subscriptions:
            spool_fetch(spool, world, name, "assessments", moment, sizes.get(name, 0))
        for row in changed:
            spool.add_records(row["subscription_id"], row["page"], [row["text"]], row["position"])
        spool.close()
        values = {
            "run_id": name_run(moment),
            "event_type": "assessments",
            "fetches_file": str(spool.fetches_path),
            "line_bytes": spool.line_bytes,
            "stored_at": moment,
            "tenant_id": None,
            "version_ids": [row["version_id"] for row in changed],
        }
        with transaction(connection):
            execute(connection, load_sql("warehouse/load_fetches"), values)
            load_records(connection, spool, values)
            for statement in (_END_SPANS, _BEGIN_SPANS):
                execute(connection, statement, values)


def make_history(path: Path, subscriptions: int, assessments: int, days: int, until: datetime) -> None:
    """Fill `path` with `days` days up to `until`: of scores, controls, recommendations and their metadata.

    Args:
        path: the store.
        subscriptions, assessments: how many, and how many of each.
        days: how many days.
        until: the moment of the last sync, UTC.
    """
    world = World(subscriptions=subscriptions, assessments=assessments, changing=CHANGING)
    opened = partial(open_for_writing, path)
    for number, moment in enumerate(simulate_days(world, days, until)):
        store_day(opened, path, world, moment)
        with opened() as connection:
            if number:
                chosen = choose_changes(connection, moment, round(CHANGING * subscriptions * assessments))
                store_changes(connection, path, world, moment, chosen)
            else:
                load_lists(connection, path, world, "assessments", moment, list_assessments(world))
            load_lists(connection, path, world, "assessment_metadata", moment, list_metadata(world))
            normalize(connection, Normalization().build_mapping())


def time_views(path: Path, times: int) -> dict[str, int]:
    """Return the medians of the milliseconds from opening the store to having the whole of each view as Arrow."""
    with duckdb.connect(str(path), read_only=True) as connection:
        row = connection.execute("select max(internal.day_of(observed_at)) from raw.fetches").fetchone()
    known = {"day": row[0] if row else None}
    took = {name: [_time_view(path, query, known) for _ in range(times)] for name, query in VIEWS.items()}
    return {name: round(statistics.median(each)) for name, each in took.items()}


def _time_view(path: Path, query: str, known: dict[str, object]) -> float:
    started = time.perf_counter()
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute(query, {name: it for name, it in known.items() if f"${name}" in query}).to_arrow_table()
    return 1000 * (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--subscriptions", type=int, default=100)
    parser.add_argument("--assessments", type=int, default=2000, help="of each subscription")
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--times", type=int, default=5, help="how often each view is queried")
    given = parser.parse_args()
    found: dict[str, object] = {}
    if not given.file.exists():
        started = time.perf_counter()
        until = datetime.now(UTC).replace(microsecond=0)
        unfinished = given.file.with_suffix(".unfinished.duckdb")
        unfinished.unlink(missing_ok=True)
        make_history(unfinished, given.subscriptions, given.assessments, given.days, until)
        unfinished.rename(given.file)
        found["made_s"] = round(time.perf_counter() - started)
    found["size_mb"] = round(given.file.stat().st_size / 1e6)
    print(json.dumps({**found, "views_ms": time_views(given.file, given.times)}))


if __name__ == "__main__":
    main()
