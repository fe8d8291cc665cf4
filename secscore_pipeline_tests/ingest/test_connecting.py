"""Connecting: each usual mistake is named rightly, each credential signs in, the scope is what was asked for."""

import base64
import codecs
import json
import socket
import struct
import subprocess
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import dagster as dg
import jwt
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from secscore_pipeline.azure.clouds import Cloud
from secscore_pipeline.clock import utc_now
from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.server import LocalAzure
from secscore_pipeline.emulator.world import Federation, State, World
from secscore_pipeline.error_catalogue import FAILURES
from secscore_pipeline.ingest import connection_test as diagnosis
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline_tests.conftest import secscore
from testbed.waiting import DEADLINE

GUID = "0f0f0f0f-1111-2222-3333-444455556666"
ISSUER, SUBJECT, AUDIENCE = (
    "https://cluster.example/oidc",
    "system:serviceaccount:secscore:reader",
    "api://AzureADTokenExchange",
)


def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(private_key, *, days=365):
    """Return a certificate of the key that ends so many days from now."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "secscore")])
    end = datetime.now(UTC) + timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=500))
        .not_valid_after(end)
        .sign(private_key, hashes.SHA256())
    )


def pem_of(private_key, signed, password=None):
    how = BestAvailableEncryption(password) if password else NoEncryption()
    return private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how) + signed.public_bytes(Encoding.PEM)


def pfx_of(private_key, signed, password):
    return serialize_key_and_certificates(b"secscore", private_key, signed, None, BestAvailableEncryption(password))


class Stage:
    """A local Azure, the settings that lead to it, and a folder to put files in."""

    def __init__(self, azure, folder, monkeypatch):
        self.azure, self.folder, self.monkeypatch = azure, folder, monkeypatch
        self.settings = dict(azure.settings())
        self.taken = []
        self.subscription = next(iter(azure.world.subscriptions.values()), None)

    def set(self, **settings):
        self.settings |= settings

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    def closed_port(self):
        """Return a port that refuses connections, and is held for the test: nobody else can begin to listen there."""
        self.taken.append(socket.socket())
        self.taken[-1].bind(("127.0.0.1", 0))
        return self.taken[-1].getsockname()[1]

    def use_certificate(self, content, password=""):
        self.set(
            AZURE_CLIENT_SECRET="",
            AZURE_CLIENT_CERTIFICATE_PATH=self.file("credential", content),
            AZURE_CLIENT_CERTIFICATE_PASSWORD=password,
        )

    def use_platform(self, *, trusted=True, expires_in=600):
        """Sign in with a token that a platform wrote."""
        platform = key()
        public = platform.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        if trusted:
            self.azure.application.federations = [Federation(ISSUER, SUBJECT, AUDIENCE, public)]
        claims = {"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "exp": int(time.time()) + expires_in}
        token = jwt.encode(claims, platform, algorithm="RS256")
        self.set(AZURE_CLIENT_SECRET="", AZURE_FEDERATED_TOKEN_FILE=self.file("token", token.encode()))

    def use_machine(self, *, assigned=True, client_id=""):
        """Sign in as the machine itself."""
        self.azure.application.assigned = assigned
        self.monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", self.azure.url)
        self.set(AZURE_CLIENT_SECRET="", AZURE_CLIENT_ID=client_id)

    def be(self, state):
        self.subscription.state = state

    def refuse(self, code, status=400, path="oauth2"):
        body = {"error": "refused", "error_description": f"AADSTS{code}: No.", "error_codes": [code]}
        self.fault(path, status, json.dumps(body).encode())

    def fault(self, path, status, body=b"", **headers):
        shown = {name.replace("_", "-"): text for name, text in headers.items()}
        self.azure.faults.append(Fault(Kind.STATUS, path, status=status, body=body, headers=shown))

    def answer(self, body):
        self.azure.arm.verbatim[self.subscription.subscription_id.lower(), "secureScores"] = body

    def diagnose(self):
        for name, text in self.settings.items():
            self.monkeypatch.setenv(name, text)
        connection = AzureConnection.from_environment()
        return list(diagnosis.run_connection_steps(connection, utc_now))


@pytest.fixture
def stage(local_azure, tmp_path, monkeypatch):
    made = Stage(local_azure(World(subscriptions=1)), tmp_path, monkeypatch)
    yield made
    for taken in made.taken:
        taken.close()


def swapped(stage):
    """The id in the place of the client is a tenant's, and the other way round."""
    settings = stage.settings
    stage.set(AZURE_TENANT_ID=settings["AZURE_CLIENT_ID"], AZURE_CLIENT_ID=settings["AZURE_TENANT_ID"])


