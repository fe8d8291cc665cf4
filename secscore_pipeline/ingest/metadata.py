"""Chooses the subscriptions whose list of recommendation metadata is read: a few, since those of a tenant are alike."""

from collections.abc import Iterable, Iterator
from datetime import date

from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.statements import select_rows
from secscore_pipeline.warehouse.warehouse import Warehouse

ROUNDS = 5
"""How many times a run chooses: first one subscription of each tenant, then another one where that could not be read,
and those with recommendations that no list describes. What keeps several of a tenant from being read keeps all."""


def choose_metadata_subscriptions(
    warehouse: Warehouse, subscription_ids: Iterable[str], today: date
) -> Iterator[tuple[str, ...]]:
    """Yield which lists to read next, for as long as there are some; what was read of those before is stored by then.

    Args:
        warehouse: what was read before.
        subscription_ids: those in scope.
        today: the day (UTC) on which a list that was read is not read again.
    """
    waiting = set(subscription_ids)
    for _ in range(ROUNDS):
        asked: dict[str, object] = {"ids": sorted(waiting), "today": today}
        with warehouse.get_reader() as connection:
            rows = select_rows(connection, load_sql("ingest/list_metadata_subscriptions"), asked)
        chosen = tuple(row["subscription_id"] for row in rows)
        if not chosen:
            return
        yield chosen
        waiting.difference_update(chosen)
