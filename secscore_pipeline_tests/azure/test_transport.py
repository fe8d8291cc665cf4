"""The client against a misbehaving Azure: what is passing is retried, what is wrong is refused, by real sockets."""

import gc
import itertools
import json
import logging
import socket
import threading
import warnings
import weakref
from collections import defaultdict
from dataclasses import replace

import hypothesis
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util.retry import Retry

from secscore_pipeline.azure.arm import MAX_EMPTY_PAGES, ArmClient, Patience
from secscore_pipeline.azure.clouds import Cloud
from secscore_pipeline.azure.credentials import ClientSecret
from secscore_pipeline.azure.errors import Outcome, ReadResult
from secscore_pipeline.azure.event_types import (
    ASSESSMENT_METADATA,
    ASSESSMENTS,
    SECURE_SCORE_CONTROLS,
    SECURE_SCORES,
    discard_page,
    fetch,
    fetch_all,
)
from secscore_pipeline.azure.pages import MAX_PAGES
from secscore_pipeline.azure.session import Session
from secscore_pipeline.azure.tokens import MsalTokenSource
from secscore_pipeline.clock import utc_now
from secscore_pipeline.emulator import arm
from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.server import LocalAzure
from secscore_pipeline.emulator.world import World
from testbed.listener import Listener

QUICK = Patience(
    Retry(total=3, status_forcelist=(408, 429, 500, 502, 503, 504), backoff_factor=0.01, retry_after_max=1),
    connect_timeout=2,
    read_timeout=10,
    deadline=30,
)
HASTY = replace(QUICK, read_timeout=0.5)


def tokens_of(azure, patience=QUICK):
    application = azure.application
    credential = ClientSecret(azure.world.tenant_id, application.client_id, application.secret)
    retry = Retry(total=3, backoff_factor=0.01)
    return MsalTokenSource(credential, Cloud(azure.url, azure.url), str(azure.ca_bundle), retry, patience.read_timeout)


def client_of(azure, patience=QUICK, arm_endpoint=None):
    cloud = Cloud(azure.url, arm_endpoint or azure.url)
    return ArmClient(cloud, tokens_of(azure, patience), str(azure.ca_bundle), 8, patience)


class KeptRecords(defaultdict):
    """The records of each page of each subscription, as they arrived; an instance is what `fetch` calls."""

    def __init__(self):
        super().__init__(list)

    def __call__(self, _event_type, subscription_id, page):
        assert page.number == len(self[subscription_id]) + 1  # each page once, in order
        self[subscription_id].append(page.records)


def look(azure, event_type=SECURE_SCORE_CONTROLS, patience=QUICK, keep=discard_page):
    return fetch(client_of(azure, patience), event_type, next(iter(azure.world.subscriptions)), utc_now, keep)


