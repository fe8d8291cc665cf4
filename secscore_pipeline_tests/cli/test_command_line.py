"""`secscore` as people run it: exit codes, messages, any working directory, any HOME, secrets never shown."""

import os
import re

import pytest

from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.world import State, World
from secscore_pipeline_tests.conftest import secscore
from testbed.waiting import DEADLINE, free_port


def settings(azure, tmp_path, **changes):
    given = {**azure.settings(), "SECSCORE_DATABASE": str(tmp_path / "db" / "scores.duckdb"), **changes}
    return {name: text for name, text in given.items() if text is not None}


@pytest.mark.slow
@pytest.mark.parametrize("home", [None, "dagster-home"])
def test_sync_works_from_any_folder_and_home(local_azure, tmp_path, home):
    azure = local_azure(World(subscriptions=2))
    env = settings(azure, tmp_path, HOME="/nonexistent")
    if home:
        env["DAGSTER_HOME"] = str(tmp_path / home)
    (tmp_path / "elsewhere").mkdir()
    done = secscore("sync", cwd=tmp_path / "elsewhere", env=env)
    assert "ascScore" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert list((tmp_path / "elsewhere").iterdir()) == []
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "db").iterdir()}
    assert modes == {"scores.duckdb": "0o400", "scores.work.duckdb": "0o600"}


@pytest.mark.slow
def test_settings_come_from_a_dotenv_file_and_the_environment_wins(local_azure, tmp_path):
    azure = local_azure(World(subscriptions=1))
    values = settings(azure, tmp_path, AZURE_TENANT_ID="not a tenant")
    (tmp_path / ".env").write_text("".join(f"{name}={text}\n" for name, text in values.items()))
    secscore("sync", cwd=tmp_path, env={"AZURE_TENANT_ID": azure.world.tenant_id})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"AZURE_TENANT_ID": None}, "AZURE_TENANT_ID is not set"),
        ({"AZURE_CLIENT_SECRET": ""}, "There is nothing to sign in with"),
        ({"AZURE_CLIENT_ID": "me"}, "AZURE_CLIENT_ID (2 characters) is no GUID"),
        ({"AZURE_SUBSCRIPTION_IDS": "a,b"}, "AZURE_SUBSCRIPTION_IDS, number 1 (1 character) is no GUID"),
        ({"SECSCORE_EVENT_TYPES": "alerts"}, "SECSCORE_EVENT_TYPES (6 characters) names something unknown"),
        (
            {"SECSCORE_MAX_CONNECTIONS": "many"},
            "SECSCORE_MAX_CONNECTIONS (4 characters) is not a whole number from 1 to 1000",
        ),
        ({"SECSCORE_PARTIAL_FAILURE": "maybe"}, "SECSCORE_PARTIAL_FAILURE (5 characters) is not one of the values"),
        ({"SECSCORE_CA_BUNDLE": "/no/such.pem"}, "SECSCORE_CA_BUNDLE=/<2 characters>/such.pem is no file"),
        ({"SECSCORE_ARM_ENDPOINT": "http://localhost"}, "SECSCORE_ARM_ENDPOINT is no https URL"),
        ({"SECSCORE_DATABASE": "/tmp"}, "SECSCORE_DATABASE=/tmp is a folder"),
        ({"SECSCORE_DATABASE": "raw.duckdb"}, "has the name of one of its own schemas"),
        ({"DAGSTER_HOME": "relative"}, "DAGSTER_HOME=./<8 characters> is not an absolute path"),
    ],
)
def test_a_wrong_setting_is_named_and_exits_2(local_azure, tmp_path, changes, message):
    azure = local_azure(World(subscriptions=1))
    done = secscore("sync", cwd=tmp_path, env=settings(azure, tmp_path, **changes), check=2)
    assert message in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert azure.application.secret not in done.stdout + done.stderr
    assert not (tmp_path / "db").exists()


