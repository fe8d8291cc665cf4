"""Several connections into one database: feeds.yaml is checked line by line, and no feed touches another."""

import json
import os
import re
from pathlib import Path

import dagster as dg
import pytest

from secscore_pipeline.config.feeds import read_feeds
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.world import World
from secscore_pipeline_tests.conftest import failed_checks, secscore
from testbed.receiver import Receiver

TENANT = "0f0f0f0f-1111-2222-3333-444455556666"
FEED = f"""feeds:
  - name: contoso
    tenant_id: {TENANT}
    client_id: 0f0f0f0f-1111-2222-3333-444455557777
    credential:
      secret: {{env: CONTOSO_SECRET}}
"""


@pytest.fixture
def feeds(tmp_path, monkeypatch):
    def read(text):
        path = tmp_path / "feeds.yaml"
        path.write_text(text)
        monkeypatch.setenv("SECSCORE_FEEDS", str(path))
        return read_feeds()

    return read


def test_without_the_file_the_settings_are_the_only_feed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (feed,) = read_feeds()
    assert (feed.name, feed.resource_key, feed.settings) == ("default", "azure", None)


def test_a_feed_says_everything_that_the_settings_can(feeds):
    (feed,) = feeds(
        FEED
        + """      secret_expires: 2027-01-31
    cloud: AzureUSGovernment
    subscriptions: ["*"]
    management_group: corp
    include: [prod-*, "*-live"]
    event_types: [secure_scores]
    schedule: 0 */6 * * *
    time_zone: Europe/Berlin
    owner: posture team
    contact: posture@example.com
"""
    )
    assert feed.settings == {
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": "0f0f0f0f-1111-2222-3333-444455557777",
        "SECSCORE_SECRET_EXPIRES": "2027-01-31",
        "AZURE_CLOUD": "AzureUSGovernment",
        "AZURE_SUBSCRIPTION_IDS": "*",
        "AZURE_MANAGEMENT_GROUP_ID": "corp",
        "SECSCORE_INCLUDE": "prod-*,*-live",
        "SECSCORE_EVENT_TYPES": "secure_scores",
    }
    assert feed.secrets == {"AZURE_CLIENT_SECRET": "CONTOSO_SECRET"}
    assert (feed.schedule, feed.time_zone, feed.owner) == ("0 */6 * * *", "Europe/Berlin", "posture team")


def test_the_file_that_the_documentation_shows_is_right(feeds):
    page = (Path(__file__).parents[2] / "docs" / "connect.md").read_text()
    contoso, fabrikam = feeds(re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1])
    assert contoso.secrets == {"AZURE_CLIENT_SECRET": "CONTOSO_SECRET"}
    assert fabrikam.settings["AZURE_CLIENT_CERTIFICATE_PATH"] == "/etc/secscore/fabrikam.pem"


MARKED = "s3cr3t~Value"
WRONG = {
    "a secret in the file": (FEED.replace("{env: CONTOSO_SECRET}", MARKED), 6, "{env: NAME}"),
    "a secret under a name of its own": (FEED + f"    client_secret: {MARKED}\n", 7, "(13 characters) is not known"),
    "a secret for a variable's name": (FEED.replace("CONTOSO_SECRET", MARKED), 6, "in capitals"),
    "a secret in place of a tenant": (FEED.replace(TENANT, MARKED), 3, "the Entra tenant"),
    "no tenant": (FEED.replace(f"    tenant_id: {TENANT}\n", ""), 2, "tenant_id is missing"),
    "no name": ("feeds:\n  - tenant_id: x\n    credential: {managed_identity: true}\n", 2, "name is missing"),
    "no feeds": ("feeds: []\n", 1, "at least one feed"),
    "a list": ("- name: contoso\n", 1, "one list called feeds"),
    "a client id that is no GUID": (FEED.replace("0f0f0f0f-1111-2222-3333-444455557777", "me"), 4, "a GUID"),
    "an unknown cloud": (FEED + "    cloud: Azur\n", 7, "AzureUSGovernment"),
    "an unknown event type": (FEED + "    event_types:\n      - secure_scores\n      - scores\n", 9, "secure_scores"),
    "no cron": (FEED + "    schedule: daily\n", 7, "cron"),
    "no time zone": (FEED + "    schedule: 0 5 * * *\n    time_zone: Mars/Olympus\n", 8, "time zone"),
    "a key twice": (FEED + f"    tenant_id: {TENANT}\n", 7, "this key stands twice"),
    "no YAML": (FEED + "   x: [\n", 7, "is no YAML"),
    "a tag": (FEED + "    owner: !!python/object/apply:os.system [ls]\n", 7, "the team"),
    "one name twice": (FEED + FEED.removeprefix("feeds:\n"), 7, "the name 'contoso'"),
    "the same subscription twice": (
        FEED + f"    subscriptions: [{TENANT}]\n" + FEED.removeprefix("feeds:\n").replace("contoso", "other")
        + f"    subscriptions:\n      - {TENANT.upper()}\n",
        8, f"the subscription {TENANT}",
    ),
    "the same tenant whole, twice": (
        FEED + FEED.removeprefix("feeds:\n").replace("contoso", "other"), 7, "the same subscriptions",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told_with_its_line_and_without_a_secret(feeds, case):
    text, line, says = WRONG[case]
    with pytest.raises(SettingsError) as wrong:
        feeds(text)
    found = str(wrong.value)
    assert f"line {line}: " in found
    assert says in found
    assert MARKED not in found
    assert found.endswith("[feeds-malformed]")


def test_a_file_that_is_named_and_absent_is_a_mistake(monkeypatch):
    monkeypatch.setenv("SECSCORE_FEEDS", "nowhere.yaml")
    with pytest.raises(SettingsError, match=r"SECSCORE_FEEDS=\./nowhere.yaml is no file"):
        read_feeds()


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"a" + b"[" * 50_000, b"feeds: &a [*a]", b"feeds: " + b"[" * 50_000, b"\x00"]
)
def test_what_is_no_such_file_at_all_is_a_sentence(tmp_path, monkeypatch, content):
    path = tmp_path / "feeds.yaml"
    path.write_bytes(content)
    monkeypatch.setenv("SECSCORE_FEEDS", str(path))
    with pytest.raises(SettingsError, match="feeds-malformed"):
        read_feeds()


