"""Dagster's UI as a door: what a launch may change, and who is answered."""

import json
import re
import secrets
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.ui_hosts import read_ui_hosts
from secscore_pipeline.definitions import defs
from secscore_pipeline.defs.resources import LAUNCHPAD_FIELDS
from secscore_pipeline.emulator.server import LocalAzure
from secscore_pipeline.emulator.world import World
from secscore_pipeline_tests.conftest import secscore
from secscore_pipeline_tests.support.browsing import browser, expect
from testbed.receiver import Receiver
from testbed.serving import SERVED, Service, is_served
from testbed.waiting import DEADLINE, awaited, free_port

LAUNCH = """mutation Launch($config: RunConfigData) {launchRun(executionParams: {runConfigData: $config,
selector: {jobName: "sync", repositoryLocationName: "secscore_pipeline", repositoryName: "__repository__"}}) {
__typename ... on RunConfigValidationInvalid {errors {message reason}} ... on LaunchRunSuccess {run {runId}}
... on Error {message}}}"""
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def secret():
    return f"marked-{secrets.token_urlsafe(24)}"


@pytest.fixture(scope="module")
def service(tmp_path_factory, secret):
    """Start the code location and the UI on a local Azure. Nothing runs: there is no daemon."""
    home = tmp_path_factory.mktemp("door")
    with ExitStack() as stack:
        azure = stack.enter_context(LocalAzure(World(subscriptions=1)))
        settings = {
            **azure.settings(), "AZURE_CLIENT_SECRET": secret,
            "SECSCORE_UI_HOSTS": "secscore.example, other.example:8443",
            "SECSCORE_DATABASE": str(home / "data" / "secscore.duckdb"),
        }  # fmt: skip
        running = Service(stack, home, "dagster.yaml", settings)
        running.code = psutil.Process(running.start("code").pid)
        running.start("webserver")
        awaited(lambda: running.query(SERVED), is_served)
        yield running


@pytest.fixture
def stranger():
    """Return a listener that a run could be led to."""
    receiver = Receiver()
    yield receiver
    receiver.close()


def launch(service, config):
    query = {"query": LAUNCH, "variables": {"config": config}}
    return service.session.post(service.url, json=query, timeout=DEADLINE).json()["data"]["launchRun"]


def hostile_configs(stranger):
    """Yield configurations of runs that would send a secret elsewhere, store it, or open other files."""
    azure = {
        "arm_endpoint": stranger.url, "authority_host": stranger.url, "ca_bundle": "/tmp/theirs.pem",
        "tenant_id": {"env": "AZURE_CLIENT_SECRET"}, "client_id": {"env": "AZURE_CLIENT_SECRET"},
        "client_secret": {"env": "AZURE_CLIENT_SECRET"}, "certificate_path": "/etc/ssl/private/key.pem",
        "certificate_password": {"env": "AZURE_CLIENT_SECRET"}, "federated_token_file": "/etc/hostname",
        "token_credentials": "ManagedIdentityCredential", "cloud_name": "AzureChinaCloud", "unset": ["HOME"],
    }  # fmt: skip
    for field, text in azure.items():
        yield {"resources": {"azure": {"config": {field: text}}}}
    for field in LAUNCHPAD_FIELDS:
        yield {"resources": {"azure": {"config": {field: {"env": "AZURE_CLIENT_SECRET"}}}}}
    for field in ("database", "work_database", "data_path"):
        yield {"resources": {"warehouse": {"config": {field: "/etc/elsewhere.duckdb"}}}}
    yield {"resources": {"io_manager": {"config": {"base_dir": {"env": "AZURE_CLIENT_SECRET"}}}}}
    for field in ("extension_version", "rebuild", "low_from"):
        yield {"ops": {"ocsf__assessment_findings": {"config": {field: {"env": "AZURE_CLIENT_SECRET"}}}}}


def test_a_launch_cannot_change_where_a_secret_goes_or_read_one(service, stranger, secret):
    for config in hostile_configs(stranger):
        answer = launch(service, config)
        assert answer["__typename"] == "RunConfigValidationInvalid", (config, answer)
    assert stranger.got == []
    written = b"".join(path.read_bytes() for path in Path(service.environment["HOME"]).rglob("*") if path.is_file())
    assert secret.encode() not in written


