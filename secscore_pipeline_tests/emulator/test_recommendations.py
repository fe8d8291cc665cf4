"""The local Azure's assessments and their metadata: what the wire has, and how controls count it."""

import re
import time
import uuid
from collections import defaultdict
from datetime import date, timedelta
from itertools import islice
from types import SimpleNamespace

import pytest
from dotenv import dotenv_values

from secscore_pipeline.emulator.faults import Fault
from secscore_pipeline.emulator.world import BIRTHDAY, Counts, State, World
from secscore_pipeline_tests.cli.test_stopping import begin
from secscore_pipeline_tests.emulator.conftest import SECURITY, Reader

VERSIONS = ("2020-01-01", "2021-06-01", "2025-05-04")
ASSESSMENT = "/providers/microsoft.security/assessments/"


def count_resources(assessments, keys):
    """Count resources as Microsoft documents it: unhealthy if one counted assessment is, healthy if all are."""
    codes = defaultdict(set)
    for assessment in assessments:
        if assessment["name"] in keys:
            codes[assessment["id"].lower().split(ASSESSMENT)[0]].add(assessment["properties"]["status"]["code"])
    unhealthy = sum("Unhealthy" in found for found in codes.values())
    healthy = sum("Healthy" in found and "Unhealthy" not in found for found in codes.values())
    return Counts(healthy, unhealthy, len(codes) - healthy - unhealthy)


def counts_of(control):
    return Counts(
        *(control["properties"][f"{name}ResourceCount"] for name in ("healthy", "unhealthy", "notApplicable"))
    )


def keys_of(control):
    listed = control["properties"]["definition"]["properties"]["assessmentDefinitions"]
    return {one["id"].rsplit("/", 1)[1] for one in listed}


def assert_counts_follow(reader, subscription_id):
    """Assert that each control counts what the assessments say; return how many controls there were."""
    assessments, controls = reader.assessments(subscription_id), reader.controls(subscription_id)
    scope = f"/subscriptions/{subscription_id}"
    previews = {one["name"] for one in reader.metadata(scope) if one["properties"].get("preview")}
    for control in controls:
        assert count_resources(assessments, keys_of(control) - previews) == counts_of(control), control["name"]
    return len(controls)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("options", [{}, {"shared_keys": 3, "custom_controls": 2}])
def test_controls_count_what_the_assessments_say(read, seed, options):
    world = World(seed, subscriptions=4, mixed=True, **options)
    reader = read(world)
    compared = 0
    for days in (0, 1, 45, 46, 200):
        world.simulate_until(BIRTHDAY + timedelta(days=days))
        for identifier, subscription in world.subscriptions.items():
            if subscription.state is not State.FORBIDDEN:
                compared += assert_counts_follow(reader, identifier)
    assert compared > 200


def test_a_key_can_count_in_two_controls(read):
    reader = read(World(seed=2, subscriptions=4, shared_keys=3))
    subscriptions = reader.azure.world.subscriptions
    controls_of = defaultdict(set)
    for control in reader.controls(next(iter(subscriptions))):
        for key in keys_of(control):
            controls_of[key].add(control["name"])
    assert sorted(map(len, controls_of.values()))[-4:] == [1, 2, 2, 2]
    shared = {key for key, controls in controls_of.items() if len(controls) == 2}
    rows = [row for one in subscriptions for row in reader.assessments(one) if row["name"] in shared]
    codes = {row["properties"]["status"]["code"] for row in rows}
    assert codes == {"Healthy", "Unhealthy", "NotApplicable"}


def test_a_subscription_that_is_added_later_or_again_begins_then(read):
    world = World(subscriptions=0)
    reader = read(world)
    subscription_id = str(uuid.UUID(int=1))
    for days in (0, 30, 60):
        world.simulate_until(BIRTHDAY + timedelta(days=days))
        world.add_subscription(subscription_id)
        rows = reader.assessments(subscription_id, "2021-06-01")
        dates = {row["properties"]["status"].get("firstEvaluationDate", "")[:10] for row in rows} - {""}
        assert max(dates) <= str(world.today)
        assert days == 0 or dates == {str(world.today)}
        assert_counts_follow(reader, subscription_id)


def test_a_control_that_no_recommendation_is_known_of_has_no_resources(read):
    world = World(subscriptions=1)
    reader = read(world)
    ((subscription_id, subscription),) = world.subscriptions.items()
    subscription.counts["unknown"] = Counts(1, 1, 1)
    assert assert_counts_follow(reader, subscription_id) == len(subscription.counts) - 1


