"""Whatever number stands where one may: the record is kept, and no view, report or export fails of it."""

import json
from functools import partial

import pytest

from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.registry import EXPORTS
from secscore_pipeline.exports.destination import Destination
from secscore_pipeline.exports.export import Lake, export
from secscore_pipeline.ocsf.mapping import Normalization
from secscore_pipeline.posture.status import read_status
from secscore_pipeline.report.page import read_report
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.rows import FetchRow
from secscore_pipeline.warehouse.spool import open_spool
from secscore_pipeline.warehouse.store import load_fetches, normalize

NUMBERS = [
    "2147483648", "-2147483649", "9223372036854775807", "-9223372036854775808", "1e308", "-1e308", "1e309", "5e-324",
    "-1", "0", "-0.0", "1.5", "NaN", "Infinity", "-Infinity", '"inf"', '"nan"', "9" * 5000, "-" + "9" * 5000,
    "null", "true", "[]", "{}",
]  # fmt: skip
FIELDS = (
    "current", "max", "percentage", "weight", "healthyResourceCount", "unhealthyResourceCount",
    "notApplicableResourceCount", "maxScore",
)  # fmt: skip
TENANT = "00000000-0000-0000-0000-0000000000ff"


def record(subscription, kind, key, numbers):
    """Return a record as Azure would send it, with numbers that no writer of JSON would write."""
    place = f"/subscriptions/{subscription}/providers/Microsoft.Security/secureScores/ascScore"
    text = json.dumps(
        {
            "id": place if kind == "secure_scores" else f"{place}/secureScoreControls/{key}",
            "name": "ascScore" if kind == "secure_scores" else key,
            "properties": {
                "displayName": "A name",
                "score": {name: f"@{name}@" for name in ("max", "current", "percentage")},
                "weight": "@weight@",
                **({name: f"@{name}@" for name in FIELDS if "Count" in name} if kind != "secure_scores" else {}),
                "definition": {"name": key, "properties": {"displayName": key, "maxScore": "@maxScore@"}},
            },
        }
    )
    for name, number in numbers.items():
        text = text.replace(f'"@{name}@"', number)
    return text


@pytest.fixture(scope="module")
def hostile(module_store):
    """Return a store in which each number stands in each field, and in all; twice, the second time elsewhere."""
    usual = dict.fromkeys(FIELDS, "5") | {"max": "10", "percentage": "0.5", "weight": "3"}
    sets = [{**usual, field: number} for field in FIELDS for number in NUMBERS]
    sets += [dict.fromkeys(FIELDS, number) for number in NUMBERS]
    with module_store.warehouse.get_connection() as connection:
        for run, order in (("first", 1), ("second", -1)):
            for kind in ("secure_score_controls", "secure_scores"):
                store_run(connection, module_store, run, kind, sets[::order])
            normalize(connection, Normalization().build_mapping())
    module_store.warehouse.publish()
    return module_store


def store_run(connection, store, run, kind, sets):
    """Store a record for each set of numbers: a score or four controls for each subscription."""
    now, size = utc_now(), 1 if kind == "secure_scores" else 4
    with open_spool(store.path) as spool:
        for first in range(0, len(sets), size):
            subscription, group = f"00000000-0000-0000-0000-{first:012}", sets[first : first + size]
            fetch = (run, TENANT, subscription, kind, now, now, "complete", 200, None, None, 1, len(group), ())
            spool.add_fetch(FetchRow(*fetch, "https://arm", "cloud"))
            texts = [record(subscription, kind, f"control-{place}", numbers) for place, numbers in enumerate(group, 1)]
            spool.add_records(subscription, 1, texts)
        spool.close()
        load_fetches(connection, spool, run, kind, now)


def test_every_view_can_be_read_in_full_and_adds_up_to_finite_numbers(hostile):
    views = [view for (view,) in hostile.query(load_sql("warehouse/list_views"))]
    assert len(views) > 20
    for view in views:
        assert hostile.query(f"from {view}") is not None, view
    assert hostile.one("select count(*) from posture.tenant_score") > 0
    finite = "isfinite(percentage) and isfinite(points) and isfinite(points_max) and isfinite(cast(weight as double))"
    assert hostile.one(f"select count(*) from posture.tenant_score where not ({finite})") == 0
    assert (
        hostile.one(
            "select count(*) from posture.changes where not isfinite(points) or not isfinite(percentage_change)"
        )
        == 0
    )


def test_every_record_is_kept_as_it_came(hostile):
    assert hostile.one("select count(*) > 0 from raw.records where contains(record, repeat('9', 5000))")
    assert hostile.one("select count(*) > 0 from raw.records where contains(record, '1e308')")


def test_every_export_report_and_status_can_be_made(hostile, tmp_path):
    with hostile.warehouse.get_published(reachable=[tmp_path]) as connection:
        for form in EXPORTS:
            made = tmp_path / f"making-{form}"
            made.mkdir()
            destination = Destination(str(tmp_path / form))
            done = export(connection, form, destination, Lake("source", "local"), made, report=partial(str))
            assert done.rows > 0
        assert "inf" not in json.dumps(read_status(connection, [], utc_now()).scores, default=str).lower()
        assert read_report(connection, utc_now()).page()