def elsewhere(stage):
    """The tenant lives in another one of Microsoft's clouds, which two local Azures stand for."""
    other = LocalAzure(World(seed=2, subscriptions=1))
    other.__enter__()
    stage.monkeypatch.setattr(
        diagnosis,
        "CLOUDS",
        {"AzureCloud": Cloud(stage.azure.url, stage.azure.url), "AzureUSGovernment": Cloud(other.url, other.url)},
    )
    both = stage.azure.ca_bundle.read_bytes() + other.ca_bundle.read_bytes()
    stage.set(AZURE_TENANT_ID=other.world.tenant_id, SECSCORE_CA_BUNDLE=stage.file("both.pem", both))
    stage.azure.other = other


def stranger(stage):
    other = key()
    stage.use_certificate(pem_of(other, certificate(other)))


MISTAKES = {
    "setting-missing": [lambda s: s.set(AZURE_CLIENT_ID=""), lambda s: s.set(AZURE_TENANT_ID=" ")],
    "placeholder-left": [
        lambda s: s.set(AZURE_TENANT_ID="<tenant_id>"),
        lambda s: s.set(AZURE_AUTHORITY_HOST="https://login.microsoftonline.com/<tenant_id>"),
    ],
    "quotes-or-spaces": [
        lambda s: s.set(AZURE_CLIENT_SECRET=f'"{s.settings["AZURE_CLIENT_SECRET"]}"'),
        lambda s: s.set(AZURE_CLIENT_SECRET=f"{s.settings['AZURE_CLIENT_SECRET']} "),
    ],
    "tenant-malformed": [lambda s: s.set(AZURE_TENANT_ID="contoso")],
    "tenant-is-client": [lambda s: s.set(AZURE_CLIENT_ID=s.settings["AZURE_TENANT_ID"])],
    "client-malformed": [lambda s: s.set(AZURE_CLIENT_ID="secscore-reader")],
    "secret-is-id": [lambda s: s.set(AZURE_CLIENT_SECRET=GUID)],
    "credential-missing": [lambda s: s.set(AZURE_CLIENT_SECRET="")],
    "credential-unknown": [lambda s: s.set(AZURE_TOKEN_CREDENTIALS="AzureCliCredential")],
    "certificate-unreadable": [
        lambda s: s.use_certificate(b"nothing of use"),
        lambda s: s.set(AZURE_CLIENT_SECRET="", AZURE_CLIENT_CERTIFICATE_PATH="/nowhere/credential.pem"),
        lambda s: s.use_certificate(certificate(key()).public_bytes(Encoding.PEM)),
        lambda s: s.use_certificate(pem_of(key(), certificate(key()))),
    ],
    "certificate-password": [
        lambda s: s.use_certificate(pfx_of(k := key(), certificate(k), b"right"), "wrong"),
        lambda s: s.use_certificate(pem_of(k := key(), certificate(k), b"right")),
    ],
    "certificate-expired": [lambda s: s.use_certificate(pem_of(k := key(), certificate(k, days=-1)))],
    "federated-token-unreadable": [
        lambda s: s.set(AZURE_CLIENT_SECRET="", AZURE_FEDERATED_TOKEN_FILE="/nowhere/token")
    ],
    "subscriptions-malformed": [lambda s: s.set(AZURE_SUBSCRIPTION_IDS="production")],
    "event-types-malformed": [lambda s: s.set(SECSCORE_EVENT_TYPES="recommendations")],
    "cloud-unknown": [lambda s: s.set(AZURE_CLOUD="AzureMoonCloud")],
    "url-malformed": [lambda s: s.set(SECSCORE_ARM_ENDPOINT="http://localhost")],
    "ca-bundle-missing": [lambda s: s.set(SECSCORE_CA_BUNDLE="/nowhere/ca.pem")],
    "number-malformed": [lambda s: s.set(SECSCORE_MAX_CONNECTIONS="many")],
    "policy-malformed": [lambda s: s.set(SECSCORE_ENTITIES="shrug")],
    "date-malformed": [lambda s: s.set(SECSCORE_SECRET_EXPIRES="next year")],
    "name-unresolved": [lambda s: s.set(AZURE_AUTHORITY_HOST="https://login.invalid")],
    "unreachable": [lambda s: s.set(SECSCORE_ARM_ENDPOINT=f"https://localhost:{s.closed_port()}")],
    "proxy-malformed": [
        lambda s: s.set(HTTPS_PROXY="socks5://127.0.0.1:9"),
        lambda s: s.set(HTTPS_PROXY="http://127.0.0.1:port"),
        lambda s: s.set(HTTPS_PROXY="http://"),
    ],
    "proxy-failing": [lambda s: s.set(HTTPS_PROXY=f"http://127.0.0.1:{s.closed_port()}")],
    "tls-untrusted": [
        lambda s: s.set(SECSCORE_CA_BUNDLE=s.file("ca.pem", certificate(key()).public_bytes(Encoding.PEM)))
    ],
    "tls-broken": [lambda s: s.azure.faults.append(Fault(Kind.HANDSHAKE))],
    "secret-wrong": [lambda s: s.set(AZURE_CLIENT_SECRET="wrong")],
    "secret-expired": [lambda s: setattr(s.azure.application, "secret_expired", True)],
    "application-unknown": [lambda s: s.set(AZURE_CLIENT_ID=GUID)],
    "tenant-unknown": [lambda s: s.set(AZURE_TENANT_ID=GUID), lambda s: s.set(AZURE_TENANT_ID="contoso.com")],
    "tenant-and-client-swapped": [swapped],
    "wrong-cloud": [elsewhere],
    "tenant-name-invalid": [lambda s: s.refuse(900023)],
    "application-disabled": [lambda s: setattr(s.azure.application, "disabled", True)],
    "credential-not-sent": [lambda s: s.refuse(7000216, 401)],
    "service-principal-missing": [lambda s: setattr(s.azure.application, "has_principal", False)],
    "certificate-not-registered": [stranger],
    "assertion-rejected": [lambda s: s.use_platform(expires_in=-60)],
    "federation-mismatch": [lambda s: s.use_platform(trusted=False)],
    "scope-invalid": [lambda s: s.refuse(1002012), lambda s: s.refuse(70011)],
    "resource-unknown": [lambda s: s.set(SECSCORE_ARM_ENDPOINT=s.azure.url.replace("localhost", "127.0.0.1"))],
    "conditional-access": [lambda s: setattr(s.azure.application, "blocked", True)],
    "sign-in-refused": [lambda s: s.refuse(5000811)],
    "managed-identity-refused": [lambda s: s.use_machine(assigned=False)],
    "no-subscriptions": [
        lambda s: (s.azure.world.subscriptions.clear(), s.set(AZURE_SUBSCRIPTION_IDS="*")),
    ],
    "pattern-unmatched": [lambda s: s.set(AZURE_SUBSCRIPTION_IDS="*", SECSCORE_EXCLUDE="sandbox-*")],
    "patterns-unused": [lambda s: s.set(SECSCORE_INCLUDE="*")],
    "nothing-in-scope": [lambda s: s.set(AZURE_SUBSCRIPTION_IDS="*", SECSCORE_EXCLUDE="*")],
    "management-group-unknown": [lambda s: s.set(AZURE_SUBSCRIPTION_IDS="*", AZURE_MANAGEMENT_GROUP_ID="nowhere")],
    "forbidden": [lambda s: s.be(State.FORBIDDEN)],
    "not-registered": [lambda s: s.be(State.UNREGISTERED)],
    "no-score": [lambda s: s.be(State.UNSCORED)],
    "subscription-unsupported": [
        lambda s: s.be(State.UNSUPPORTED),
        lambda s: s.fault("Security", 400, b'{"Error":{"Code":"disallowedProvider","Message":"no"}}'),
    ],
    "subscription-unknown": [lambda s: s.set(AZURE_SUBSCRIPTION_IDS=GUID)],
    "subscription-disabled": [
        lambda s: s.fault("Security", 409, b'{"error":{"code":"ReadOnlyDisabledSubscription","message":"no"}}')
    ],
    "wrong-tenant": [lambda s: s.be(State.FOREIGN)],
    "token-refused": [lambda s: s.fault("Security", 401, b'{"error":{"code":"InvalidAuthenticationToken"}}')],
    "throttled": [lambda s: s.fault("Security", 429, retry_after="0")],
    "azure-failing": [lambda s: s.fault("Security", 503, retry_after="0")],
    "not-found": [lambda s: s.fault("Security", 404, b'{"error":{"code":"InvalidResourceType"}}')],
    "not-azure": [
        lambda s: s.fault("Security", 302, location="https://portal.example"),
        lambda s: s.answer(b'["neither a list of ARM"]'),
    ],
    "api-version-refused": [
        lambda s: s.fault("Security", 400, b'{"error":{"code":"InvalidApiVersionParameter","message":"no"}}')
    ],
    "next-link": [lambda s: s.answer(b'{"value":[],"nextLink":"https://example.com/more"}')],
}
"""What goes wrong, and each way in which it is brought about."""