SECRET = "marked-secret-5f1d8a"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (None, "AADSTS7000215"),
        (Fault(Kind.STATUS, path="/subscriptions/", status=401), "answered 401, with a renewed token too"),
        (Fault(Kind.STATUS, path="/subscriptions/", status=403), "Security Reader"),
        (Fault(Kind.STATUS, path="/subscriptions/", status=404), "answered 404"),
        (Fault(Kind.STATUS, path="/subscriptions/", status=200, body=b'{"values": []}'), "JSON but not a list"),
        (
            Fault(Kind.STATUS, path="/subscriptions/", status=302, headers={"location": "https://example.com"}),
            "redirect",
        ),
        (Fault(Kind.STATUS, path="openid-configuration", status=500, body=b"<html>"), "sign-in host"),
    ],
)
def test_a_refusal_is_one_sentence_and_exits_1(local_azure, tmp_path, fault, message):
    azure = local_azure(World(subscriptions=1))
    azure.application.secret = SECRET
    env = settings(azure, tmp_path)
    if fault is None:
        env["AZURE_CLIENT_SECRET"] = SECRET + "-wrong"
    else:
        azure.faults.append(fault)
    done = secscore("sync", cwd=tmp_path, env=env, check=1)
    assert done.stderr.replace("\n", " ").count(message) == 1
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert all(SECRET.encode() not in file.read_bytes() for file in (tmp_path / "db").iterdir())


@pytest.mark.slow
def test_one_event_type_that_cannot_be_read_does_not_cost_the_other(local_azure, tmp_path):
    import duckdb

    azure = local_azure(World(subscriptions=2))
    azure.faults += [Fault(Kind.STATUS, path=path, status=403) for path in ("/secureScoreControls", "/subscriptions$")]
    done = secscore("sync", cwd=tmp_path, env=settings(azure, tmp_path), check=3)
    assert done.stderr.count("No secure_score_controls could be read") == 1
    assert done.stderr.count("no names are known in this run") == 1
    (why,) = (line for line in done.stderr.splitlines() if line.startswith("! "))
    assert "answered 403" in why
    with duckdb.connect(str(tmp_path / "db" / "scores.duckdb"), read_only=True) as connection:
        findings = connection.execute("select count(*) from ocsf.assessment_findings").fetchone()
    assert findings == (2,)


@pytest.mark.slow
@pytest.mark.parametrize(("policy", "code"), [("warn", 0), ("fail", 3)])
def test_a_snapshot_with_gaps_is_a_warning_or_a_failure_and_stored_all_the_same(local_azure, tmp_path, policy, code):
    import duckdb

    world = World(subscriptions=1)
    for number, state in enumerate((State.FORBIDDEN, State.UNREGISTERED, State.UNSCORED, State.DISABLED)):
        world.add_subscription(f"00000000-0000-0000-0000-00000000000{number}", state)
    azure = local_azure(world)
    gone, broken = "00000000-0000-0000-0000-0000000000aa", "00000000-0000-0000-0000-0000000000bb"
    world.add_subscription(broken)
    azure.faults.append(Fault(Kind.STATUS, broken, status=400))
    given = settings(azure, tmp_path, SECSCORE_PARTIAL_FAILURE=policy, SECSCORE_EXPORTS="jsonl")
    given["AZURE_SUBSCRIPTION_IDS"] += f",{gone}"
    done = secscore("sync", cwd=tmp_path, env=given, check=code)
    causes = [line for line in done.stderr.splitlines() if re.match(r"✗ 1 subscription (failed|forbidden|not) ", line)]
    assert len(causes) == 4  # each once, though two event types and three checks noticed it
    assert done.stderr.count("SECSCORE_PARTIAL_FAILURE is fail") == (policy == "fail")
    assert "1 of 7 subscriptions read; 2 have no score; 4 not read." in done.stdout
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "data" / "exports").rglob("*.jsonl*"))
    with duckdb.connect(str(tmp_path / "db" / "scores.duckdb"), read_only=True) as connection:
        outcomes = dict(connection.execute("select distinct subscription_id[-2:], outcome from raw.fetches").fetchall())
        assert connection.execute("select count(*) from ocsf.assessment_findings").fetchone() == (16,)
    del outcomes[next(iter(world.subscriptions))[-2:]]
    assert outcomes == {
        "00": "forbidden",
        "01": "not_registered",
        "02": "no_score",
        "03": "no_score",
        "aa": "not_found",
        "bb": "failed",
    }


def test_faults_of_the_local_azure_are_set_on_its_command_line(tmp_path):
    done = secscore("emulator", "--fault", "flood", cwd=tmp_path, check=2)
    assert "'flood' is no kind of fault" in done.stderr
    done = secscore("emulator", "--fault", "status:sometimes", cwd=tmp_path, check=2)
    assert "'sometimes' is not understood" in done.stderr
    fault = Fault.parse("status:path=oauth2,status=429,retry_after=1,share=0.5,times=3,seed=7,body=busy")
    assert fault == Fault(
        Kind.STATUS, "oauth2", share=0.5, times=3, status=429, headers={"retry-after": "1"}, body=b"busy", seed=7
    )
    assert Fault.parse("slow:path=assessments,seconds=0.5") == Fault(Kind.SLOW, "assessments", seconds=0.5)