@pytest.mark.parametrize("event_type", [SECURE_SCORE_CONTROLS, ASSESSMENTS], ids=lambda event_type: event_type.name)
@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.STATUS, "subscriptions", times=2, status=429, headers={"retry-after": "0"}),
        Fault(Kind.STATUS, "subscriptions", times=2, status=429),
        Fault(
            Kind.STATUS, "subscriptions", times=1, status=429, headers={"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}
        ),
        Fault(Kind.STATUS, "subscriptions", times=1, status=429, headers={"retry-after": "soon"}),
        Fault(Kind.STATUS, "subscriptions", times=2, status=500, body=b'{"error":{"code":"InternalServerError"}}'),
        Fault(Kind.STATUS, "subscriptions", times=2, status=502, body=b"<html>bad gateway</html>"),
        Fault(Kind.STATUS, "subscriptions", times=2, status=503),
        Fault(Kind.STATUS, "subscriptions", times=2, status=504),
        Fault(Kind.STATUS, "subscriptions", times=1, status=200, body=b"<html>captive portal</html>"),
        Fault(Kind.RESET, "subscriptions", times=2),
        Fault(Kind.STALL, "subscriptions", times=1, position=100),
        Fault(Kind.CUT, "subscriptions", times=2, position=0),
        Fault(Kind.CUT, "subscriptions", times=2, position=1000),
        Fault(Kind.GZIP, "subscriptions", times=2),
        Fault(Kind.HANDSHAKE, times=2),
    ],
    ids=lambda fault: (
        f"{fault.kind}-{fault.status}-{len(fault.body)}-{fault.position}-{fault.headers.get('retry-after')}"
    ),
)
def test_a_passing_fault_leaves_no_trace(local_azure, fault, event_type):
    azure = local_azure(World(subscriptions=1, assessments=30), page_size=20)
    undisturbed, disturbed = KeptRecords(), KeptRecords()
    look(azure, event_type, keep=undisturbed)
    fault = replace(fault, struck=0)
    azure.faults.append(fault)
    found = look(azure, event_type, HASTY if fault.kind is Kind.STALL else QUICK, disturbed)
    assert fault.struck == fault.times
    assert found.outcome is Outcome.COMPLETE
    assert disturbed == undisturbed
    assert found.records == sum(map(len, *disturbed.values())) > 0
    assert found.pages == len(found.request_ids) == len(*disturbed.values())


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault(Kind.STATUS, "subscriptions", status=429), Outcome.THROTTLED),
        (Fault(Kind.STATUS, "subscriptions", status=503), Outcome.FAILED),
        (Fault(Kind.RESET, "subscriptions"), Outcome.FAILED),
        (Fault(Kind.CUT, "subscriptions", position=10), Outcome.FAILED),
    ],
)
def test_a_lasting_fault_is_an_outcome_with_a_reason(local_azure, fault, outcome):
    azure = local_azure(World(subscriptions=1))
    azure.faults.append(fault)
    found = look(azure)
    assert found.outcome is outcome
    assert found.error
    assert fault.struck == QUICK.retry.total + 1


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        (Fault(Kind.STATUS, times=2, status=429), None),
        (Fault(Kind.STATUS, times=2, status=500), None),
        (Fault(Kind.CUT, times=2, position=500), None),
        (Fault(Kind.EMPTY, times=MAX_EMPTY_PAGES - 1), None),
        (Fault(Kind.TRAIL), None),
        (Fault(Kind.STATUS, status=429), "throttled"),
        (Fault(Kind.STATUS, status=500), "azure-failing"),
        (Fault(Kind.STATUS, status=403, body=b'{"error":{"code":"AuthorizationFailed"}}'), "forbidden"),
        (Fault(Kind.CUT, position=500), "read-broken"),
        (Fault(Kind.RESET), "read-broken"),
        (Fault(Kind.EMPTY), "next-link"),
        (Fault(Kind.REPEAT), "next-link"),
    ],
    ids=lambda value: value if isinstance(value, str) else value and f"{value.kind}-{value.status}-{value.times}",
)
def test_a_fault_in_the_middle_of_a_long_list_is_waited_out_or_is_its_outcome(local_azure, fault, failure):
    azure = local_azure(World(subscriptions=1, assessments=400), page_size=10)
    undisturbed, disturbed = KeptRecords(), KeptRecords()
    assert look(azure, ASSESSMENTS, keep=undisturbed).pages > 40
    fault = replace(fault, struck=0)
    requests = itertools.count(1)

    def strike_the_twentieth(_):
        if next(requests) == 20:
            azure.faults.append(fault)

    azure.on_arm_request = strike_the_twentieth
    found = look(azure, ASSESSMENTS, keep=disturbed)
    assert fault.struck
    assert found.failure == failure
    before, after = (
        [record for page in kept for record in page] for kept in (*undisturbed.values(), *disturbed.values())
    )
    assert 100 < len(after) == len(set(after))  # no page twice, whatever was tried again
    if failure is None:
        assert (found.outcome, found.records, found.error) == (Outcome.COMPLETE, len(after), None)
        assert after == before
    else:
        assert (found.outcome.result, found.pages, found.records) == (ReadResult.NOT_READ, 0, 0)
        assert after == before[: len(after)] != before


def test_no_more_than_a_page_of_a_list_is_in_memory(local_azure):
    azure = local_azure(World(subscriptions=1, assessments=100), page_size=5)
    pages = []

    def keep(_event_type, _subscription_id, page):
        pages.append(weakref.ref(page))
        assert sum(page() is not None for page in pages) <= 2  # the one before goes as soon as this one is taken

    found = look(azure, ASSESSMENTS, keep=keep)
    assert found.pages == len(pages) > 20


