"""The lives of findings: what appears, changes, vanishes and returns, held against a plain model of the rules."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from secscore_pipeline.emulator.world import Counts, World
from secscore_pipeline.ocsf.mapping import Normalization
from secscore_pipeline.ocsf.validation import build_event, find_problems
from secscore_pipeline.warehouse.connection import open_for_reading, open_for_writing
from secscore_pipeline.warehouse.rows import FetchRow, ScopeRow
from secscore_pipeline.warehouse.spool import open_spool
from secscore_pipeline.warehouse.store import (
    compact,
    delete_findings,
    delete_old_fetches,
    leave_scope,
    load_fetches,
    normalize,
)
from secscore_pipeline_tests.conftest import secscore

SUBSCRIPTIONS = ("sub-1", "sub-2")
EVENT_TYPES = ("secure_scores", "secure_score_controls")
RECORDS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), min_size=1, max_size=3)
LOOK = st.one_of(RECORDS, st.sampled_from(["failed", "no_score", "left the scope"]))
EVENTS = (
    "select finding_info.uid, time, activity_name, finding_info.first_seen_time, finding_info.last_seen_time, "
    "finding_info.modified_time, unmapped.secure_score.weight, status from ocsf.assessment_findings order by all"
)


class Model:
    """The rules of a finding's life as one would tell them, finding by finding."""

    def __init__(self):
        self.findings = {}
        self.last_complete = {}
        self.events = []
        self.looks = {}

    def let_go(self, cutoff):
        """Forget what happened before `cutoff`, but for what the newest look before it of each place saw."""
        gone = set()
        for place, times in self.looks.items():
            before = [time for time in times if time < cutoff]
            gone |= {(*place, time) for time in before[:-1]}
            self.looks[place] = before[-1:] + [time for time in times if time >= cutoff]
        self.events = [
            event
            for event in self.events
            if (*event[0].split("/")[1:3], event[1]) not in gone and (event[1] >= cutoff or event[2] != "Close")
        ]

    def see(self, place, time, records):
        self.looks.setdefault(place, []).append(time)
        before = self.last_complete.get(place, {})
        for uid, number in records.items():
            finding = self.findings.get(uid)
            if finding is None:
                finding = self.findings[uid] = {"first": time, "modified": None, "number": number}
                activity = "Create"
            else:
                activity = "Update"
                if finding["number"] != number:
                    finding.update(modified=time, number=number)
            finding["last"] = time
            self._tell(uid, time, activity)
        for uid in before.keys() - records.keys():
            self._tell(uid, time, "Close")
        self.last_complete[place] = records

    def leave(self, subscription, time):
        for event_type in EVENT_TYPES:
            if (event_type, subscription) in self.last_complete:
                self.see((event_type, subscription), time, {})

    def _tell(self, uid, time, activity):
        known = self.findings[uid]
        status = "Resolved" if activity == "Close" else "New"
        self.events.append(
            (uid, time, activity, known["first"], known["last"], known["modified"], known["number"], status)
        )


class Lives(RuleBasedStateMachine):
    """Random worlds, failures and re-runs, through the incremental way and through a rebuild from raw."""

    folder = None

    @initialize()
    def begin(self):
        Lives.runs = getattr(Lives, "runs", 0) + 1
        self.path = Lives.folder / f"life-{Lives.runs}.duckdb"
        self.model = Model()
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.snapshots = 0

    @rule(
        event_type=st.sampled_from(EVENT_TYPES),
        looks=st.tuples(LOOK, LOOK),
        set_back=st.booleans(),
        again=st.booleans(),
        normalized=st.booleans(),
    )
    def run(self, event_type, looks, set_back, again, normalized):
        self.snapshots += 1
        self.now += timedelta(hours=-2 if set_back else 8)
        with open_for_writing(self.path) as connection, open_spool(self.path) as spool:
            for subscription, look in zip(SUBSCRIPTIONS, looks, strict=True):
                if look == "left the scope":
                    self._leave(connection, subscription)
                    continue
                outcome = look if isinstance(look, str) else "complete"
                records = {} if isinstance(look, str) else look
                spool.add_fetch(self._fetch(subscription, event_type, outcome, len(records)))
                texts = [
                    json.dumps({"id": f"/{event_type}/{subscription}/{name}".upper(), "properties": {"weight": number}})
                    for name, number in records.items()
                ]
                spool.add_records(subscription, 1, texts)
            spool.close()
            for _ in range(1 + again):
                load_fetches(connection, spool, f"run-{self.snapshots}", event_type, self.now)
            times = dict(
                connection.execute(
                    "select subscription_id, epoch_ms(observed_at) from raw.fetches where run_id = ?",
                    [f"run-{self.snapshots}"],
                ).fetchall()
            )
            if normalized:
                normalize(connection, Normalization().build_mapping())
        for subscription, look in zip(SUBSCRIPTIONS, looks, strict=True):
            if isinstance(look, dict):
                records = {f"/{event_type}/{subscription}/{name}".lower(): number for name, number in look.items()}
                self.model.see((event_type, subscription), times[subscription], records)

    @rule(days=st.integers(0, 2))
    def keep(self, days):
        cutoff = self.now - timedelta(days=days)
        with open_for_writing(self.path) as connection:
            normalize(connection, Normalization().build_mapping())
            delete_old_fetches(connection, cutoff)
        compact(self.path)
        self.model.let_go(round(cutoff.timestamp() * 1000))

    def _leave(self, connection, subscription):
        read = tuple(one for one in SUBSCRIPTIONS if one != subscription)
        scope = ScopeRow(f"run-{self.snapshots}", "default", (), read, {}, "not_listed", self.now)
        leave_scope(connection, scope, self.now)
        assert leave_scope(connection, scope, self.now) == []
        for (time,) in connection.execute(
            "select epoch_ms(observed_at) from raw.scope_changes "
            "where (run_id, subscription_id, state) = (?, ?, 'left')",
            [scope.run_id, subscription],
        ).fetchall():
            self.model.leave(subscription, time)

    def _fetch(self, subscription, event_type, outcome, records):
        return FetchRow(
            f"run-{self.snapshots}", "tenant", subscription, event_type, self.now, self.now, outcome, 200, None, None,
            1, records, ("id",), "https://arm", "cloud",
        )  # fmt: skip

    @invariant()
    def nothing_is_stored_twice_and_nothing_goes_backwards(self):
        if not self.path.exists():
            return
        with open_for_reading(self.path) as connection:
            assert connection.execute(
                "select count(*) - count(distinct (fetch_id, page, position)) from internal.observations"
            ).fetchone() == (0,)
            assert connection.execute(
                "select count(*) from (select observed_at <= lag(observed_at) over "
                "(partition by event_type, subscription_id order by fetch_id) as back from raw.fetches) where back"
            ).fetchone() == (0,)

    def teardown(self):
        if not getattr(self, "snapshots", 0):
            return
        with open_for_writing(self.path) as connection:
            normalize(connection, Normalization().build_mapping())
            incremental = connection.execute(EVENTS).fetchall()
            whole = connection.execute("select * from ocsf.assessment_findings order by all").fetchall()
            delete_findings(connection)
            normalize(connection, Normalization().build_mapping())
            rebuilt = connection.execute("select * from ocsf.assessment_findings order by all").fetchall()
        assert incremental == sorted(
            self.model.events, key=lambda row: tuple((value is None, value) for value in row)
        ), "the store and the model differ"
        assert rebuilt == whole, "the rebuilt findings differ from the incremental ones"