def test_resources_follow_counts_that_are_set(read):
    world = World(subscriptions=1)
    reader = read(world)
    (subscription_id, subscription), *_ = world.subscriptions.items()
    world.simulate_until(BIRTHDAY + timedelta(days=3))
    mfa, ports, *_ = subscription.counts
    for counts in ({mfa: Counts(3, 2, 1), ports: Counts(0, 0, 4)}, {mfa: Counts(1, 4, 0)}, {mfa: Counts(0, 0, 0)}, {}):
        subscription.counts = counts
        assert_counts_follow(reader, subscription_id)


def test_controls_can_drift_behind_the_assessments(read):
    world, punctual = World(subscriptions=3, drift=2), World(subscriptions=3)
    reader = read(world)
    world.simulate_until(BIRTHDAY + timedelta(days=20))
    punctual.simulate_until(BIRTHDAY + timedelta(days=18))
    for subscription_id, other in punctual.subscriptions.items():
        assert reader.controls(subscription_id) == punctual.controls(other, "ascScore", expand=True)
        scores = reader.rows(f"/subscriptions/{subscription_id}{SECURITY}/secureScores")
        assert scores == punctual.scores(other)
    with pytest.raises(AssertionError):
        assert sum(assert_counts_follow(reader, subscription_id) for subscription_id in world.subscriptions)


def test_who_asks_for_scores_alone_makes_no_recommendations(read):
    world = World(subscriptions=2)
    reader = read(world)
    for subscription_id in world.subscriptions:
        assert reader.controls(subscription_id)
    world.simulate_until(BIRTHDAY + timedelta(days=2))
    assert "catalogue" not in vars(world)


def test_a_world_has_as_many_assessments_as_it_should_and_as_many_change(read):
    world = World(subscriptions=4, assessments=800, changing=0.03)
    reader = read(world, page_size=100)
    before = {}
    shares = []
    for days in range(16):
        world.simulate_until(BIRTHDAY + timedelta(days=days))
        rows = [row for one in world.subscriptions for row in reader.assessments(one)]
        codes = {row["id"].lower(): row["properties"]["status"]["code"] for row in rows}
        if before:
            changed = {key for key in before.keys() | codes.keys() if before.get(key) != codes.get(key)}
            shares.append(len(changed) / len(before))
        else:
            assert len(codes) == len(rows) == pytest.approx(4 * 800, rel=0.03)
        before = codes
    assert sum(shares) / len(shares) == pytest.approx(0.03, rel=0.4)


def test_dates_say_when_a_state_changed(read):
    world = World(subscriptions=3, changing=0.05)
    reader = read(world)
    before = {}
    seen = {"same": 0, "changed": 0, "new": 0, "undated": 0}
    for days in range(5, 12):
        world.simulate_until(BIRTHDAY + timedelta(days=days))
        today = f"{world.today}T"
        now = {
            row["id"]: row["properties"]["status"]
            for one in world.subscriptions
            for row in reader.assessments(one, "2021-06-01")
        }
        for key, status in now.items() if before else ():
            was = before.get(key)
            if "statusChangeDate" not in status:
                assert "firstEvaluationDate" not in status
                seen["undated"] += 1
            elif was is None:
                assert status["firstEvaluationDate"] == status["statusChangeDate"]
                assert status["statusChangeDate"].startswith(today)
                seen["new"] += 1
            else:
                assert status["firstEvaluationDate"] == was["firstEvaluationDate"]
                assert status["statusChangeDate"].startswith(today) == (status["code"] != was["code"])
                if status["code"] == was["code"]:
                    assert status == was
                seen["changed" if status["code"] != was["code"] else "same"] += 1
        before = now
    assert all(seen.values()), seen
    instants = [status["statusChangeDate"] for status in before.values() if "statusChangeDate" in status]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", instant) for instant in instants)


def test_each_version_adds_what_it_is_known_for(read):
    reader = read(World(subscriptions=1))
    (subscription_id,) = reader.azure.world.subscriptions
    rows = {version: reader.assessments(subscription_id, version) for version in VERSIONS}
    dated = {
        version: sum("statusChangeDate" in row["properties"]["status"] for row in rows[version]) for version in VERSIONS
    }
    risky = {version: sum("risk" in row["properties"] for row in rows[version]) for version in VERSIONS}
    total = len(rows["2020-01-01"])
    assert dated["2020-01-01"] == risky["2020-01-01"] == risky["2021-06-01"] == 0
    assert 0 < dated["2021-06-01"] == dated["2025-05-04"] < total
    assert 0 < risky["2025-05-04"] < total
    for older, newer in zip(rows["2020-01-01"], rows["2025-05-04"], strict=True):
        newer["properties"].pop("risk", None)
        for name in ("firstEvaluationDate", "statusChangeDate"):
            newer["properties"]["status"].pop(name, None)
        assert newer == older
    metadata = {version: reader.metadata(version=version) for version in VERSIONS}
    assert not any("publishDates" in one["properties"] for one in metadata["2020-01-01"])
    assert all("publishDates" in one["properties"] and one["properties"]["tactics"] for one in metadata["2021-06-01"])