@pytest.mark.parametrize("event_type", [ASSESSMENTS, ASSESSMENT_METADATA], ids=lambda event_type: event_type.name)
@pytest.mark.parametrize(
    ("known", "refusals"),
    [
        (("2025-05-04", "2021-06-01", "2020-01-01"), 0),
        (("2021-06-01", "2020-01-01"), 1),
        (("2020-01-01",), 2),
    ],
)
def test_the_newest_api_version_that_azure_knows_is_read(local_azure, monkeypatch, event_type, known, refusals):
    azure = local_azure(World(subscriptions=1), page_size=50)
    monkeypatch.setitem(arm._VERSIONS, event_type.collection, known)
    client, kept = client_of(azure), KeptRecords()
    (subscription_id,) = azure.world.subscriptions
    path = f"GET {event_type.path(subscription_id)}"
    found = fetch(client, event_type, subscription_id, utc_now, kept)
    assert (found.outcome, found.http_status, found.error) == (Outcome.COMPLETE, 200, None)
    assert found.api_version == known[0]
    assert azure.requests[path] == found.pages + refusals
    text = "".join(record for page in kept[subscription_id] for record in page)
    marks = {"assessments": ('"risk"', '"statusChangeDate"'), "assessment_metadata": ('"tactics"', '"tactics"')}
    assert [mark in text for mark in marks[event_type.name]] == {
        0: [True, True], 1: [event_type is ASSESSMENT_METADATA, True], 2: [False, False],
    }[refusals]  # fmt: skip
    azure.requests.clear()
    assert fetch(client, event_type, subscription_id, utc_now).records == found.records
    assert azure.requests[path] == found.pages  # what was refused is not asked for again


@pytest.mark.parametrize("code", ["InvalidApiVersionParameter", "NoRegisteredProviderFound", "UnsupportedApiVersion"])
def test_an_azure_that_knows_no_api_version_of_a_list_is_an_outcome_with_a_reason(local_azure, code):
    azure = local_azure(World(subscriptions=1))
    fault = Fault(Kind.STATUS, "assessments", status=400, body=json.dumps({"error": {"code": code}}).encode())
    azure.faults.append(fault)
    found = look(azure, ASSESSMENTS)
    assert (found.outcome, found.failure) == (Outcome.FAILED, "api-version-refused")
    assert found.api_version is None
    assert found.error_code == code
    assert fault.struck == 3  # one for each version, none of them tried again


@pytest.mark.parametrize(
    ("body", "tries", "outcome"),
    [
        (b'{"error":{"code":"GatewayTimeout","message":"later"}}', 4, Outcome.FAILED),
        (b'{"Error":{"Code":"TooManyRequests","Message":"slow"}}', 4, Outcome.THROTTLED),
        (b'{"error":{"code":"AuthorizationFailed","message":"no"}}', 1, Outcome.FORBIDDEN),
    ],
)
def test_an_error_that_is_sent_with_200_is_that_error(local_azure, body, tries, outcome):
    azure = local_azure(World(subscriptions=1))
    fault = Fault(Kind.STATUS, "secureScores", status=200, body=body)
    azure.faults.append(fault)
    found = look(azure, SECURE_SCORES)
    assert (found.outcome, fault.struck) == (outcome, tries)
    assert found.error_code in body.decode()


@pytest.mark.parametrize(
    "body", [b'\xef\xbb\xbf{"value":[{"name":"a"}]}', b'{"value":null}', b'\xef\xbb\xbf{"value":null,"nextLink":null}']
)
def test_a_list_in_another_dress_is_read(local_azure, body):
    azure = local_azure(World(subscriptions=1))
    (subscription_id,) = azure.world.subscriptions
    azure.arm.verbatim[subscription_id, "secureScores"] = body
    found = look(azure, SECURE_SCORES)
    assert found.outcome is (Outcome.COMPLETE if b"name" in body else Outcome.NO_SCORE)
    assert found.error is None