def test_no_other_account_reaches_the_code_location(service):
    assert service.code_socket.stat().st_mode & 0o077 == 0
    everything = [service.code, *service.code.children(recursive=True)]
    assert [found for process in everything for found in process.net_connections() if found.status == "LISTEN"] == []


def test_what_a_launch_may_change_is_this_list_and_no_value_of_it_is_taken_from_the_environment():
    found = {}
    for job in defs.get_repository_def().get_all_jobs():
        found.update(fields_of(job.run_config_schema.config_type))
    resources = {path: kind for path, kind in found.items() if path.startswith("resources/")}
    assert resources == {f"resources/azure/config/{field}": "String" for field in LAUNCHPAD_FIELDS}
    ops = {path.rpartition("/")[2]: kind for path, kind in found.items() if path.startswith("ops/") and kind != "Any"}
    assert ops == {
        "informational_from": "Float", "low_from": "Float", "medium_from": "Float", "extension_version": "String",
        "rebuild": "Bool",
    }  # fmt: skip
    assert not [path for path, kind in found.items() if "Source" in kind]


def fields_of(config_type, path=""):
    """Return the type of each value that a run's configuration takes, by its path."""
    if not hasattr(config_type, "fields"):
        return {path.lstrip("/"): config_type.key}
    found = {}
    for name, field in config_type.fields.items():
        found.update(fields_of(field.config_type, f"{path}/{name}"))
    return found


def asked(service, method="POST", *, path="/graphql", headers=None, body=None):
    """Return the status and text that a request gets, with just these headers."""
    origin = service.url.removesuffix("/graphql")
    request = requests.Request(
        method, origin + path, headers={"Host": origin.removeprefix("http://"), **(headers or {})}, data=body
    )
    answer = service.session.send(request.prepare(), timeout=DEADLINE)
    return answer.status_code, answer.text


QUERY = json.dumps({"query": "{version}"})
MUTATION = "mutation%7BlaunchRun(executionParams:%7B%7D)%7B__typename%7D%7D"


def test_the_ui_answers_to_its_own_names_and_pages(service):
    port = service.url.split(":")[2].split("/")[0]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}", f"[::1]:{port}", "secscore.example"):
        assert asked(service, headers={**JSON, "Host": host}, body=QUERY)[0] == 200, host
        assert asked(service, "GET", path="/runs", headers={"Host": host})[0] == 200
    for origin in (f"http://127.0.0.1:{port}", f"http://localhost:{port}", "https://secscore.example"):
        assert asked(service, headers={**JSON, "Origin": origin}, body=QUERY)[0] == 200, origin


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1:1"},
        {"Host": "127.0.0.1"},
        {"Host": "secscore.example.evil.example"},
        {"Host": "other.example"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "file://127.0.0.1"},
        {"Origin": "http://secscore.example@evil.example"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "text/plain; application/json"},
        {"Content-Type": "application/graphql"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": ""},
    ],
)
def test_whoever_else_asks_is_refused_with_a_sentence(service, headers):
    status, text = asked(service, headers={**JSON, **headers}, body=QUERY)
    assert status == 403
    assert re.fullmatch(r"[A-Z][^\n]+\.?\n", text)


@pytest.mark.parametrize("path", ["/graphql", "/graphql/", "//graphql"])
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_no_get_asks_graphql(service, path, accept):
    status, text = asked(service, "GET", path=f"{path}?query={MUTATION}", headers={"Accept": accept})
    assert (status, "POST" in text) == (403, True)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_no_other_method_is_let_through(service, method):
    assert asked(service, method, headers=JSON, body=QUERY)[0] == 403