def test_the_wire_is_as_odd_as_azures(read):
    reader = read(World(subscriptions=3))
    rows = [row for one in reader.azure.world.subscriptions for row in reader.assessments(one)]
    metadata = {one["name"]: one["properties"] for one in reader.metadata()}
    ids = {row["properties"]["resourceDetails"].get("Id") for row in rows} - {None}
    assert len({one.lower() for one in ids}) < len(ids)
    assert any("/resourcegroups/" in one for one in ids)
    assert any("/resourceGroups/RG-" in one for one in ids)
    assert {f"/subscriptions/{one}" for one in reader.azure.world.subscriptions} < ids
    causes = {(row["properties"]["status"]["code"], row["properties"]["status"].get("cause")) for row in rows}
    assert causes >= {
        ("NotApplicable", "OffByPolicy"), ("NotApplicable", "NA"), ("NotApplicable", "Exempt"), ("NotApplicable", None),
        ("Healthy", "JitIsEnabled"), ("Unhealthy", "ManagementPortsAreOpenToAllSources"),
    }  # fmt: skip
    exempt = {
        row["properties"]["status"]["description"]
        for row in rows
        if row["properties"]["status"].get("cause") == "Exempt"
    }
    assert len(exempt) == 2
    assert all("metadata" not in row["properties"] and "links" not in row["properties"] for row in rows)
    clouds = {row["properties"]["resourceDetails"]["Source"]: row["properties"]["resourceDetails"] for row in rows}
    assert clouds["Aws"].keys() == {"Source", "ConnectorId", "AwsResourceId", "AzureResourceId"}
    more = [row["properties"].get("additionalData", {}) for row in rows]
    assert any("OS Type" in one for one in more)
    assert any(one.get("appGatewaysHasPublicIp") == "True" for one in more)
    assert {type(value) for one in more for value in one.values()} == {str}
    previews = {key for key, one in metadata.items() if "preview" in one}
    assert all(metadata[key]["preview"] is True for key in previews)
    assert any(row["name"] in previews and row["properties"]["status"]["code"] == "Unhealthy" for row in rows)
    named = {bool(re.search(r"[(\[]Preview[)\]]", metadata[key]["displayName"])) for key in previews}
    assert named == {True, False}
    controlled = {
        key for one in reader.azure.world.subscriptions for control in reader.controls(one) for key in keys_of(control)
    }
    missing = controlled - metadata.keys()
    assert missing & {row["name"] for row in rows}
    assert {row["name"] for row in rows} - controlled - metadata.keys()
    assert metadata.keys() - controlled - previews
    by_title = defaultdict(set)
    for one in metadata.values():
        by_title[one["displayName"]].add(one.get("policyDefinitionId"))
    assert len(by_title) == len(metadata) - 1
    assert all(len(policies) == 1 for policies in by_title.values())
    policies = [one["policyDefinitionId"] for one in metadata.values() if "policyDefinitionId" in one]
    assert {one.split("/")[2] for one in policies} == {"Microsoft.Authorization", "microsoft.authorization"}
    texts = [one["remediationDescription"] for one in metadata.values()]
    assert "" in texts
    assert all(any(form in text for text in texts) for form in ("&lt;br&gt;", "<br>\n", "<br>1.", "<li>", "<a href"))
    assert {threat for one in metadata.values() for threat in one["threats"]} >= {"DataExfiltration", "AccountBreach"}