def test_a_folder_is_no_file_of_feeds(tmp_path, monkeypatch):
    monkeypatch.setenv("SECSCORE_FEEDS", str(tmp_path))
    with pytest.raises(SettingsError, match="is no file"):
        read_feeds()


class Two:
    """Two tenants, each with a local Azure of its own, and a file with a feed of each."""

    def __init__(self, local_azure, folder):
        self.folder = folder
        self.azures = {"north": local_azure(World(1, subscriptions=2)), "south": local_azure(World(2, subscriptions=3))}
        self.environment = {}
        entries = []
        for name, azure in self.azures.items():
            given = azure.settings()
            self.environment[f"{name.upper()}_SECRET"] = given["AZURE_CLIENT_SECRET"]
            entries.append(
                {
                    "name": name,
                    "tenant_id": given["AZURE_TENANT_ID"],
                    "client_id": given["AZURE_CLIENT_ID"],
                    "credential": {"secret": {"env": f"{name.upper()}_SECRET"}},
                    "authority_host": given["AZURE_AUTHORITY_HOST"],
                    "arm_endpoint": given["SECSCORE_ARM_ENDPOINT"],
                    "ca_bundle": given["SECSCORE_CA_BUNDLE"],
                    "subscriptions": ["*"],
                    "owner": f"team {name}",
                }
            )
        self.entries = entries
        self.write()

    def write(self):
        (self.folder / "feeds.yaml").write_text(json.dumps({"feeds": self.entries}))  # JSON is YAML

    def run(self, *arguments, check=0):
        return secscore(*arguments, cwd=self.folder, env=self.environment, check=check)

    def build_definitions(self, monkeypatch):
        from secscore_pipeline.definitions import build_definitions

        for name, text in self.environment.items():
            monkeypatch.setenv(name, text)
        monkeypatch.setenv("SECSCORE_FEEDS", str(self.folder / "feeds.yaml"))
        return build_definitions(read_feeds())


@pytest.fixture
def two(local_azure, store):
    store.path.parent.mkdir(exist_ok=True)
    both = Two(local_azure, store.path.parent)
    both.environment |= store.settings
    return both


COUNTS = "select feed, count(distinct subscription_id), count(*) from posture.current_scores group by all order by all"


@pytest.mark.slow
def test_each_feed_is_read_into_the_same_tables(two, store):
    shown = two.run("sync").stdout
    assert all(one in shown for azure in two.azures.values() for one in azure.world.subscriptions)
    assert store.query(COUNTS) == [("north", 2, 2), ("south", 3, 3)]
    assert store.query("select distinct feed, is_in_scope from posture.coverage order by all") == [
        ("north", True),
        ("south", True),
    ]
    assert store.one("select count(distinct tenant_id) from posture.tenant_score") == 2
    two.run("sync", "--feed", "south")
    assert store.query(
        "select feed, count(*) from raw.fetches where event_type = 'secure_scores' group by all order by all"
    ) == [("north", 2), ("south", 6)]
    assert store.query("select distinct is_in_scope from posture.coverage") == [(True,)]


