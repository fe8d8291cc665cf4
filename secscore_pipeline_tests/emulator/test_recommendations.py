"""The local Azure's assessments and their metadata: what the wire has, and how controls count it."""

from collections import defaultdict
from datetime import timedelta

import pytest

from secscore_pipeline.emulator.world import BIRTHDAY, Counts, State, World
from secscore_pipeline_tests.emulator.test_emulator import get, token_of

VERSIONS = ("2020-01-01", "2021-06-01", "2025-05-04")
SECURITY = "/providers/Microsoft.Security"
ASSESSMENT = "/providers/microsoft.security/assessments/"


class Reader:
    """Reads lists of a local Azure, following each nextLink."""

    def __init__(self, azure):
        self.azure = azure
        self.token = token_of(azure).json()["access_token"]

    def get(self, path, version="2020-01-01", **parameters):
        return get(self.azure, path, self.token, **{"api-version": version}, **parameters)

    def pages(self, path, version="2020-01-01", **parameters):
        body = self.get(path, version, **parameters).json()
        yield body
        while "nextLink" in body:
            body = get(self.azure, body["nextLink"].removeprefix(self.azure.url), self.token).json()
            yield body

    def rows(self, path, version="2020-01-01", **parameters):
        return [row for page in self.pages(path, version, **parameters) for row in page["value"]]

    def assessments(self, subscription_id, version="2020-01-01"):
        return self.rows(f"/subscriptions/{subscription_id}{SECURITY}/assessments", version)

    def controls(self, subscription_id):
        path = f"/subscriptions/{subscription_id}{SECURITY}/secureScoreControls"
        return self.rows(path, **{"$expand": "definition"})

    def metadata(self, scope="", version="2020-01-01"):
        return self.rows(f"{scope}{SECURITY}/assessmentMetadata", version)


@pytest.fixture
def read(local_azure):
    return lambda *given, **options: Reader(local_azure(*given, **options))


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
    world = World(seed, subscriptions=5, mixed=True, **options)
    reader = read(world)
    compared = 0
    for days in (0, 1, 2, 45, 46, 200):
        world.live_until(BIRTHDAY + timedelta(days=days))
        for identifier, subscription in world.subscriptions.items():
            if subscription.state is not State.FORBIDDEN:
                compared += assert_counts_follow(reader, identifier)
    assert compared > 300