@pytest.mark.slow
def test_the_connection_test_names_what_it_could_not_read(local_azure, tmp_path):
    world = World(subscriptions=1)
    world.add_subscription("00000000-0000-0000-0000-000000000001", State.FORBIDDEN)
    done = secscore("test-connection", cwd=tmp_path, env=settings(local_azure(world), tmp_path), check=1)
    assert "Security Reader" in done.stderr
    assert "1 of 2 subscriptions read; 1 forbidden: " in done.stdout
    assert not (tmp_path / "db").exists()


@pytest.mark.slow
def test_the_own_ca_bundle_wins_over_the_variables_of_requests(local_azure, tmp_path):
    azure, other = local_azure(World(subscriptions=1)), local_azure(World(subscriptions=1))
    wrong = str(other.ca_bundle)
    env = settings(azure, tmp_path, REQUESTS_CA_BUNDLE=wrong, CURL_CA_BUNDLE=wrong)
    secscore("test-connection", cwd=tmp_path, env=env)
    env = settings(azure, tmp_path, SECSCORE_CA_BUNDLE=None, REQUESTS_CA_BUNDLE=str(azure.ca_bundle))
    secscore("test-connection", cwd=tmp_path, env=env)
    done = secscore("test-connection", cwd=tmp_path, env=settings(azure, tmp_path, SECSCORE_CA_BUNDLE=None), check=1)
    assert "SECSCORE_CA_BUNDLE" in done.stderr


@pytest.mark.slow
def test_a_netrc_file_does_not_replace_the_token(local_azure, tmp_path):
    (tmp_path / ".netrc").write_text("machine localhost login someone password else\n")
    (tmp_path / ".netrc").chmod(0o600)
    secscore("test-connection", cwd=tmp_path, env=settings(local_azure(World(subscriptions=1)), tmp_path))


@pytest.mark.slow
def test_dev_serves_the_ui_on_a_local_azure_and_ends_on_a_signal(tmp_path):
    import signal
    import subprocess
    import sys

    import psutil
    import requests
    from urllib3.util.retry import Retry

    from secscore_pipeline.definitions import defs

    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "secscore_pipeline.cli", "dev", "--port", str(port)],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        with requests.Session() as session:
            session.trust_env = False
            patient = Retry(total=DEADLINE // 3, backoff_factor=0.5, backoff_max=3, allowed_methods=None)
            session.mount("http://", requests.adapters.HTTPAdapter(max_retries=patient))
            query = {"query": "{assetNodes {assetKey {path}}}"}
            answer = session.post(f"http://127.0.0.1:{port}/graphql", json=query, timeout=DEADLINE).json()
            foreign = session.post(f"http://127.0.0.1:{port}/graphql", json=query, headers={"Host": "evil.example"})
        assert len(answer["data"]["assetNodes"]) == len(list(defs.resolve_all_asset_specs()))
        assert foreign.status_code == 403
        family = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=DEADLINE) == 143
    assert family
    _, alive = psutil.wait_procs(family, timeout=DEADLINE)
    assert alive == []


@pytest.mark.slow
def test_help_names_every_command(tmp_path):
    done = secscore("--help", cwd=tmp_path)
    for command in (
        "alert",
        "completion",
        "export",
        "report",
        "status",
        "sync",
        "test-connection",
        "emulator",
        "demo",
        "dev",
        "maintain",
    ):
        assert command in done.stdout
        assert secscore(command, "--help", cwd=tmp_path).stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "message"),
    [(b"this is no database" * 100, "is no DuckDB file"), (None, "knows up to")],
)
def test_a_file_that_is_not_ours_is_refused_untouched(local_azure, tmp_path, content, message):
    import duckdb

    azure = local_azure(World(subscriptions=1))
    env = settings(azure, tmp_path)
    path = tmp_path / "db" / "scores.work.duckdb"
    if content is None:
        secscore("sync", cwd=tmp_path, env=env)
        with duckdb.connect(str(path)) as connection:
            connection.execute("insert into meta.migrations (version, name) values (99, 'from the future')")
    else:
        path.parent.mkdir()
        path.write_bytes(content)
    before = path.read_bytes()
    done = secscore("sync", cwd=tmp_path, env=env, check=1)
    assert message in done.stderr.replace("\n", " ")
    assert path.read_bytes() == before