@pytest.mark.slow
def test_random_lives_are_told_as_the_rules_say_incrementally_and_rebuilt(tmp_path):
    Lives.folder = tmp_path
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=15, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


MFA = "34a42fb3-e6db-409c-b56b-7b1db6b8aee0"


@pytest.mark.slow
def test_a_control_that_vanishes_is_closed_with_its_last_numbers_and_updated_when_it_returns(local_azure, store):
    azure = local_azure(World(subscriptions=2))
    store.use(azure)
    subscription = next(iter(azure.world.subscriptions.values()))
    kept = subscription.counts[MFA] = Counts(3, 1, 0)
    store.sync()
    del subscription.counts[MFA]
    store.sync()
    store.sync()
    subscription.counts[MFA] = kept
    store.sync()
    life = store.query(
        "select activity_name, type_uid, status, compliance.status, unmapped.secure_score.unhealthy_resource_count, "
        "finding_info.first_seen_time = min(time) over (), finding_info.last_seen_time, finding_info.modified_time, "
        "time from ocsf.assessment_findings where finding_info.uid like ? order by time",
        f"%{subscription.subscription_id}%{MFA}",
    )
    assert [row[:6] for row in life] == [
        ("Create", 9940200101, "New", "Fail", 1, True),
        ("Close", 9940200103, "Resolved", "Fail", 1, True),
        ("Update", 9940200102, "New", "Fail", 1, True),
    ]
    assert [row[6] for row in life] == [life[0][8], life[0][8], life[2][8]]
    assert [row[7] for row in life] == [None, None, None]
    with store.warehouse.get_reader() as connection:
        closed = connection.execute(
            "select to_json(f) from ocsf.assessment_findings as f where activity_name = 'Close'"
        ).fetchall()
    assert [find_problems(build_event(row)) for (row,) in closed] == [[]]


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_a_record_that_did_not_change_is_not_stored_again(local_azure, store, times):
    azure = local_azure(World(subscriptions=3))
    store.use(azure)
    store.sync()
    bodies = store.one("select count(*) from internal.record_versions")
    for _ in range(times):
        store.sync()
    assert store.one("select count(*) from internal.record_versions") == bodies == 3 * 16
    assert store.one("select count(*) from raw.secure_score_controls") == 3 * 15 * (times + 1)


@pytest.mark.slow
def test_maintaining_halves_the_past_and_keeps_what_is_known_of_it(local_azure, store):
    azure = local_azure(World(subscriptions=2))
    store.use(azure)
    subscription = next(iter(azure.world.subscriptions.values()))
    for healthy in (1, 2, 3):
        subscription.counts[MFA] = Counts(healthy, 3, 0)
        store.sync()
    # The first two runs become forty and thirty days old.
    for number, ago in ((1, 40), (2, 30)):
        store.write(
            f"update raw.fetches set observed_at = observed_at - interval {ago} day where run_id in (select "
            f"run_id from raw.fetches group by all order by min(fetch_id) limit 1 offset {number - 1})"
        )
    rebuilt = {"ops": {"ocsf__assessment_findings": {"config": {"rebuild": True}}}}
    store.sync(config=rebuilt)
    before = store.query("select * from ocsf.assessment_findings where time_dt > now() - interval 35 day order by all")
    env = store.settings
    done = secscore("maintain", "--retention-days", "20", cwd=store.path.parent, env=env)
    assert "bytes each" in done.stdout
    assert store.query("select * from ocsf.assessment_findings order by all") == before
    assert store.one("select count(distinct run_id) from raw.fetches") == 3
    with store.warehouse.get_connection() as connection:
        delete_findings(connection)
        normalize(connection, Normalization().build_mapping())
    assert store.query("select * from ocsf.assessment_findings order by all") == before
    done = secscore("maintain", cwd=store.path.parent, env={**env, "SECSCORE_RETENTION_DAYS": "soon"}, check=2)
    assert "SECSCORE_RETENTION_DAYS (4 characters) is not a whole number of days" in done.stderr
