"""Times the questions of the posture views on a store, each on a connection that was just opened; prints JSON."""

import json
import statistics
import sys
import time

import duckdb

DAY = "select max(ocsf.day_of(observed_at)) from raw.fetches"
QUESTIONS = {
    "current_scores": "from posture.current_scores",
    "tenant_score, last day": f"from posture.tenant_score where day = ({DAY})",
    "opportunities": "from posture.opportunities",
    "changes, a day": f"from posture.changes where day = ({DAY})",
    "score_history, a subscription": "from posture.score_history where subscription_id = (select min(subscription_id) "
    "from ocsf.findings)",
}


def cold(path: str, question: str) -> float:
    """Return the milliseconds from opening the file to having the answer."""
    started = time.perf_counter()
    with duckdb.connect(path, read_only=True) as connection:
        connection.execute(question).fetchall()
    return 1000 * (time.perf_counter() - started)


def main(path: str, times: int) -> None:
    took = {name: [cold(path, question) for _ in range(times)] for name, question in QUESTIONS.items()}
    print(json.dumps({name: round(statistics.median(each)) for name, each in took.items()}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
