"""The pipeline on real input: Microsoft's published examples and recorded bodies, compared number by number."""

import json

import pytest

from secscore_pipeline.emulator.world import World
from secscore_pipeline.ocsf.validation import build_event, find_problems
from secscore_pipeline_tests.conftest import failed_checks

EXAMPLES = "azure/spec-2020-01-01/examples/secureScores"
LIST = "ListSecureScores_example.json"
LIST_WITH_DEFINITIONS = "ListSecureScoreControlsForNameWithExpand_builtin_example.json"


def example(shared, name):
    """Return the body of one of Microsoft's published examples, as it would be sent."""
    document = json.loads((shared / EXAMPLES / name).read_text())["responses"]["200"]["body"]
    return json.dumps(document, separators=(",", ":")).encode()


def stored_numbers(store, event_code):
    return store.query(
        'select metadata.original_event_uid, unmapped.secure_score."current", unmapped.secure_score."max", '
        "unmapped.secure_score.percentage, unmapped.secure_score.weight, "
        "unmapped.secure_score.healthy_resource_count, unmapped.secure_score.unhealthy_resource_count, "
        "unmapped.secure_score.not_applicable_resource_count from ocsf.assessment_findings "
        "where metadata.event_code = ? order by all",
        event_code,
    )


def numbers_in(body):
    rows = []
    for record in body["value"]:
        properties = record["properties"]
        score = properties["score"]
        rows.append(
            (
                record["id"], score["current"], score["max"], score["percentage"], properties["weight"],
                properties.get("healthyResourceCount"), properties.get("unhealthyResourceCount"),
                properties.get("notApplicableResourceCount"),
            )
        )  # fmt: skip
    return sorted(rows)


def published(shared):
    return "20ff7fc3-e762-44dd-bd96-b71116dcdc23", example(shared, LIST), example(shared, LIST_WITH_DEFINITIONS)


def recorded(shared):
    folder = shared / "azure" / "recorded"
    bodies = [(folder / f"{name}.list.json").read_bytes() for name in ("secureScores", "secureScoreControls")]
    return "00000000-0000-0000-0000-000000000000", *bodies


@pytest.mark.slow
@pytest.mark.parametrize("source", [published, recorded])
def test_the_numbers_in_duckdb_are_the_numbers_in_the_files(local_azure, store, shared, source):
    subscription_id, scores, controls = source(shared)
    world = World(subscriptions=0)
    world.add_subscription(subscription_id)
    azure = local_azure(world)
    azure.arm.verbatim[subscription_id, "secureScores"] = scores
    azure.arm.verbatim[subscription_id, "secureScoreControls"] = controls
    store.use(azure)
    assert failed_checks(store.sync()) == set()
    assert stored_numbers(store, "secureScores") == numbers_in(json.loads(scores))
    assert stored_numbers(store, "secureScoreControls") == numbers_in(json.loads(controls))
    texts = [record for (record,) in store.query("select record from raw.secure_score_controls order by position")]
    assert b",".join(text.encode() for text in texts) in controls
    findings = [build_event(row) for (row,) in store.query("select to_json(f) from ocsf.assessment_findings as f")]
    assert [find_problems(finding) for finding in findings if find_problems(finding)] == []


OURS_ALONE = {
    ("time",), ("time_dt",), ("metadata", "uid"), ("metadata", "correlation_uid"), ("metadata", "tenant_uid"),
    ("metadata", "logged_time"), ("metadata", "logged_time_dt"), ("cloud", "org"), ("cloud", "cloud_partition"),
    ("finding_info", "src_url"), ("raw_data",), ("raw_data_size",), ("raw_data_hash",), ("resources",),
    ("activity_id",), ("activity_name",), ("type_uid",), ("type_name",), ("compliance", "checks"),
    *(("finding_info", f"{name}_time{dt}") for name in ("created", "first_seen", "last_seen") for dt in ("", "_dt")),
}  # fmt: skip
"""What differs from the samples by nature: the run's time and place, and the shortened definitions of the samples."""


def leaves(value, path=()):
    if path in OURS_ALONE:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    else:
        yield path, value


@pytest.mark.parametrize(
    "sample", ["secure_score.create", "control_fail.create", "control_pass.update", "control_unscored_pass.create"]
)
def test_a_finding_reads_as_its_sample(local_azure, store, shared, sample):
    subscription_id = "20ff7fc3-e762-44dd-bd96-b71116dcdc23"
    world = World(subscriptions=0)
    world.add_subscription(subscription_id)
    azure = local_azure(world)
    azure.arm.verbatim[subscription_id, "secureScores"] = example(shared, LIST)
    azure.arm.verbatim[subscription_id, "secureScoreControls"] = example(shared, LIST_WITH_DEFINITIONS)
    store.use(azure, SECSCORE_ENTITIES="off")  # the samples carry no names
    store.sync()
    wanted = json.loads((shared / "ocsf" / "samples" / f"{sample}.json").read_text())
    assert find_problems(wanted) == []
    ((row,),) = store.query(
        "select to_json(f) from ocsf.assessment_findings as f where finding_info.uid = ?", wanted["finding_info"]["uid"]
    )
    assert dict(leaves(build_event(row))) == dict(leaves(wanted))