def test_a_wait_of_no_seconds_is_never_shorter_than_the_back_off(local_azure):
    azure = local_azure(World(subscriptions=1))
    fault = Fault(Kind.STATUS, "secureScores", times=2, status=429, headers={"retry-after": "0"})
    azure.faults.append(fault)
    slow = replace(QUICK, retry=QUICK.retry.new(backoff_factor=0.5, backoff_jitter=0))
    found = look(azure, SECURE_SCORES, slow)
    assert found.outcome is Outcome.COMPLETE
    assert (found.finished_at - found.started_at).total_seconds() >= 1.0  # urllib3 waits from the second try on


def test_a_token_that_expired_is_renewed_once_for_all_threads(local_azure):
    azure = local_azure(World(subscriptions=20))
    client = client_of(azure)
    client.sign_in()
    assert azure.entra.tokens_issued == 1
    azure.entra.revoke_all()
    looks = list(fetch_all(client, [SECURE_SCORES], list(azure.world.subscriptions), utc_now))
    assert {found.outcome for found in looks} == {Outcome.COMPLETE}
    assert azure.entra.tokens_issued == 2


def test_a_claims_challenge_is_answered(local_azure):
    azure = local_azure(World(subscriptions=1))
    challenge = 'Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="'
    azure.faults.append(
        Fault(Kind.STATUS, "subscriptions", times=1, status=401, headers={"www-authenticate": challenge})
    )
    assert look(azure).outcome is Outcome.COMPLETE
    assert azure.entra.tokens_issued == 2


@pytest.mark.parametrize(
    "link",
    [
        "https://example.com/next",
        "http://localhost/next",
        "https://localhost.example.com/next",
        "//localhost/next",
        "https://user@localhost/next",
        "https://localhost:1/next",
        "https://localhost:port/next",
    ],
)
def test_a_next_link_elsewhere_gets_no_token(local_azure, link):
    azure = local_azure(World(subscriptions=1))
    (subscription_id,) = azure.world.subscriptions
    azure.arm.verbatim[subscription_id, "secureScores"] = json.dumps({"value": [], "nextLink": link}).encode()
    found = look(azure, SECURE_SCORES)
    assert found.outcome is Outcome.FAILED
    assert "the token was not sent there" in (found.error or "")


def test_a_next_link_in_a_circle_ends(local_azure):
    azure = local_azure(World(subscriptions=1))
    (subscription_id,) = azure.world.subscriptions
    url = (
        f"{azure.url}/subscriptions/{subscription_id}/providers/Microsoft.Security/secureScores?api-version=2020-01-01"
    )
    azure.arm.verbatim[subscription_id, "secureScores"] = json.dumps({"value": [], "nextLink": url}).encode()
    assert "was read already" in (look(azure, SECURE_SCORES).error or "")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([{"name": "ascScore"}], f"did not end after {MAX_PAGES} pages"),
        ([], f"{MAX_EMPTY_PAGES} pages without records one after the other"),
    ],
)
def test_a_list_that_never_ends_is_given_up(local_azure, value, problem):
    azure = local_azure(World(subscriptions=1))
    (subscription_id,) = azure.world.subscriptions
    list_url = f"{azure.url}/subscriptions/{subscription_id}/providers/Microsoft.Security/secureScores"

    def one_more(count):
        link = f"{list_url}?api-version=2020-01-01&$skipToken={count}"
        azure.arm.verbatim[subscription_id, "secureScores"] = json.dumps({"value": value, "nextLink": link}).encode()

    azure.on_arm_request = one_more
    found = look(azure, SECURE_SCORES)
    assert (found.outcome, found.failure, found.pages, found.records) == (Outcome.FAILED, "next-link", 0, 0)
    assert problem in (found.error or "")