ELSEWHERE = {
    "sign-in-failing", "managed-identity-absent", "read-broken", "stopped", "folder-unusable",
    "database-absent", "database-held", "database-foreign", "database-newer", "database-unwritable",
    "feeds-malformed", "feeds-overlap", "secret-unset", "query-wrong", "work-is-published", "report-unwritable",
    "export-unwritable", "clock-implausible", "database-damaged", "heartbeat-failing",
    "database-outdated", "query-subscription", "journal-damaged", "journal-held", "journal-unwritable",
    "metrics-unwritable", "not-published", "port-taken",
    "run-unpublished", "store-behind", "ui-host-malformed",
    "answers-ended", "encoding-unknown", "locale-too-small", "setting-unknown", "view-unknown",
    "answer-unusable", "answer-too-large", "secret-echoed", "sign-in-elsewhere",
    "schedule-malformed", "catalog-malformed", "catalog-unreachable", "password-in-setting", "extension-missing",
    "store-busy", "database-older", "lake-not-empty", "move-unfinished", "runs-in-parallel", "queue-missing",
    "catalog-read-only", "data-path-differs", "object-store-refused", "no-such-moment",
    "root-group-unreadable",
    "query-writes", "query-reaches-out", "path-absent", "database-reaches-out", "export-outside", "export-foreign",
    "export-layout-malformed", "file-foreign", "file-unwritable", "env-unreadable", "env-exposed", "value-unwritable",
    "setting-too-long", "home-unknown", "working-directory-gone", "instance-unusable", "system-refused", "unforeseen",
}  # fmt: skip
"""What other tests bring about: lasting faults that are waited for, the database's, and those of feeds.yaml."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "bring_about"),
    [
        pytest.param(name, way, id=f"{name}-{number}")
        for name, ways in MISTAKES.items()
        for number, way in enumerate(ways)
    ],
)
def test_each_mistake_is_named_with_its_resolution(stage, name, bring_about):
    bring_about(stage)
    wrong = [step for step in stage.diagnose() if step.failure]
    assert {step.failure for step in wrong} == {name}, wrong
    for step in wrong:
        assert step.says.endswith(f"[{name}]")
        assert stage.azure.application.secret not in step.says
    if other := getattr(stage.azure, "other", None):
        other.__exit__(None, None, None)


def close(connection):
    connection.close()


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_and(end, size=1 << 16, answer=b""):
    """Read up to so many bytes of the greeting, say something, then end the connection: bytes left unread reset it."""

    def cut(connection):
        connection.recv(size)
        connection.sendall(answer)
        end(connection)

    return cut


CUTS = {
    "closed at once": close,
    "reset at once": reset,
    "closed after the greeting": read_and(close),
    "closed amid the greeting": read_and(close, size=5),
    "reset after the greeting": read_and(reset),
    "speaks no TLS": read_and(close, answer=b"HTTP/1.1 400 Bad Request\r\n\r\n"),
}


@contextmanager
def door(cut):
    """Listen, and end each connection in one way; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            while True:
                connection, _ = listening.accept()
                if closing.is_set():
                    connection.close()
                    return
                cut(connection)

        closing = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            closing.set()
            socket.create_connection(listening.getsockname()).close()
            thread.join()


