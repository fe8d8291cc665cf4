"""Times the questions of the posture views on a store, each on a connection that was just opened; prints JSON."""

import json
import statistics
import sys
import time

import duckdb

QUESTIONS = {
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
"""What people know when they ask, found beforehand."""


def constants(connection: duckdb.DuckDBPyConnection) -> dict[str, object]:
    """Return what people know of a store when they ask, by name."""
    return {name: connection.execute(text).fetchall()[0][0] for name, text in CONSTANTS.items()}


def named_in(question: str, known: dict[str, object]) -> dict[str, object]:
    """Return those of the constants that a question names."""
    return {name: it for name, it in known.items() if f"${name}" in question}


def cold(path: str, question: str, known: dict[str, object]) -> float:
    """Return the milliseconds from opening the file to having the answer."""
    started = time.perf_counter()
    with duckdb.connect(path, read_only=True) as connection:
        connection.execute(question, named_in(question, known)).fetchall()
    return 1000 * (time.perf_counter() - started)


def main(path: str, times: int) -> None:
    with duckdb.connect(path, read_only=True) as connection:
        known = constants(connection)
    took = {name: [cold(path, question, known) for _ in range(times)] for name, question in QUESTIONS.items()}
    print(json.dumps({name: round(statistics.median(each)) for name, each in took.items()}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