def test_a_list_that_takes_too_long_is_given_up_between_pages(local_azure):
    azure = local_azure(World(subscriptions=1), page_size=1, latency=0.2)
    found = look(azure, SECURE_SCORE_CONTROLS, replace(QUICK, list_deadline=1.0))
    assert found.outcome is Outcome.FAILED
    assert (found.pages, found.records) == (0, 0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
BODY = st.one_of(
    JSON.map(lambda value: json.dumps(value).encode()),
    st.lists(JSON, max_size=5).map(lambda records: json.dumps({"value": records}).encode()),
    st.fixed_dictionaries({"value": st.lists(JSON, max_size=2), "nextLink": JSON}).map(
        lambda document: json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
    ),
    st.binary(max_size=50),
)


def test_whatever_the_body_is_the_look_ends_with_an_outcome_and_records_as_received(local_azure):
    azure = local_azure(World(subscriptions=1))
    (subscription_id,) = azure.world.subscriptions
    client = client_of(azure, Patience(Retry(total=0), connect_timeout=2, read_timeout=2, deadline=10))

    @hypothesis.settings(max_examples=150, deadline=None)
    @given(body=BODY)
    def any_body(body):
        azure.arm.verbatim[subscription_id, "secureScores"] = body
        kept = KeptRecords()
        found = fetch(client, SECURE_SCORES, subscription_id, utc_now, kept)
        assert found.outcome in (Outcome.COMPLETE, Outcome.NO_SCORE) or found.error
        for record in (record for page in kept[subscription_id] for record in page):
            assert record.encode() in body

    any_body()


def test_an_answer_that_is_refused_for_its_headers_leaves_no_connection_open():
    def answer(connection):
        connection.recv(1 << 16)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\nConnection: close\r\n\r\n{}")

    listener = Listener(answer)
    session = Session(allow_http=True)
    try:
        with pytest.raises(requests.exceptions.InvalidHeader) as raised:
            session.get(f"http://127.0.0.1:{listener.port}/")
    finally:
        listener.close()
        session.close()
    raised.value.itself = raised.value  # as whatever keeps an error in a circle, with all that its frames refer to
    del raised
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


def test_a_cookie_is_not_sent_back():
    heard = []

    def answer(connection):
        heard.append(connection.recv(1 << 16).lower())
        headers = b"Content-Length: 2\r\nConnection: close\r\nSet-Cookie: mark=of-a-cookie; Path=/"
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n\r\n{}")

    listener = Listener(answer)
    try:
        with Session(allow_http=True) as session:
            for _ in range(2):
                assert session.get(f"http://localhost:{listener.port}/", headers={"X-Mark": "ours"}).text == "{}"
    finally:
        listener.close()
    assert [b"x-mark: ours" in request for request in heard] == [True, True]
    assert not any(b"of-a-cookie" in request for request in heard)
    assert b"accept-encoding: gzip" in heard[1]


def test_a_throttled_subscription_holds_up_no_other(local_azure):
    azure = local_azure(World(subscriptions=6))
    throttled = next(iter(azure.world.subscriptions))
    azure.faults.append(Fault(Kind.STATUS, throttled, times=1, status=429, headers={"retry-after": "1"}))
    looks = list(fetch_all(client_of(azure), [SECURE_SCORES], list(azure.world.subscriptions), utc_now))
    assert {found.outcome for found in looks} == {Outcome.COMPLETE}
    assert looks[-1].subscription_id == throttled


def test_one_broken_subscription_of_many_stops_nobody(local_azure):
    azure = local_azure(World(subscriptions=10))
    broken = next(iter(azure.world.subscriptions))
    azure.faults.append(Fault(Kind.CUT, broken, position=5))
    looks = list(fetch_all(client_of(azure), [SECURE_SCORES], list(azure.world.subscriptions), utc_now))
    assert {found.subscription_id for found in looks if found.outcome is not Outcome.COMPLETE} == {broken}


def test_stopping_leaves_no_thread_behind(local_azure):
    azure = local_azure(World(subscriptions=30))
    azure.faults.append(Fault(Kind.STATUS, "subscriptions", status=429, headers={"retry-after": "1"}))
    looks = fetch_all(client_of(azure), [SECURE_SCORES], list(azure.world.subscriptions), utc_now)
    next(looks)
    looks.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("arm")]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.STATUS, "oauth2", times=2, status=503, body=b"<html>unavailable</html>"),
        Fault(Kind.STATUS, "oauth2", times=1, status=429, headers={"retry-after": "1"}),
        Fault(Kind.STATUS, "openid-configuration", times=2, status=500, body=b"<html>"),
        Fault(Kind.RESET, "oauth2", times=2),
        Fault(Kind.CUT, "openid-configuration", times=2, position=10),
        Fault(Kind.STALL, "openid-configuration", times=1, position=10),
        Fault(Kind.STALL, "oauth2", times=1, position=0),
    ],
    ids=lambda fault: f"{fault.path}-{fault.kind}-{fault.status}",
)
def test_a_passing_fault_of_the_sign_in_is_waited_out(local_azure, fault):
    azure = local_azure(World(subscriptions=1))
    azure.faults.append(fault)
    assert look(azure, patience=HASTY if fault.kind is Kind.STALL else QUICK).outcome is Outcome.COMPLETE
    assert fault.struck == fault.times


