"""Times queries of the posture views on a store, each on a connection that was just opened; prints JSON."""

import json
import statistics
import sys
import time

import duckdb

QUERIES = {
    "current_scores": "from posture.current_scores",
    "tenant_score, last day": "from posture.tenant_score where day = $day",
    "opportunities": "from posture.opportunities",
    "changes, a day": "from posture.changes where day = $day",
    "score_history, a subscription": "from posture.score_history where subscription_id = $subscription",
}


CONSTANTS = {
    "day": "select max(internal.day_of(observed_at)) from raw.fetches",
    "subscription": "select min(subscription_id) from internal.findings",
}
"""The parameters of the queries, read beforehand."""


def read_constants(connection: duckdb.DuckDBPyConnection) -> dict[str, object]:
    """Return the parameters that a store gives the queries, by name."""
    return {name: connection.execute(text).fetchall()[0][0] for name, text in CONSTANTS.items()}


def select_constants(query: str, known: dict[str, object]) -> dict[str, object]:
    """Return those of the constants that a query names."""
    return {name: it for name, it in known.items() if f"${name}" in query}


def time_cold_query(path: str, query: str, known: dict[str, object]) -> float:
    """Return the milliseconds from opening the file to having the answer."""
    started = time.perf_counter()
    with duckdb.connect(path, read_only=True) as connection:
        connection.execute(query, select_constants(query, known)).fetchall()
    return 1000 * (time.perf_counter() - started)


def main(path: str, times: int) -> None:
    with duckdb.connect(path, read_only=True) as connection:
        known = read_constants(connection)
    took = {name: [time_cold_query(path, query, known) for _ in range(times)] for name, query in QUERIES.items()}
    print(json.dumps({name: round(statistics.median(each)) for name, each in took.items()}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