def test_a_subscription_has_metadata_of_its_own(read):
    reader = read(World(subscriptions=2, custom_controls=1))
    first, second = reader.azure.world.subscriptions
    tenant = {one["name"] for one in reader.metadata()}
    own = {one["name"]: one for one in reader.metadata(f"/subscriptions/{first}")}
    types = sorted(own[key]["properties"]["assessmentType"] for key in own.keys() - tenant)
    assert types == ["CustomPolicy"] * 3 + ["CustomerManaged"]
    assert tenant < own.keys()
    assert len(own.keys() & {one["name"] for one in reader.metadata(f"/subscriptions/{second}")}) == len(own) - 1
    (key,) = [key for key in own.keys() - tenant if own[key]["properties"]["assessmentType"] == "CustomerManaged"]
    assert [row["name"] for row in reader.assessments(first)].count(key) == 1
    path = f"{SECURITY}/assessmentMetadata/{key.upper()}"
    assert reader.get(f"/subscriptions/{first}{path}").json() == own[key]
    for scope in ("", f"/subscriptions/{second}"):
        answer = reader.get(scope + path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ResourceNotFound")


def test_one_assessment_is_read_by_its_id_and_expanded(read):
    reader = read(World(subscriptions=1))
    (subscription_id,) = reader.azure.world.subscriptions
    metadata = {one["name"]: one["properties"] for one in reader.metadata(f"/subscriptions/{subscription_id}")}
    rows = reader.assessments(subscription_id)
    listed = {row["name"] in metadata: row for row in rows}
    assert listed.keys() == {True, False}
    for has_metadata, row in listed.items():
        assert reader.get(row["id"].upper().replace("/SUBSCRIPTIONS", "/subscriptions")).json() == row
        found = reader.get(row["id"], **{"$expand": "links,metadata"}).json()
        more = {name: found["properties"].pop(name) for name in ("links", "metadata") if name in found["properties"]}
        assert found == row
        assert more.get("metadata") == metadata.get(row["name"])
        assert more["links"]["azurePortalUri"].startswith("https://portal.azure.com/")
        assert ("metadata" in more) == has_metadata
    assert reader.get(rows[0]["id"], **{"$expand": "links"}).json()["properties"].keys() >= {"links"}
    list_path = f"/subscriptions/{subscription_id}{SECURITY}/assessments"
    assert reader.rows(list_path, **{"$expand": "metadata"}) == rows
    answer = reader.get(rows[0]["id"][:-4] + "ffff")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ResourceNotFound")


@pytest.mark.parametrize("kind", ["assessments", "assessmentMetadata"])
def test_recommendations_are_refused_as_scores_are(read, kind):
    world = World(subscriptions=0)
    states = {state: str(uuid.UUID(int=number)) for number, state in enumerate(State, 1)}
    for state, subscription_id in states.items():
        world.add_subscription(subscription_id, state)
    reader = read(world)

    def ask(state, version="2021-06-01"):
        return reader.get(f"/subscriptions/{states[state]}{SECURITY}/{kind}", version)

    for state, status, code in [
        (State.FORBIDDEN, 403, "AuthorizationFailed"),
        (State.UNREGISTERED, 404, "Subscription Not Registered"),
        (State.FOREIGN, 401, "InvalidAuthenticationTokenTenant"),
        (State.UNSUPPORTED, 400, "DisallowedOperation"),
    ]:
        assert (ask(state).status_code, ask(state).json()["error"]["code"]) == (status, code)
    assert f"'Microsoft.Security/{kind}/read'" in ask(State.FORBIDDEN).json()["error"]["message"]
    assert ask(State.NORMAL).json()["value"]
    if kind == "assessments":
        assert ask(State.DISABLED).json() == ask(State.UNSCORED).json() == {"value": []}
    for version in ("2019-01-01-preview", "2025-05-05"):
        refused = ask(State.NORMAL, version)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "InvalidApiVersionParameter")
        assert f"'{','.join(VERSIONS)}'" in refused.json()["error"]["message"]


def test_pages_have_all_rows_once(read):
    world = World(subscriptions=1)
    (subscription_id,) = world.subscriptions
    path = f"/subscriptions/{subscription_id}{SECURITY}/assessments"
    (whole,) = read(world).pages(path, "2025-05-04")
    pages = list(read(world, page_size=7).pages(path, "2025-05-04"))
    assert [row for page in pages for row in page["value"]] == whole["value"]
    assert {len(page["value"]) for page in pages[:-1]} == {7}
    assert "nextLink" not in pages[-1]


@pytest.mark.parametrize("page_size", [None, 20])
def test_pages_can_be_empty_or_repeat_themselves_or_end_in_an_empty_one(read, page_size):
    world = World(subscriptions=1)
    reader = read(world, page_size=page_size)
    (subscription_id,) = world.subscriptions
    path = f"/subscriptions/{subscription_id}{SECURITY}/assessments"
    rows = reader.rows(path)

    reader.azure.faults[:] = [Fault.parse("empty:path=/assessments,times=3")]
    pages = list(reader.pages(path))
    assert [len(page["value"]) for page in pages[:3]] == [0, 0, 0]
    assert len({page["nextLink"] for page in pages[:3]}) == 3
    assert [row for page in pages for row in page["value"]] == rows

    reader.azure.faults[:] = [Fault.parse("trail:path=/assessments")]
    *pages, last = reader.pages(path)
    assert last == {"value": []}
    assert pages[-1]["nextLink"].endswith("NextLink=_multiCloud")
    assert [row for page in pages for row in page["value"]] == rows

    reader.azure.faults[:] = [Fault.parse("repeat:path=/assessments")]
    first, second, third = islice(reader.pages(path), 3)
    assert first == second == third
    assert first["value"]