# Of a socket that is reset before TLS is begun, Python's ssl leaves a half-made one to the garbage collection.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <.*Socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_handshake_is_called_by_its_name_however_it_is_cut(stage, cut):
    with door(cut) as port:
        stage.set(SECSCORE_ARM_ENDPOINT=f"https://localhost:{port}")
        for _ in range(5):
            assert [step.failure for step in stage.diagnose() if step.failure] == ["tls-broken"]


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_proxy_that_cuts_the_connection_is_named(stage, cut):
    with door(cut) as port:
        stage.set(HTTPS_PROXY=f"http://127.0.0.1:{port}")
        assert [step.failure for step in stage.diagnose() if step.failure] == ["proxy-failing"]


def test_every_failure_of_the_catalogue_is_brought_about_somewhere():
    assert MISTAKES.keys() | ELSEWHERE == FAILURES.keys()
    assert len(MISTAKES) >= 35


def test_a_metadata_service_that_is_not_there_is_named(stage):
    stage.monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"http://127.0.0.1:{stage.closed_port()}")
    stage.set(AZURE_CLIENT_SECRET="", AZURE_CLIENT_ID="")
    assert [step.failure for step in stage.diagnose() if step.failure] == ["managed-identity-absent"]


CERTIFICATE_FORMS = [
    "PEM",
    "PEM with a password",
    "PFX",
    "PEM with its chain first",
    "PFX with a chain",
    "PEM in UTF-16",
    "PEM with a mark and CRLF",
]


