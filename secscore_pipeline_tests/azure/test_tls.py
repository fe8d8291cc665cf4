"""Connections of one client: what is trusted is read once, and a later one resumes the TLS session of an earlier."""

import ssl
import threading

import pytest
import requests

from secscore_pipeline.azure.session import Session
from secscore_pipeline.azure.tls import SharedTrust
from secscore_pipeline.emulator.world import World


@pytest.fixture
def session(local_azure):
    azure = local_azure(World(subscriptions=1))
    session = Session(str(azure.ca_bundle), 4)
    session.url = f"{azure.url}/{azure.world.tenant_id}/v2.0/.well-known/openid-configuration"
    return session


def get_side_by_side(session, count):
    """Have so many requests under way at once, each on a connection of its own."""
    together = threading.Barrier(count)
    answers = []

    def get():
        together.wait()
        answers.append(session.get(session.url, stream=True).status_code)

    threads = [threading.Thread(target=get) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_a_later_connection_resumes_the_session_of_an_earlier_one(session, monkeypatch):
    made = []
    wrap = ssl.SSLContext.wrap_socket

    def note(context, *args, **options):
        connection = wrap(context, *args, **options)
        made.append((connection.session_reused, context))
        return connection

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", note)
    assert session.get(session.url, headers={"Connection": "close"}).status_code == 200
    assert session.get(session.url).status_code == 200
    assert [is_resumed for is_resumed, _ in made] == [False, True]
    assert made[0][1] is made[1][1]


def test_what_is_trusted_is_read_once_for_all_connections(session, monkeypatch):
    read = []
    load = ssl.SSLContext.load_verify_locations
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *args: (read.append(args[1]), load(*args))[-1])
    assert get_side_by_side(session, 4) == [200] * 4
    assert read == [session.ca_bundle]


def test_what_one_session_trusts_another_one_does_not(session):
    session.get(session.url)
    with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        Session(None, 1).get(session.url)


def test_certificates_that_cannot_be_read_are_an_error_each_time(tmp_path):
    trust = SharedTrust(ssl.SSLSocket)
    (tmp_path / "broken.pem").write_text("no certificate")
    for _ in range(2):
        with pytest.raises(Exception, match=r"\[X509\]|NO_CERTIFICATE"):
            trust.get_context(str(tmp_path / "broken.pem"), None)
