"""Schedules, as cron writes them: checked, and how far apart their runs are."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from croniter import croniter

from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.registry import SECSCORE_SCHEDULE, SECSCORE_TIMEZONE
from secscore_pipeline.config.setting import collect_problems

_RUNS_COMPARED = 100
"""How many runs of a schedule are compared for the longest time between two."""

_A_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


def check_schedule(feed: Feed, setting: str | None = None) -> None:
    """Check the schedule of a feed.

    Args:
        feed: whose schedule and time zone are checked.
        setting: the setting that the schedule stands in; None where it is the feed's own: SECSCORE_SCHEDULE, or its
            entry in the file of feeds.

    Raises:
        SettingsError: its schedule or time zone cannot be read.
    """
    in_file = setting is None and feed.settings is not None
    schedule, time_zone = (
        (f"feed {feed.name}: schedule", f"feed {feed.name}: time_zone")
        if in_file
        else (setting or SECSCORE_SCHEDULE.name, SECSCORE_TIMEZONE.name)
    )
    checks = (
        partial(SECSCORE_SCHEDULE.kind.parse, schedule, feed.schedule),
        partial(SECSCORE_TIMEZONE.kind.parse, time_zone, feed.time_zone),
    )
    if problems := collect_problems(*checks):
        raise SettingsError(problems)


def longest_gap(feed: Feed) -> timedelta:
    """Return the longest time between two of the next runs of a feed.

    Raises:
        SettingsError: its schedule or time zone cannot be read.
    """
    check_schedule(feed)
    start = _A_MONDAY.astimezone(ZoneInfo(feed.time_zone))
    runs: Iterator[datetime] = croniter(feed.schedule, start).all_next(datetime)
    moments = [run.astimezone(UTC) for run in islice(runs, _RUNS_COMPARED)]
    return max(after - before for before, after in pairwise(moments))


def last_due(feed: Feed, now: datetime) -> datetime:
    """Return when the newest run of a schedule was due, UTC.

    Args:
        feed: whose schedule it is, in its time zone.
        now: UTC; a run that is due at this moment is the newest.
    """
    # croniter returns what lies before a second: from the next one, the present one counts too.
    local = now.astimezone(ZoneInfo(feed.time_zone)).replace(microsecond=0) + timedelta(seconds=1)
    runs: Iterator[datetime] = croniter(feed.schedule, local).all_prev(datetime)
    return next(runs).astimezone(UTC)