def test_a_refused_sign_in_is_asked_for_once(local_azure):
    azure = local_azure(World(subscriptions=50))
    azure.application.secret += "-changed"
    client = client_of(azure)
    azure.application.secret += "-again"
    looks = list(fetch_all(client, [SECURE_SCORES], list(azure.world.subscriptions), utc_now))
    assert len(looks) == 50
    assert all("AADSTS7000215" in (found.error or "") for found in looks)
    assert sum(count for request, count in azure.requests.items() if "oauth2" in request) == 1


def test_an_azure_that_is_not_up_yet_is_waited_for():
    azure = LocalAzure(World(subscriptions=1))  # its port is taken and refuses connections until it is started
    retries = []

    class StartAtTheFirstRetry(logging.Handler):
        def emit(self, record):
            if "trying again" in record.getMessage() and not retries:
                retries.append(record)
                azure.__enter__()

    log = logging.getLogger("secscore_pipeline.azure.tokens")
    handler = StartAtTheFirstRetry()
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        assert look(azure).outcome is Outcome.COMPLETE
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)
        azure.__exit__(None, None, None)
    assert retries


def test_a_tls_handshake_that_is_cut_is_tried_again_and_then_explained(local_azure):
    azure = local_azure(World(subscriptions=1))
    turned_away = []
    door = Listener(turned_away.append)  # each connection is cut before TLS is agreed on
    client = client_of(azure, arm_endpoint=f"https://localhost:{door.port}")
    found = fetch(client, SECURE_SCORES, next(iter(azure.world.subscriptions)), utc_now)
    door.close()
    assert found.outcome is Outcome.FAILED
    assert "could not be read" in (found.error or "")
    assert len(turned_away) > 3


def test_a_refused_connection_is_tried_again_and_then_explained(local_azure):
    azure = local_azure(World(subscriptions=1))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        client = client_of(azure, arm_endpoint=f"https://localhost:{free.getsockname()[1]}")
        found = fetch(client, SECURE_SCORES, next(iter(azure.world.subscriptions)), utc_now)
    assert found.outcome is Outcome.FAILED
    assert "its retries included" in (found.error or "")


def test_a_tenth_of_faults_leaves_the_data_as_it_would_have_been(local_azure):
    azure = local_azure(World(subscriptions=60))
    ids = list(azure.world.subscriptions)
    # A tenth of all requests fails: with ten tries, one request in ten billion fails each time.
    patient = replace(QUICK, retry=QUICK.retry.new(total=9))

    def records():
        kept = KeptRecords()
        looks = fetch_all(client_of(azure, patient), [SECURE_SCORE_CONTROLS], ids, utc_now, kept)
        assert {found.subscription_id: found.pages for found in looks} == {one: len(kept[one]) for one in ids}
        return kept

    undisturbed = records()
    azure.faults += [
        Fault(Kind.STATUS, "subscriptions", share=0.03, status=429, headers={"retry-after": "0"}, seed=2),
        Fault(Kind.STATUS, "subscriptions", share=0.03, status=503, seed=3),
        Fault(Kind.RESET, "subscriptions", share=0.02, seed=4),
        Fault(Kind.CUT, "subscriptions", share=0.02, position=500, seed=5),
    ]
    assert records() == undisturbed
    assert sum(fault.struck for fault in azure.faults) > 3