def test_a_list_can_fail_or_be_slow(read):
    world = World(subscriptions=2)
    reader = read(world)
    first, second = world.subscriptions
    reader.azure.faults += [
        Fault.parse(f"status:path={first}.*/assessments,status=500"),
        Fault.parse("slow:path=/assessmentMetadata,seconds=0.3"),
        Fault.parse("empty:path=/nothing"),
    ]
    assert reader.get(f"/subscriptions/{first}{SECURITY}/assessments").status_code == 500
    assert reader.assessments(second)
    begin = time.monotonic()
    assert reader.metadata()
    assert time.monotonic() - begin >= 0.3


def test_a_page_that_is_none_stays_as_it_is(read):
    reader = read(World(subscriptions=1))
    reader.azure.faults += [Fault.parse("empty:path=/assessments")]
    answer = reader.get(f"/subscriptions/nonsense{SECURITY}/assessments")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidSubscriptionId")


def test_bodies_can_be_served_as_they_are(read):
    reader = read(World(subscriptions=1))
    (subscription_id,) = reader.azure.world.subscriptions
    reader.azure.arm.verbatim[subscription_id, "assessments"] = b'{"value":[{"id":"one"}]}'
    reader.azure.arm.verbatim["", "assessmentMetadata"] = b'{"value":[]}'
    assert reader.assessments(subscription_id) == [{"id": "one"}]
    assert reader.metadata() == []
    assert reader.metadata(f"/subscriptions/{subscription_id}")


def test_asking_earlier_changes_no_later_answer(read):
    day = BIRTHDAY + timedelta(days=40)
    early, late = World(seed=4, subscriptions=2), World(seed=4, subscriptions=2)
    reader, other = read(early), read(late)
    for days in (0, 7, 8):
        early.simulate_until(BIRTHDAY + timedelta(days=days))
        assert all(reader.assessments(subscription_id) for subscription_id in early.subscriptions)
    for world in (early, late):
        world.simulate_until(day)
    for subscription_id in late.subscriptions:
        rows = other.assessments(subscription_id, "2025-05-04")
        assert reader.assessments(subscription_id, "2025-05-04") == rows


def test_the_command_serves_recommendations_as_its_options_say(tmp_path):
    file = tmp_path / "azure.env"
    options = [
        "--subscriptions", "1", "--assessments", "60", "--changing", "0.05", "--shared-keys", "3", "--drift", "1",
        "--date", "2026-01-20", "--page-size", "25", "--fault", "trail:path=/assessments",
    ]  # fmt: skip
    with begin(tmp_path, "emulator", "--env-file", str(file), *options) as process:
        assert "Local Azure" in process.stdout.readline()
        assert "Settings" in process.stdout.readline()
        written = dotenv_values(file)
        azure = SimpleNamespace(
            url=written["SECSCORE_ARM_ENDPOINT"],
            ca_bundle=written["SECSCORE_CA_BUNDLE"],
            application=SimpleNamespace(client_id=written["AZURE_CLIENT_ID"], secret=written["AZURE_CLIENT_SECRET"]),
            world=SimpleNamespace(tenant_id=written["AZURE_TENANT_ID"]),
        )
        reader = Reader(azure)
        subscription_id = written["AZURE_SUBSCRIPTION_IDS"]
        *pages, last = reader.pages(f"/subscriptions/{subscription_id}{SECURITY}/assessments", "2025-05-04")
        controls = reader.controls(subscription_id)
        process.terminate()
    world = World(subscriptions=1, assessments=60, changing=0.05, shared_keys=3, drift=1)
    world.simulate_until(date(2026, 1, 20))
    (subscription,) = world.subscriptions.values()
    assert last == {"value": []}
    assert [len(page["value"]) for page in pages[:-1]] == [25] * (len(pages) - 1)
    assert sum(len(page["value"]) for page in pages) == len(world.list_assessments(subscription))
    assert controls == world.controls(subscription, "ascScore", expand=True)
    assert sum(len(keys_of(one)) for one in controls) > len(set().union(*map(keys_of, controls)))