@pytest.mark.parametrize("form", CERTIFICATE_FORMS)
def test_a_certificate_signs_in(stage, form):
    private_key, authority = key(), key()
    signed = certificate(private_key)
    stage.azure.application.certificates.append(signed.public_bytes(Encoding.PEM))
    content, password = {
        "PEM": (pem_of(private_key, signed), ""),
        "PEM with a password": (pem_of(private_key, signed, b"open"), "open"),
        "PFX": (pfx_of(private_key, signed, b"open"), "open"),
        "PEM with its chain first": (
            pem_of(private_key, certificate(authority)) + signed.public_bytes(Encoding.PEM),
            "",
        ),
        "PFX with a chain": (
            serialize_key_and_certificates(
                b"x", private_key, signed, [certificate(authority)], BestAvailableEncryption(b"open")
            ),
            "open",
        ),
        "PEM in UTF-16": (pem_of(private_key, signed).decode().encode("utf-16"), ""),
        "PEM with a mark and CRLF": (codecs.BOM_UTF8 + pem_of(private_key, signed).replace(b"\n", b"\r\n"), ""),
    }[form]
    stage.use_certificate(content, password)
    assert [step for step in stage.diagnose() if step.failure] == []


def test_a_certificate_of_another_key_does_not_sign_in(stage):
    """The thumbprint alone proves nothing: the local Azure checks the signature."""
    registered, other = key(), key()
    signed = certificate(registered)
    stage.azure.application.certificates.append(signed.public_bytes(Encoding.PEM))
    claims = {"aud": f"{stage.azure.url}/{stage.azure.world.tenant_id}/oauth2/v2.0/token", "exp": time.time() + 600}
    client_id = stage.azure.application.client_id
    thumbprint = base64.urlsafe_b64encode(signed.fingerprint(hashes.SHA256())).rstrip(b"=").decode()
    assertion = jwt.encode(
        {**claims, "iss": client_id, "sub": client_id, "jti": GUID}, other, "PS256", {"x5t#S256": thumbprint}
    )
    answer = requests.post(
        claims["aud"],
        data={
            "grant_type": "client_credentials",
            "client_id": client_id,
            "scope": f"{stage.azure.url}/.default",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        },
        verify=str(stage.azure.ca_bundle),
        timeout=DEADLINE,
    )
    assert answer.status_code == 401
    assert answer.json()["error_codes"] == [50027]


