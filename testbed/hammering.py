"""Reads a published database over and over, until a line comes in: each time it must be whole, and no older.

`python -m testbed.hammering DATABASE FETCHES [PAUSE]`, where a run makes so many fetches, and PAUSE seconds lie between
two readings. It prints `reading` when it begins, and at the end how often it read, and the number of runs that it saw
last.
"""

import select
import sys

import duckdb

QUERY = """
    select count(*), count(distinct run_id), count(distinct (run_id, subscription_id, event_type)),
        (select count(distinct metadata.correlation_uid) from ocsf.assessment_findings)
    from raw.fetches
"""


def main(path: str, fetches_of_a_run: int, pause: float) -> None:
    reads, newest = 0, 0
    print("reading", flush=True)
    while not select.select([sys.stdin], [], [], pause)[0]:
        with duckdb.connect(path, read_only=True) as connection:
            first = connection.execute(QUERY).fetchone()
            again = connection.execute(QUERY).fetchone()
        fetches, runs, keys, normalized = first
        assert first == again, (first, again)
        assert fetches == keys == runs * fetches_of_a_run, first
        assert normalized == runs >= newest, first
        reads, newest = reads + 1, runs
    print(reads, newest)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else 0)
