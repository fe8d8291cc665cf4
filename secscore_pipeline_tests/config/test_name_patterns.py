"""Patterns of subscription names: what people write is what they mean, and one that means nothing is said."""

import pytest

from secscore_pipeline.config.feeds import read_feeds
from secscore_pipeline.config.patterns import fits_pattern, normalize_name
from secscore_pipeline.emulator.world import World
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline_tests.conftest import secscore

NAMES = ("[PROD] Web", "Payments", "[TEST] Web", "What?", "Whats", "data*lake", "data-lake", "!dev", "Größe, EU", "a]b")


@pytest.fixture(scope="module")
def azure(module_azure):
    azure = module_azure(World(subscriptions=len(NAMES)))
    for subscription, name in zip(azure.world.subscriptions.values(), NAMES, strict=True):
        subscription.name = name
    return azure


@pytest.fixture
def read(azure, monkeypatch):
    """Return a function that tells the names of the subscriptions that patterns leave in."""

    unset = dict.fromkeys(("SECSCORE_INCLUDE", "SECSCORE_EXCLUDE"), "")

    def names(**settings):
        for name, text in {**azure.settings("*"), **unset, **settings}.items():
            monkeypatch.setenv(name, text)
        connection = AzureConnection.from_environment()
        read = connection.subscriptions(connection.listing())
        return {azure.world.subscriptions[one].name for one in read}

    return names


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("[PROD]*", {"[PROD] Web"}),
        ("[prod] web", {"[PROD] Web"}),
        ("[*] Web", {"[PROD] Web", "[TEST] Web"}),
        ("[????] *", {"[PROD] Web", "[TEST] Web"}),
        ("What?", {"What?"}),
        ("What*", {"What?", "Whats"}),
        ("Wh?t?", {"What?", "Whats"}),
        ("data*lake", {"data*lake"}),
        ("data?lake", {"data*lake", "data-lake"}),
        ("!dev", {"!dev"}),
        ("[!P]*,Pay*", {"Payments"}),
        ("gro\u0308\u00dfe? eu", {"Größe, EU"}),
        ("a]b", {"a]b"}),
        ("*", set(NAMES)),
    ],
)
def test_a_pattern_means_what_it_says(read, pattern, meant):
    assert read(SECSCORE_INCLUDE=pattern) == meant
    if meant != set(NAMES):
        assert read(SECSCORE_EXCLUDE=pattern) == set(NAMES) - meant


def test_nothing_but_wildcards_means_every_name():
    assert fits_pattern("Payments", "*", {normalize_name("*")})


def test_a_name_with_a_comma_can_be_written_in_a_file_of_feeds(azure, tmp_path, monkeypatch):
    given = azure.settings("*")
    monkeypatch.setenv("ONE_SECRET", given["AZURE_CLIENT_SECRET"])
    monkeypatch.setenv("SECSCORE_FEEDS", str(tmp_path / "feeds.yaml"))
    (tmp_path / "feeds.yaml").write_text(
        f"""feeds:
  - name: one
    tenant_id: {azure.world.domain.upper()}
    client_id: {given["AZURE_CLIENT_ID"]}
    authority_host: {azure.url}
    arm_endpoint: {azure.url}
    ca_bundle: {azure.ca_bundle}
    credential: {{secret: {{env: ONE_SECRET}}}}
    include: ["Größe, EU", "[PROD]*"]
""",
        encoding="utf-8",
    )
    (feed,) = read_feeds()
    connection = AzureConnection.of(feed)
    read = connection.subscriptions(connection.listing())
    assert {azure.world.subscriptions[one].name for one in read} == {"Größe, EU", "[PROD] Web"}


@pytest.mark.slow
@pytest.mark.parametrize("entities", ["on", "off"])
def test_a_pattern_that_fits_nothing_is_warned_of_once(azure, tmp_path, entities):
    settings = {**azure.settings("*"), "SECSCORE_ENTITIES": entities}
    settings |= {"SECSCORE_INCLUDE": "[PROD]*,Paymentz", "SECSCORE_EXCLUDE": "sandbox-*"}
    done = secscore("sync", cwd=tmp_path, env=settings)
    said = done.stdout + done.stderr
    assert said.count("[pattern-unmatched]") == 2
    assert "SECSCORE_INCLUDE, pattern 2 (8 characters, nearly Payments) fits none of the 10 subscriptions" in said
    assert "SECSCORE_EXCLUDE, pattern 1" in said


@pytest.mark.slow
def test_the_connection_test_warns_of_it_too(azure, tmp_path):
    settings = {**azure.settings("*"), "SECSCORE_EXCLUDE": "sandbox-*"}
    done = secscore("test-connection", cwd=tmp_path, env=settings)
    assert (done.stdout + done.stderr).count("[pattern-unmatched]") == 1
    listed = {**azure.settings(), "SECSCORE_EXCLUDE": "What?"}
    done = secscore("test-connection", cwd=tmp_path, env=listed)
    assert (done.stdout + done.stderr).count("[patterns-unused]") == 1