def test_a_platforms_token_signs_in_and_is_read_anew_when_it_was_replaced(stage):
    stage.use_platform(expires_in=-60)
    assert {step.failure for step in stage.diagnose() if step.failure} == {"assertion-rejected"}
    stage.use_platform()
    assert [step for step in stage.diagnose() if step.failure] == []


@pytest.mark.parametrize("assigned_by", ["the system", "a user"])
def test_a_managed_identity_signs_in_by_the_metadata_service(stage, assigned_by):
    stage.use_machine(client_id=stage.azure.application.client_id if assigned_by == "a user" else "")
    assert [step for step in stage.diagnose() if step.failure] == []


def test_a_managed_identity_signs_in_by_app_service(stage):
    stage.use_machine()
    stage.monkeypatch.delenv("AZURE_POD_IDENTITY_AUTHORITY_HOST")
    stage.monkeypatch.setenv("IDENTITY_ENDPOINT", f"{stage.azure.url}/msi/token")
    stage.monkeypatch.setenv("IDENTITY_HEADER", stage.azure.entra.identity_header)
    assert [step for step in stage.diagnose() if step.failure] == []


def scope_of(azure, monkeypatch, **settings):
    with monkeypatch.context() as environment:
        for name, text in {**azure.settings(), "AZURE_SUBSCRIPTION_IDS": "*", **settings}.items():
            environment.setenv(name, text)
        connection = AzureConnection.from_environment()
        return set(connection.subscriptions(connection.listing()))


def test_the_scope_is_discovered_page_by_page_and_narrowed(local_azure, monkeypatch):
    azure = local_azure(World(subscriptions=25), page_size=10)
    everything = azure.world.subscriptions
    first = next(iter(everything.values()))
    first.state = State.DISABLED
    enabled = everything.keys() - {first.subscription_id}
    assert scope_of(azure, monkeypatch) == enabled
    inside = {one.subscription_id for one in everything.values() if one.group in ("landing-zones", "corp", "online")}
    assert inside
    assert scope_of(azure, monkeypatch, AZURE_MANAGEMENT_GROUP_ID="landing-zones") == inside & enabled
    named = {one.subscription_id for one in everything.values() if "-prod-" in one.name} & enabled
    assert scope_of(azure, monkeypatch, SECSCORE_INCLUDE="*-PROD-*") == named
    assert scope_of(azure, monkeypatch, SECSCORE_EXCLUDE="*-prod-*") == enabled - named
    one = min(named)
    assert scope_of(azure, monkeypatch, SECSCORE_INCLUDE=one) == {one}