def test_a_header_that_stands_twice_is_refused(service):
    host, port = service.url.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=DEADLINE) as connection:
        lines = ["POST /graphql HTTP/1.1", f"Host: {host}:{port}", "Content-Type: application/json",
                 f"Origin: http://{host}:{port}", "Origin: http://evil.example", "Content-Length: 2",
                 "Connection: close"]  # fmt: skip
        connection.sendall("\r\n".join([*lines, "", "{}"]).encode())
        assert b" 403 " in connection.recv(4096).split(b"\r\n")[0]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", None])
def test_a_websocket_of_another_page_is_refused(service, origin):
    url = service.url.replace("http://", "ws://")
    if origin is None:  # the UI's own page
        with connect(url, origin=service.url.removesuffix("/graphql"), subprotocols=["graphql-ws"]) as opened:
            opened.send(json.dumps({"type": "connection_init", "payload": {}}))
            assert json.loads(opened.recv(timeout=DEADLINE))["type"] == "connection_ack"
        return
    with pytest.raises(InvalidStatus, match="403"):
        connect(url, origin=origin, subprotocols=["graphql-ws"])


def test_hosts_are_checked_when_the_ui_starts(monkeypatch):
    monkeypatch.setenv("SECSCORE_UI_HOSTS", "https://secscore.example/path")
    with pytest.raises(SettingsError, match="ui-host-malformed"):
        read_ui_hosts(3000)
    monkeypatch.delenv("SECSCORE_UI_HOSTS")
    monkeypatch.setenv("SECSCORE_DAGSTER_URL", "https://secscore.example/")
    assert "secscore.example" in read_ui_hosts(3000)


@pytest.mark.needs("chromium")
def test_a_page_of_another_site_starts_no_run_and_the_ui_works(service, tmp_path):
    ui = service.url.removesuffix("/graphql")
    body = json.dumps({"query": LAUNCH, "variables": {"config": {}}})
    foreign = f"""<form id=form method=post enctype=text/plain target=frame action="{service.url}">
<input name='{{"query":"{{version}}","x":"' value='"}}'></form><iframe name=frame></iframe>
<img src="{service.url}?query={MUTATION}"><script>
const tried = [
  fetch("{service.url}", {{method: "POST", body: {json.dumps(body)}, headers: {{"Content-Type": "application/json"}}}}),
  fetch("{service.url}", {{method: "POST", mode: "no-cors", body: {json.dumps(body)}}}),
  fetch("{service.url}?query={MUTATION}", {{mode: "no-cors"}}),
  new Promise((done) => {{ const s = new WebSocket("{service.url.replace("http", "ws", 1)}", "graphql-ws");
    s.onopen = () => done("open"); s.onerror = () => done("refused"); }}),
];
document.getElementById("form").submit();
Promise.allSettled(tried).then((all) => document.title = JSON.stringify(all.map((one) => one.value ?? "refused")));
</script>"""
    before = len(service.runs())
    port = free_port()
    (tmp_path / "index.html").write_text(foreign)
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as theirs, browser() as chromium:
        try:
            awaited(lambda: answers(port), bool)
            page = chromium.new_page()
            page.goto(f"http://localhost:{port}/index.html")
            page.wait_for_function("document.title.startsWith('[')")
            first, _, _, websocket = json.loads(page.title())
            assert (first, websocket) == ("refused", "refused")
            page.goto(f"{ui}/jobs")
            expect(page.get_by_role("link", name=re.compile(r"^job sync\b"))).to_be_visible()
        finally:
            theirs.terminate()
    assert len(service.runs()) == before


def answers(port):
    try:
        return requests.get(f"http://127.0.0.1:{port}/", timeout=DEADLINE).ok
    except requests.ConnectionError:
        return False


@pytest.mark.parametrize("command", [["dev"], ["webserver"]])
def test_a_port_that_is_taken_is_said_before_anything_starts(tmp_path, command):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        if command == ["dev"]:
            done = secscore("dev", "--port", port, cwd=tmp_path, check=2)
        else:
            arguments = ["webserver", str(tmp_path / "workspace.yaml"), "127.0.0.1", port]
            done = subprocess.run(
                [sys.executable, "-m", "secscore_pipeline.cli.service", *arguments],
                cwd=tmp_path, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 1
    assert "[port-taken]" in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
