"""A clock that is wrong deletes nothing, silences nobody, and makes nothing look fresh that is not."""

from datetime import date, timedelta

import pytest

from secscore_pipeline import clock
from secscore_pipeline.alerts.journal import open_journal
from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.emulator.world import World
from secscore_pipeline.posture.status import read_status
from secscore_pipeline.warehouse.errors import WarehouseError
from secscore_pipeline.warehouse.retention import compute_oldest_kept

YEAR = timedelta(days=365)
RUNS = "select count(distinct run_id) from raw.fetches"


@pytest.fixture
def synced(local_azure, store):
    store.use(local_azure(World(subscriptions=1)))
    store.sync()
    store.write("update raw.fetches set observed_at = observed_at - interval 10 day")
    store.sync()
    return store


def attention(store, now):
    with store.warehouse.get_published() as connection:
        return read_status(connection, [Feed()], now).attention


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [YEAR, -YEAR])
def test_a_retention_by_a_wrong_clock_is_refused(synced, wrong):
    with pytest.raises(WarehouseError, match="clock-implausible"):
        synced.warehouse.maintain(utc_now() + wrong, 5)
    assert synced.one(RUNS) == 2
    assert synced.warehouse.maintain(utc_now(), 5).cutoff < utc_now() - timedelta(days=4)


@pytest.mark.slow
def test_what_a_wrong_clock_has_dated_makes_nothing_old(synced):
    with clock.at(utc_now() + YEAR):
        synced.sync()
        assert synced.warehouse.maintain(utc_now(), 90).cutoff < utc_now() - YEAR - timedelta(days=89)
    assert synced.one(RUNS) == 3
    with pytest.raises(WarehouseError, match="clock-implausible"):
        synced.warehouse.maintain(utc_now(), 90)
    assert synced.one(RUNS) == 3


def assert_coverage_has_a_future_fetch(synced, now, later, gaps_end):
    (future,) = attention(synced, now)
    assert "yet to come" in future
    assert any(later in line for line in attention(synced, now + timedelta(days=3, hours=1)))
    with synced.warehouse.get_published() as connection:
        ages = "select min(age) >= interval 0 second, max(days_missed) from posture.coverage"
        assert connection.execute(ages).fetchone() == (True, 9)
        gaps = f"select {gaps_end}, count(*) from posture.gaps"
        assert connection.execute(gaps).fetchone() == (True, 2 * 9)


@pytest.mark.slow
def test_after_a_fetch_from_the_future_what_is_old_is_still_told(synced):
    now = utc_now()
    with clock.at(now + timedelta(days=20)):
        synced.sync()
    assert_coverage_has_a_future_fetch(synced, now, "yet to come", "max(day) < current_date")
    synced.sync()
    assert_coverage_has_a_future_fetch(synced, now, "was 3 days ago", "max(day) <= current_date")
    synced.sync()
    (future,) = attention(synced, now + timedelta(hours=1))
    assert "yet to come" in future
    assert any("was 3 days ago" in line for line in attention(synced, now + timedelta(days=3, hours=1)))


@pytest.mark.slow
def test_alerts_noted_by_a_clock_that_was_ahead_go_on_when_it_is_right(synced):
    now = utc_now()
    with open_journal(synced.published, now + YEAR) as journal:
        journal.queue([], ["webhook"], now, seen_until=now + YEAR)
    with open_journal(synced.published, now) as journal:
        assert journal.begun == now
        assert journal.settled_until == now


def days(*ago):
    return [date(2026, 6, 30) - timedelta(days=number) for number in ago]


@pytest.mark.parametrize(
    ("newest_first", "kept", "first"),
    [
        (days(0), 30, 30),
        (days(0, 1, 2, 50), 30, 48 + 30),
        (days(*range(100)), 30, 30),
        (days(0, *range(365, 465)), 30, 365 + 30),  # one fetch, dated a year ahead
        (days(0, *range(20, 120)), 30, 30),  # a pause that may be
        (days(0, *range(60, 160)), 90, 60 + 90),
        (days(*range(40), *range(500, 600)), 30, 30),  # long ago for what is kept
    ],
)
def test_days_are_counted_back_from_the_newest_and_long_pauses_do_not_count(newest_first, kept, first):
    assert compute_oldest_kept(newest_first, kept) == days(first)[0]