@pytest.mark.slow
def test_a_discovered_subscription_is_picked_up_and_one_that_vanished_leaves_the_scope(local_azure, store):
    azure = local_azure(World(subscriptions=3))
    store.use(azure, "*")
    store.sync()
    gone, *_ = azure.world.subscriptions
    del azure.world.subscriptions[gone]
    new = azure.world.add_subscription(GUID)
    store.sync()
    coverage = dict(
        store.query("select subscription_id, is_in_scope from posture.coverage where event_type = 'secure_scores'")
    )
    assert coverage[gone] is False
    assert coverage[new.subscription_id] is True
    assert len(coverage) == 4


def test_the_connection_is_tried_in_the_ui(stage):
    from secscore_pipeline.definitions import defs

    def run():
        for name, text in stage.settings.items():
            stage.monkeypatch.setenv(name, text)
        with dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance:
            return defs.resolve_job_def("test_connection").execute_in_process(
                instance=instance, raise_on_error=False, resources={"azure": AzureConnection.from_environment()}
            )

    assert run().success
    stage.be(State.FORBIDDEN)
    failed = run()
    assert not failed.success
    (event,) = [event for event in failed.all_events if event.is_step_failure]
    assert "[forbidden]" in event.step_failure_data.user_failure_data.description
    assert len(event.step_failure_data.user_failure_data.metadata["steps"].records) == 7


@pytest.mark.slow
def test_a_hundred_subscriptions_are_counted_and_failures_listed(local_azure, tmp_path):
    azure = local_azure(World(subscriptions=100, mixed=True), latency=0.05)
    done = secscore("test-connection", cwd=tmp_path, env=azure.settings(), check=1)
    forbidden = next(one for one in azure.world.subscriptions.values() if one.state is State.FORBIDDEN)
    assert f"98 of 100 subscriptions read; 1 has no score yet; 1 forbidden: {forbidden.name}." in done.stdout
    assert "✓ secure_scores, secure_score_controls: 98 read: " in done.stdout
    assert " and 88 more." in done.stdout
    assert f"✗ secure_scores, secure_score_controls: 1 forbidden: {forbidden.name}. GET" in done.stderr
    assert done.stderr.count("[forbidden]") == 1
    assert f"The sign-in host, {azure.url}, answers" in done.stdout
    assert f"Azure Resource Manager, {azure.url}, answers" in done.stdout
    assert len(done.stdout.splitlines()) == 8
    shown = json.loads(secscore("test-connection", "--json", cwd=tmp_path, env=azure.settings(), check=1).stdout)
    assert len(shown["steps"]) == 205
    assert {step["state"] for step in shown["steps"]} == {"passed", "warned", "failed"}


def test_the_proxy_is_named_without_its_password(stage):
    proxy = stage.closed_port()
    stage.monkeypatch.setenv("HTTPS_PROXY", f"http://me:a-secret-word@127.0.0.1:{proxy}")
    (wrong,) = [step for step in stage.diagnose() if step.failure]
    assert f"The sign-in host, localhost, cannot be reached through the proxy 127.0.0.1:{proxy}." in wrong.says
    assert "a-secret-word" not in wrong.says


def test_a_wrong_setting_ends_the_test_with_two(tmp_path):
    assert "[credential-missing]" in secscore("test-connection", cwd=tmp_path, check=2).stderr