@pytest.mark.slow
def test_a_feed_that_fails_is_silent_and_the_other_one_is_not(two):
    receiver = Receiver()
    file = two.folder / "secscore.prom"
    two.environment |= {"SECSCORE_HEARTBEAT_URL": f"{receiver.url}/{{feed}}", "SECSCORE_METRICS_FILE": str(file)}
    two.azures["north"].faults.append(Fault(Kind.STATUS, path="oauth2", status=400, body=b"{}"))
    two.run("sync", check=None)
    receiver.close()
    assert receiver.paths() == ["/south"]
    asked = r'^secscore_last_(\w+)_timestamp_seconds{feed="(\w+)"} ([\d.]+)$'
    found = {(what, feed): float(at) for what, feed, at in re.findall(asked, file.read_text(), re.MULTILINE)}
    assert found["complete_sync", "north"] == 0
    assert min(found["complete_sync", "south"], found["attempt", "north"], found["attempt", "south"]) > 1.7e9
    shown = two.run("status", "--max-age", "1d", check=2).stdout
    assert shown.startswith("SECSCORE CRITICAL - The feed north was never read |")


@pytest.mark.slow
def test_one_that_fails_does_not_touch_the_other(two, store):
    two.azures["north"].faults.append(Fault(Kind.STATUS, path="oauth2", status=400, body=b"{}"))
    done = two.run("sync", check=3)
    assert "sign-in" in done.stderr
    assert store.query(COUNTS) == [("south", 3, 3)]
    del two.environment["NORTH_SECRET"]
    done = two.run("sync", check=3)
    assert "NORTH_SECRET, which the feed north needs, is not set." in done.stderr
    assert store.one("select count(*) from raw.fetches where event_type = 'secure_scores' and feed = 'south'") == 6
    assert two.run("test-connection", check=2).stdout.count("3 of 3 subscriptions read") == 1
    assert "3 of 3 subscriptions read" in two.run("test-connection", "--feed", "south").stdout


@pytest.mark.slow
def test_a_certificate_that_cannot_be_read_is_its_own_feeds_failure(two, store):
    two.entries[0]["credential"] = {"certificate": "/nowhere.pem"}
    two.write()
    done = two.run("sync", check=3)
    assert "The certificate file /nowhere.pem cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
    assert store.query(COUNTS) == [("south", 3, 3)]


def test_a_feed_that_is_not_there_is_named(two):
    assert "Feeds: north, south." in two.run("sync", "--feed", "east", check=2).stderr


@pytest.mark.slow
def test_two_that_turn_out_to_read_one_subscription_are_refused(two, store):
    two.run("sync")
    stolen = next(iter(two.azures["north"].world.subscriptions))
    two.azures["south"].world.add_subscription(stolen)
    done = two.run("sync", "--feed", "south", check=1)
    assert f"The subscription {stolen} is read by the feed north too." in done.stderr
    assert "[feeds-overlap]" in done.stderr
    assert store.query(COUNTS) == [("north", 2, 2), ("south", 3, 3)]
    two.entries[1]["exclude"] = [stolen]
    two.write()
    two.run("sync", "--feed", "south")


@pytest.mark.slow
def test_each_has_its_connection_its_schedule_and_its_partition(two, store, monkeypatch):
    two.entries[1] |= {"schedule": "30 6 * * 1-5", "time_zone": "Europe/Berlin"}
    two.write()
    definitions = two.build_definitions(monkeypatch)
    assert {key for key in definitions.resources or {} if key.startswith("azure")} == {"azure_north", "azure_south"}
    schedules = {schedule.name: schedule for schedule in definitions.schedules or []}
    assert {
        name: (one.cron_schedule, one.execution_timezone)
        for name, one in schedules.items()
        if name in ("north", "south")
    } == {
        "north": ("0 5 * * *", "UTC"),
        "south": ("30 6 * * 1-5", "Europe/Berlin"),
    }
    with (
        dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance,
        dg.build_schedule_context(instance, repository_def=definitions.get_repository_def()) as context,
    ):
        (request,) = schedules["south"].evaluate_tick(context).run_requests
        assert (request.partition_key, request.tags["secscore/owner"]) == ("south", "team south")
        for name, path in store.settings.items():
            monkeypatch.setenv(name, path)
        definitions = two.build_definitions(monkeypatch)
        result = definitions.resolve_job_def("sync").execute_in_process(
            instance=instance, partition_key="south", run_config={"loggers": {"plain": {}}}
        )
        assert failed_checks(result) == set()
        tried = definitions.resolve_job_def("test_connection").execute_in_process(instance=instance)
        assert tried.success
    assert store.query(COUNTS) == [("south", 3, 3)]


def test_no_secret_stands_in_the_definitions(two, monkeypatch):
    secret = two.environment["SOUTH_SECRET"]
    shown = repr(two.build_definitions(monkeypatch).resources)
    assert os.environ["SOUTH_SECRET"] == secret
    assert secret not in shown
