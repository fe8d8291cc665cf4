"""The registry of settings: what each declares holds together, and what it refuses is explained and not repeated."""

import secrets
from functools import partial

import pytest

from secscore_pipeline.config import registry
from secscore_pipeline.config.azure_settings import read_azure_settings
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.setting import Group, collect_problems
from secscore_pipeline.config.settings import read_alert_settings
from secscore_pipeline.config.ui_hosts import read_ui_hosts


def problems_of(setting, text):
    with pytest.raises(SettingsError) as raised:
        setting.parse(text)
    return raised.value.problems


def test_every_setting_takes_its_own_default_and_has_a_group_with_others():
    for setting in registry.SETTINGS:
        assert setting.parse("") == setting.parse(setting.default or "")
        assert setting.meaning.endswith(".")
        assert setting.kind.values
        assert not (setting.is_secret and setting.launchpad_field)
    assert {setting.group for setting in registry.SETTINGS} == set(Group)
    assert len(registry.BY_NAME) == len(registry.SETTINGS)


@pytest.mark.parametrize(
    ("setting", "taken", "refused"),
    [
        (registry.SECSCORE_MAX_CONNECTIONS, {"1": 1, "1000": 1000, "064": 64}, ["0", "1001", "0.5", "-1", "1e3", "٣"]),
        (registry.SECSCORE_KEEP_PUBLISHED, {"0": 0, "3": 3}, ["-1", "0.5", "all", "9" * 5000]),
        (registry.SECSCORE_RETENTION_DAYS, {"": None, "30": 30}, ["0", "0.5", "forever"]),
        (registry.SECSCORE_BATCH_SIZE, {"": None, "500": 500}, ["0", "many"]),
        (registry.SECSCORE_ALERT_SCORE_DROP, {"0.5": 0.5, "2": 2.0, "0": 0.0}, ["nan", "inf", "-1", "1e3", "٣", ".5"]),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_a_number_says_which_numbers_it_takes(setting, taken, refused):
    assert {text: setting.parse(text) for text in taken} == taken
    for text in refused:
        (problem,) = problems_of(setting, text)
        assert problem.startswith(setting.name)
        assert f"Give {setting.kind.values}. [number-malformed]" in problem
        assert ("whole number" in problem) == ("0.5" not in setting.kind.values)


def test_switches_and_words_are_taken_in_any_case():
    assert registry.SECSCORE_ENTITIES.parse("TRUE") is registry.SECSCORE_ENTITIES.parse("on") is True
    assert registry.SECSCORE_SCHEDULES.parse("Off") is False
    assert registry.SECSCORE_PARTIAL_FAILURE.parse("FAIL") == "fail"
    assert registry.SECSCORE_BRIEFING.parse("Off") == ""
    (problem,) = problems_of(registry.SECSCORE_PARTIAL_FAILURE, "fails")
    assert "nearly fail" in problem
    assert "Set SECSCORE_PARTIAL_FAILURE to warn or fail." in problem


def test_an_address_or_a_home_that_cannot_be_read_is_a_sentence(monkeypatch):
    assert "[home-unknown]" in problems_of(registry.SECSCORE_METRICS_FILE, "~nobody-here/x.prom")[0]
    monkeypatch.setenv("SECSCORE_DAGSTER_URL", "https://[")
    with pytest.raises(SettingsError, match=r"SECSCORE_DAGSTER_URL is no URL.*\[url-malformed\]"):
        read_ui_hosts(3000)


def test_everything_wrong_with_a_connection_is_said_at_once():
    wrong = {
        "AZURE_CLIENT_ID": "me", "AZURE_CLIENT_SECRET": "x", "SECSCORE_SECRET_EXPIRES": "soon", "AZURE_CLOUD": "Azur",
        "SECSCORE_MAX_CONNECTIONS": "0", "AZURE_SUBSCRIPTION_IDS": "a,b", "SECSCORE_ARM_ENDPOINT": "http://localhost",
        "SECSCORE_ENTITIES": "some", "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential",
    }  # fmt: skip
    with pytest.raises(SettingsError) as raised:
        read_azure_settings(wrong)
    for name in {*wrong, "AZURE_TENANT_ID"} - {"AZURE_CLIENT_SECRET"}:
        assert any(problem.startswith(name) for problem in raised.value.problems), name


@pytest.mark.parametrize("setting", registry.SETTINGS, ids=lambda setting: setting.name)
def test_what_a_setting_refuses_is_never_repeated(setting):
    secret = f"8Q~{secrets.token_urlsafe(20)}~é"
    for text in (secret, f"https://user:{secret}@[", f"~{secret}/x", f"{secret},{secret}x"):
        said = collect_problems(partial(setting.parse, text))
        assert all(problem.startswith(setting.name) and secret not in problem for problem in said), text


def test_the_settings_of_alerts_show_no_secret(monkeypatch):
    secret = secrets.token_urlsafe(20)
    for setting in registry.SETTINGS:
        if setting.group is Group.ALERTS and setting.is_secret:
            monkeypatch.setenv(setting.name, f"https://example.com/{secret}")
    alerts = read_alert_settings()
    assert secret in alerts.webhook
    assert secret not in repr(alerts)