@pytest.mark.slow
def test_init_writes_a_file_for_its_owner_alone_and_tries_the_connection(local_azure, tmp_path):
    azure = local_azure(World(subscriptions=2))
    settings = azure.settings()
    secret = tmp_path / "secret"
    secret.write_text(settings["AZURE_CLIENT_SECRET"] + "\n")
    others = [
        part
        for name in ("SECSCORE_ARM_ENDPOINT", "SECSCORE_CA_BUNDLE")
        for part in ("--set", f"{name}={settings[name]}")
    ]
    done = secscore(
        "init", "--token-url", f"{azure.url}/{settings['AZURE_TENANT_ID']}/oauth2/v2.0/token",
        "--client-key", settings["AZURE_CLIENT_ID"], "--client-secret-file", str(secret), *others,
        "--subscription-id", next(iter(azure.world.subscriptions)), cwd=tmp_path,
    )  # fmt: skip
    assert "1 of 1 subscriptions read." in done.stdout
    assert settings["AZURE_CLIENT_SECRET"] not in done.stdout + done.stderr
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    secscore("init", "--subscription-id", "*", cwd=tmp_path)
    assert "2 of 2 subscriptions read." in secscore("test-connection", cwd=tmp_path).stdout


def test_init_refuses_what_is_wrong_and_writes_nothing(tmp_path):
    done = secscore("init", "--tenant", "contoso", "--client-id", GUID, cwd=tmp_path, check=2)
    assert "[tenant-malformed]" in done.stderr
    assert not (tmp_path / ".env").exists()
    secscore("init", "--set", "AZURE_CLIENT_SECRET=x", cwd=tmp_path, check=2)
    secscore("init", "--token-url", "https://login.microsoftonline.com", cwd=tmp_path, check=2)


@pytest.mark.parametrize("custom", [[], ["--custom-role"]])
@pytest.mark.parametrize("where", [["--subscription-id", GUID], ["--management-group", "landing-zones"]])
def test_the_recipes_of_the_identity_grant_reading_alone(tmp_path, custom, where):
    printed = secscore("azure-setup", *where, *custom, cwd=tmp_path).stdout
    assert "SecurityEvents.Read.All" in printed
    secscore("azure-setup", *where, *custom, "--write", "setup", cwd=tmp_path)
    texts = {path.name: path.read_text() for path in (tmp_path / "setup").iterdir()}
    assert set(texts) == {"setup.sh", "role.bicep", "main.tf"}
    below_a_group = "--management-group" in where
    for text in texts.values():
        assert ("Secure Score Reader" if custom or below_a_group else "Security Reader") in text
        assert ("managementGroups/descendants/read" in text) is below_a_group
        assert "write" not in "".join(line for line in text.splitlines() if "Microsoft." in line and "/" in line)
        assert text.count("{") == text.count("}")
    subprocess.run(["/bin/sh", "-n", str(tmp_path / "setup" / "setup.sh")], check=True)
    secscore("azure-setup", "--name", 'x"; rm -rf /', cwd=tmp_path, check=2)


@pytest.mark.parametrize(
    ("options", "grants"), [([], False), (["--recommendations"], False), (["--custom-role", "--recommendations"], True)]
)
def test_the_custom_role_reads_recommendations_where_that_is_asked_for(tmp_path, options, grants):
    printed = secscore("azure-setup", "--subscription-id", GUID, *options, cwd=tmp_path).stdout
    for action in ("Microsoft.Security/assessments/read", "Microsoft.Security/assessmentMetadata/read"):
        assert printed.count(action) == (3 if grants else 0)
    assert printed.count("Microsoft.Security/secureScores/read") == (3 if grants else 0)


def test_a_credential_that_ends_soon_is_warned_of(local_azure, store):
    azure = local_azure(World(subscriptions=1))
    soon = (datetime.now(UTC) + timedelta(days=10)).date()
    for day, passed in ((soon, False), (soon + timedelta(days=300), True)):
        store.use(azure, SECSCORE_SECRET_EXPIRES=day.isoformat())
        (found,) = [
            check for check in store.sync().get_asset_check_evaluations() if check.check_name == "credential_lasts"
        ]
        assert found.passed is passed
        assert found.severity is dg.AssetCheckSeverity.WARN
