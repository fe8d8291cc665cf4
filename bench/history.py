"""Makes a store with a long daily history of many subscriptions, as syncs would have made it but without the network.

`python bench/history.py FILE --days 365 --subscriptions 1000`; the local Azure's data, simulated day by day.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
import msgspec

from secscore_pipeline.azure.event_types import SECURE_SCORE_CONTROLS, SECURE_SCORES
from secscore_pipeline.emulator.world import World
from secscore_pipeline.ocsf.mapping import Normalization
from secscore_pipeline.warehouse.connection import open_for_writing
from secscore_pipeline.warehouse.rows import FetchRow
from secscore_pipeline.warehouse.spool import open_spool
from secscore_pipeline.warehouse.store import load_fetches, normalize

Opened = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]


def store_day(opened: Opened, beside: Path, world: World, moment: datetime) -> None:
    """Store what a sync at `moment` would have read of the world.

    Args:
        opened: opens the store for writing.
        beside: the path beside which the fetches are spooled.
        world: what is read.
        moment: when.
    """
    run_id = f"history-{moment:%Y-%m-%d}"
    for event_type in (SECURE_SCORE_CONTROLS, SECURE_SCORES):
        with opened() as connection, open_spool(beside) as spool:
            for subscription in world.subscriptions.values():
                if event_type is SECURE_SCORES:
                    records = world.scores(subscription)
                else:
                    records = world.controls(subscription, "ascScore", expand=True)
                request_id = f"{hash((moment, subscription.subscription_id)):032x}"
                spool.add_fetch(
                    FetchRow(
                        run_id, world.tenant_id, subscription.subscription_id, event_type.name, moment, moment,
                        "complete", 200, None, None, 1, len(records), (request_id,),
                        "https://localhost:1", "localhost",
                    )
                )  # fmt: skip
                texts = [msgspec.json.encode(record).decode() for record in records]
                spool.add_records(subscription.subscription_id, 1, texts)
            spool.close()
            load_fetches(connection, spool, run_id, event_type.name, moment)
    with opened() as connection:
        normalize(connection, Normalization().build_mapping())


def simulate_days(world: World, days: int, until: datetime) -> Iterator[datetime]:
    """Simulate some days up to `until`; yield each day's moment when the world is as it then is."""
    world.today = until.date() - timedelta(days=days)
    for ago in range(days - 1, -1, -1):
        moment = until - timedelta(days=ago)
        world.simulate_until(moment.date())
        yield moment


def make_history(path: Path, subscriptions: int, days: int, until: datetime) -> World:
    """Fill `path` with `days` days up to the one before `until`, and return the world as it then is."""
    world = World(subscriptions=subscriptions)
    for moment in simulate_days(world, days, until - timedelta(days=1)):
        store_day(partial(open_for_writing, path), path, world, moment)
    return world


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--subscriptions", type=int, default=1000)
    parser.add_argument("--days", type=int, default=365)
    given = parser.parse_args()
    started = time.perf_counter()
    make_history(given.file, given.subscriptions, given.days, datetime.now(UTC).replace(microsecond=0))
    print(f"{given.days} days in {time.perf_counter() - started:.0f} s, {given.file.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
