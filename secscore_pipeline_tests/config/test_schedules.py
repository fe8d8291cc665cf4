"""Schedules are read by a library of their own: it must take what Dagster takes, and run when Dagster does."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest
from dagster._utils.schedules import cron_string_iterator, is_valid_cron_schedule, reverse_cron_string_iterator

from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.config.kinds import SettingsError, is_valid_cron
from secscore_pipeline.config.schedules import check_schedule, last_due, longest_gap

TAKEN = (
    "0 5 * * *", "*/15 * * * *", "0 0 * * 0", "0 0 * * 7", "0 6 1 * *", "30 2 * * *", "0 1,13 * * 1-5", "0 4 29 2 *",
    "0 0 31 1,3 *", "@daily", "@hourly", "0 7 * * mon", "0 0 1 jan *", "5-10 * * * *", "0 5 * * 1#1", "0 0 L * *",
)  # fmt: skip
REFUSED = (
    "", "x", "every day", "* * * *", "0 5 * * * *", "60 * * * *", "0 24 * * *", "0 0 0 * *", "0 0 30 2 *", "0 0 31 2 *",
    "* * * * * * *", "0 5 * * 9", "a b c d e", "0 5 ** *", "-1 * * * *",
)  # fmt: skip


@pytest.mark.parametrize("cron", [*TAKEN, *REFUSED])
def test_what_dagster_takes_is_taken_and_nothing_else(cron):
    assert is_valid_cron(cron) is is_valid_cron_schedule(cron)
    assert is_valid_cron(cron) is (cron in TAKEN)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu"])
@pytest.mark.parametrize("cron", ["0 5 * * *", "*/15 * * * *", "0 0 * * 0", "0 6 1 * *", "0 1,13 * * 1-5"])
def test_runs_are_due_when_dagster_starts_them(cron, zone):
    feed, monday = Feed(schedule=cron, time_zone=zone), datetime(2024, 1, 1, tzinfo=UTC)
    runs = cron_string_iterator(monday.timestamp(), cron, zone)
    ticks = [run.astimezone(UTC) for run in islice(runs, 100)]
    assert longest_gap(feed) == max(after - before for before, after in pairwise(ticks))
    for now in (monday, datetime(2026, 7, 14, 9, 26, 53, 589793, UTC), ticks[7], ticks[7] - timedelta(microseconds=1)):
        due = next(reverse_cron_string_iterator(now.timestamp(), cron, zone)).astimezone(UTC)
        assert last_due(feed, now.astimezone(UTC)) == due


@pytest.mark.parametrize(
    ("feed", "setting", "named", "resolution"),
    [
        (Feed(schedule="daily"), None, "SECSCORE_SCHEDULE", "to a cron expression"),
        (Feed(schedule="daily"), "SECSCORE_BRIEFING", "SECSCORE_BRIEFING", "to a cron expression"),
        (Feed(time_zone="Mars/Olympus"), None, "SECSCORE_TIMEZONE", "to a time zone"),
        (Feed(time_zone="Mars/Olympus"), "SECSCORE_BRIEFING", "SECSCORE_TIMEZONE", "to a time zone"),
        (Feed(name="emea", settings={}, schedule="daily"), None, "feed emea: schedule", "to a cron expression"),
        (Feed(name="emea", settings={}, time_zone="Mars"), None, "feed emea: time_zone", "to a time zone"),
    ],
)
def test_what_cannot_be_read_is_named_where_it_stands(feed, setting, named, resolution):
    with pytest.raises(SettingsError) as caught:
        check_schedule(feed, setting)
    (problem,) = caught.value.problems
    assert problem.startswith(named)
    assert f" Set {named} {resolution}" in problem
