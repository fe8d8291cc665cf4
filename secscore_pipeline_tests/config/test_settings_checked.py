"""Settings: each is checked where any command starts, and a name that looks like one and is none is warned of."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from secscore_pipeline.cli.main import main
from secscore_pipeline.config.checking import find_unknown_settings
from secscore_pipeline_tests.conftest import secscore
from testbed.waiting import DEADLINE


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("SECSCORE_EXPORT", "SECSCORE_EXPORTS"),
        ("secscore_exports", "SECSCORE_EXPORTS"),
        ("SECSCORE_SHEDULE", "SECSCORE_SCHEDULE"),
        ("SECSCORE_RETENTION", "SECSCORE_RETENTION_DAYS"),
        ("SECSCORE_TENANT_ID", "AZURE_TENANT_ID"),
        ("SECSORE_DATABASE", "SECSCORE_DATABASE"),
        ("AZURE_TENANTID", "AZURE_TENANT_ID"),
        ("AZURE_CLIENT_SECRETS", "AZURE_CLIENT_SECRET"),
        ("AZURE_SUBSCRIPTIONS_IDS", "AZURE_SUBSCRIPTION_IDS"),
        ("AZURE_MANAGEMENT_GROUP", "AZURE_MANAGEMENT_GROUP_ID"),
    ],
)
def test_a_misspelled_setting_is_warned_of_with_the_nearest(name, nearest):
    (warning,) = find_unknown_settings({name: "x", "HOME": "/", "AZURE_CLIENT_ID": ""})
    assert f"{name} in the environment is no setting. Did you mean {nearest}?" in warning
    assert ".env is no setting" in find_unknown_settings({name: "x"}, [name])[0]


@pytest.mark.parametrize(
    "name",
    [
        "AZURE_CONFIG_DIR",
        "AZURE_DEVOPS_EXT_PAT",
        "AZURE_SUBSCRIPTION_ID",
        "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN",
        "AZURE_STORAGE_ACCOUNT",
        "AZURE_CREDENTIALS",
        "AZURE_RESOURCE_GROUP",
        "AZURE_CORE_OUTPUT",
        "AZURE_USERNAME",
        "AZURE_TENANT",
        "AZUREML_RUN_ID",
        "SECSCORE_PORT_3000_TCP_ADDR",
        "SECSCORE_UI_SERVICE_HOST",
        "SECSCORE_CODE_PORT",
        "SECRET",
        "PATH",
    ],
)
def test_what_other_programs_set_is_not_warned_of(name):
    assert find_unknown_settings({name: "x"}) == []


def test_a_setting_that_resembles_none_is_warned_of_and_one_that_feeds_need_is_not():
    assert "is no setting." in find_unknown_settings({"SECSCORE_XYZZY": "x"})[0]
    assert find_unknown_settings({"SECSCORE_XYZZY": "x"}, also=["SECSCORE_XYZZY"]) == []
    (warning,) = find_unknown_settings({}, ["AZURE_SUBSCRIPTION_ID"])
    assert "Did you mean AZURE_SUBSCRIPTION_IDS?" in warning


def test_a_command_warns_once_of_the_file_and_of_the_environment(tmp_path):
    (tmp_path / ".env").write_text("SECSCORE_EXPORT=csv\n")
    done = secscore("query", "select 1", cwd=tmp_path, env={"SECSCORE_SCHEDUL": "x"}, check=1)
    assert done.stderr.count("SECSCORE_EXPORT in .env is no setting. Did you mean SECSCORE_EXPORTS?") == 1
    assert done.stderr.count("SECSCORE_SCHEDUL in the environment is no setting") == 1


WRONG = {
    "SECSCORE_SCHEDULE": "every day",
    "SECSCORE_BRIEFING": "mondays",
    "SECSCORE_EXPORTS": "xml",
    "SECSCORE_RETENTION_DAYS": "-1",
    "SECSCORE_KEEP_PUBLISHED": "all",
    "SECSCORE_UI_HOSTS": "https://x/y",
    "SECSCORE_PARTIAL_FAILURE": "maybe",
    "SECSCORE_METRICS_FILE": "metrics.txt",
    "SECSCORE_ALERT_SCORE_DROP": "much",
    "AZURE_CLOUD": "AzurCloud",
}
MENDS_OR_NEEDS_NONE = {"init", "completion"}
ARGUMENTS = {
    "migrate": ["--to", "ducklake:duckdb:x.db"],
    "export": ["--format", "csv"],
    "query": ["select 1"],
}


@pytest.mark.slow
@pytest.mark.parametrize("command", sorted(main.commands.keys() - MENDS_OR_NEEDS_NONE))
def test_every_command_checks_every_setting_and_leaves_nothing(tmp_path, command):
    done = secscore(command, *ARGUMENTS.get(command, []), cwd=tmp_path, env=WRONG, check=2)
    for name in WRONG:
        assert name in done.stderr, name
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_help_and_version_work_whatever_the_settings_are(tmp_path):
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")
    for arguments in (["--help"], ["--version"], ["status", "--help"], ["sync", "-h"]):
        done = secscore(*arguments, cwd=tmp_path, env=WRONG)
        assert done.stderr == ""


def test_a_monitoring_system_is_told_of_wrong_settings_in_its_own_way(tmp_path):
    done = secscore("status", "--max-age", "26h", cwd=tmp_path, env={"SECSCORE_SCHEDULE": "every day"}, check=3)
    assert done.stdout.startswith("SECSCORE UNKNOWN")
    assert "SECSCORE_SCHEDULE" in done.stdout


@pytest.mark.slow
def test_dagster_is_told_in_one_message(tmp_path):

    for arguments in (
        ["-c", "import secscore_pipeline.definitions"],
        ["-m", "secscore_pipeline.cli.service", "code", "--port", "0"],
    ):
        done = subprocess.run(
            [sys.executable, *arguments],
            env={"PATH": "/usr/bin:/bin", "SECSCORE_EXPORTS": "xml"},
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=DEADLINE,
        )  # fmt: skip
        last = done.stderr.strip().splitlines()[-1]
        assert "SECSCORE_EXPORTS" in last
        assert last.endswith("[policy-malformed]")
        assert done.returncode == 1


def test_what_the_service_reads_beside_the_settings_is_known():
    deploy = Path(__file__).resolve().parents[2] / "deploy"
    texts = [path.read_text(encoding="utf-8") for path in deploy.rglob("*") if path.is_file()]
    names = {name for text in texts for name in re.findall(r"\bSECSCORE_\w+", text)}
    assert find_unknown_settings(dict.fromkeys(names, "x")) == []
