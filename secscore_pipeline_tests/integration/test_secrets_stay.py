"""Where a credential goes, and what becomes of it when it comes back: over real sockets, through MSAL."""

import base64
import json
import logging
from urllib.parse import quote

import pytest

from secscore_pipeline.azure.errors import Outcome, RequestError, SignInError
from secscore_pipeline.azure.event_types import SECURE_SCORES, fetch
from secscore_pipeline.azure.subscriptions import SubscriptionListing
from secscore_pipeline.clock import utc_now
from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.server import LocalAzure
from secscore_pipeline.emulator.world import World
from secscore_pipeline.system.redaction import RedactingFormatter, redact, register_secrets
from secscore_pipeline_tests.azure.test_transport import client_of, tokens_of
from secscore_pipeline_tests.conftest import of_files, secscore
from secscore_pipeline_tests.fuzzing.leaks import written
from secscore_pipeline_tests.integration.test_security import MARK


@pytest.fixture(scope="module")
def azure():
    """Return a local Azure whose application has a secret that can be looked for."""
    with LocalAzure(World(subscriptions=2, mixed=False)) as azure:
        azure.application.secret = MARK
        yield azure


@pytest.fixture(scope="module")
def elsewhere():
    """Return a second host that would take whatever it is sent."""
    with LocalAzure(World(subscriptions=1)) as elsewhere:
        yield elsewhere


@pytest.fixture(autouse=True)
def _no_faults(azure, elsewhere):
    azure.faults.clear()
    elsewhere.requests.clear()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", ["oauth2", "openid-configuration"])
def test_a_redirect_of_the_sign_in_is_not_followed_and_names_both_hosts(azure, elsewhere, path, status):
    location = {"location": f"{elsewhere.url}/{azure.world.tenant_id}/oauth2/v2.0/token"}
    azure.faults.append(Fault(Kind.STATUS, path, status=status, headers=location))
    with pytest.raises(SignInError) as refused:
        tokens_of(azure).token()
    assert refused.value.failure == "sign-in-elsewhere"
    assert azure.url.removeprefix("https://") in str(refused.value)
    assert elsewhere.url.removeprefix("https://") in str(refused.value)
    assert not elsewhere.requests


@pytest.mark.parametrize(
    "endpoint",
    [
        "{elsewhere}/tenant/oauth2/v2.0/token",
        "http://localhost/tenant/oauth2/v2.0/token",
        "https://user@localhost/token",
        "//example.com/token",
        "https://[",
        "file:///etc/passwd",
        "",
        7,
    ],
)
def test_a_token_endpoint_on_another_host_gets_no_secret(azure, elsewhere, endpoint):
    named = endpoint.format(elsewhere=elsewhere.url) if isinstance(endpoint, str) else endpoint
    document = {"token_endpoint": named, "authorization_endpoint": f"{azure.url}/authorize", "issuer": azure.url}
    body = json.dumps(document).encode()
    azure.faults.append(Fault(Kind.STATUS, "openid-configuration", status=200, body=body))
    with pytest.raises(SignInError) as refused:
        tokens_of(azure).token()
    assert refused.value.failure == "sign-in-elsewhere"
    assert not elsewhere.requests
    assert not [request for request in azure.requests if request.startswith("POST") and "elsewhere" in request]


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b"null", b"5", b'"x"', b"", b"\xff\xfe", b"[" * 100_000, b'{"access_token": 7}',
        b'{"access_token": "a b\\u0000", "expires_in": 3599}', b'{"access_token": "abc", "expires_in": "abc"}',
        b'{"access_token": "abc", "expires_in": -1}', b'{"access_token": "abc", "expires_in": 1e999}',
        b'{"access_token": "abc", "expires_in": ' + b"9" * 5000 + b"}", b'{"access_token": "abc"} trailing',
        b'{"access_token": "abc", "expires_in": null}', b'{"error": ["x"], "error_codes": 7}', b'{"error_codes": [[]]}',
        b"{}", b'{"access_token": "abc", "expires_in": 3599, "scope": 5}',
    ],
    ids=lambda body: repr(body[:40]),
)  # fmt: skip
def test_whatever_the_token_endpoint_answers_is_a_refused_sign_in(azure, body):
    azure.faults.append(Fault(Kind.STATUS, "oauth2", status=200, body=body))
    with pytest.raises(SignInError):
        tokens_of(azure).token()


def test_an_answer_without_end_ends_the_sign_in(azure):
    azure.faults.append(Fault(Kind.STATUS, "oauth2", status=200, body=b'{"x": "' + b"a" * 3_000_000))
    with pytest.raises(SignInError, match="AnswerTooLargeError"):
        tokens_of(azure).token()


FORMS = {
    "as it is": str,
    "percent-encoded": lambda text: quote(text, safe=""),
    "percent-encoded, lower case": lambda text: quote(text, safe="").replace("%7E", "%7e"),
    "every byte percent-encoded": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of a pair": lambda text: base64.b64encode(f"id:{text}".encode()).decode(),
    "base64 of a form": lambda text: base64.urlsafe_b64encode(f"a={text}&b".encode()).decode(),
    "JSON": lambda text: "".join(f"\\u{ord(character):04x}" for character in text),
    "hexadecimal": lambda text: text.encode().hex(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_removed_in_every_encoding(form):
    secret = "q~/Zu+ö\"&<'=%-secret"
    register_secrets(secret)
    encoded = FORMS[form](secret)
    rest = redact(f"you sent {encoded}, did you?")
    assert rest.startswith("you sent ")
    assert rest.endswith(", did you?")
    assert len(rest) < len("you sent , did you?") + 13, rest  # of base64, what the bytes beside it are part of


PAGE = f"<html>You sent client_secret={quote(MARK)}&x {base64.b64encode(MARK.encode()).decode()} {MARK}</html>"


@pytest.mark.parametrize("status", [200, 400, 401, 403, 407, 502])
def test_a_proxy_that_echoes_the_sign_in_is_quoted_without_the_secret(azure, caplog, status):
    azure.faults.append(Fault(Kind.STATUS, "oauth2", status=status, body=PAGE.encode()))
    with caplog.at_level(logging.DEBUG), pytest.raises(SignInError) as refused:
        tokens_of(azure).token()
    heard = str(refused.value) + "".join(map(RedactingFormatter().format, caplog.records))
    assert not [name for name, form in FORMS.items() if form(MARK) in heard]


def test_a_proxy_that_echoes_the_sign_in_leaves_no_trace(azure, tmp_path):
    """Nothing of a library's on standard error without --verbose, and no secret in any byte with it."""
    azure.faults.append(Fault(Kind.STATUS, "oauth2", status=403, body=PAGE.encode()))
    env = {
        **azure.settings(),
        "DAGSTER_HOME": str(tmp_path / "dagster"),
        "SECSCORE_DATABASE": str(tmp_path / "s.duckdb"),
    }
    needles = [form(MARK).encode() for form in FORMS.values()]
    for arguments in (["sync"], ["--verbose", "sync"]):
        done = secscore(*arguments, cwd=tmp_path, env=env, check=1)
        printed = (done.stdout + done.stderr).encode()
        if "--verbose" not in arguments:
            assert b"Traceback" not in printed
            assert b"msal" not in printed
        for where, content in [("printed", printed), *written(tmp_path)]:
            assert not [needle for needle in needles if needle in content], where


def test_libraries_log_through_this_package_alone(azure):
    tokens_of(azure).token()
    for name in ("msal", "urllib3", "requests"):
        logger = logging.getLogger(name)
        assert not logger.propagate
        ours = [handler for handler in logger.handlers if not type(handler).__module__.startswith("_pytest")]
        assert [type(handler).__module__ for handler in ours] == ["secscore_pipeline.system.redaction"]


def test_the_password_of_a_proxy_is_removed_too(azure, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://somebody:pr0xy~pass@127.0.0.1:9")
    with pytest.raises(SignInError):
        tokens_of(azure).token()
    assert redact("http://somebody:pr0xy~pass@127.0.0.1:9") == "http://somebody:***@127.0.0.1:9"


def first_of(azure):
    return next(iter(azure.world.subscriptions))


HOSTILE_CODES = ["{token}", "\x1b]8;;https://example.com\x07", "a" * 101, "new\nline", "<b>", ["x"], {"a": 1}, 5, ""]


@pytest.mark.parametrize("code", HOSTILE_CODES, ids=repr)
@pytest.mark.parametrize("place", ["code", "message", "request id"])
def test_what_arm_says_is_bounded_before_it_is_kept(azure, code, place):
    client = client_of(azure)
    token = client._tokens.token()
    said = code.format(token=token) if isinstance(code, str) else code
    error = {"code": said if place == "code" else "Odd", "message": said if place == "message" else "no"}
    headers = {"x-ms-request-id": quote(str(said), safe=" <>{}")} if place == "request id" else {}
    body = json.dumps({"error": error}).encode()
    azure.faults.append(Fault(Kind.STATUS, "secureScores", status=400, headers=headers, body=body))
    found = fetch(client, SECURE_SCORES, first_of(azure), utc_now)
    assert found.outcome is Outcome.FAILED
    kept = json.dumps([found.error_code, found.error, found.request_ids], ensure_ascii=False)
    assert token not in kept
    assert "\x1b" not in kept
    assert found.error_code is None or found.error_code == "Odd"
    assert all(one is None or len(one) <= 100 for one in found.request_ids)


def test_a_body_that_holds_the_token_is_not_stored(azure):
    client = client_of(azure)
    body = json.dumps({"value": [{"name": client._tokens.token()}]}).encode()
    azure.faults.append(Fault(Kind.STATUS, "secureScores", status=200, body=body))
    kept = []
    found = fetch(client, SECURE_SCORES, first_of(azure), utc_now, lambda *page: kept.append(page))
    assert (found.outcome, found.failure, found.pages, kept) == (Outcome.FAILED, "secret-echoed", 0, [])


UNFORESEEN = {
    "a next link that is no URL": (200, b'{"value": [], "nextLink": "https://["}', {}),
    "a next link that is no text": (200, b'{"value": [], "nextLink": 5}', {}),
    "a next link with an escape sequence": (200, b'{"value": [], "nextLink": "https://a/\\u001b[2J"}', {}),
    "JSON a hundred thousand deep": (200, b'{"value": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", {}),
    "an error a hundred thousand deep": (400, b'{"error": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", {}),
    "a wait of five thousand digits": (503, b"", {"retry-after": "9" * 5000}),
    "a wait that is negative": (503, b"", {"retry-after": "-5"}),
    "a number of five thousand digits": (200, b'{"value": ' + b"9" * 5000 + b"}", {}),
    "half of a surrogate pair": (200, b'{"value": [{"name": "\\ud800"}]}', {}),
    "a redirect to nowhere": (302, b"", {"location": "https://["}),
    "a code of bytes that are no text": (400, b'{"error": {"code": "\xff\xfe"}}', {}),
}


@of_files
def test_an_answer_that_nobody_foresaw_costs_one_fetch(local_azure, store):
    azure = local_azure(World(subscriptions=len(UNFORESEEN) + 2, mixed=False))
    *struck, first, second = azure.world.subscriptions
    for subscription_id, (status, body, headers) in zip(struck, UNFORESEEN.values(), strict=True):
        path = f"{subscription_id}.*secureScores$"
        azure.faults.append(Fault(Kind.STATUS, path, status=status, body=body, headers=headers))
    store.use(azure)
    store.sync()
    by_outcome = "select subscription_id from raw.fetches where event_type = $type and outcome = $outcome and {}"

    def those(event_type, outcome, condition="true"):
        rows = store.query(by_outcome.format(condition), {"type": event_type, "outcome": outcome})
        return {subscription_id for (subscription_id,) in rows}

    assert those("secure_scores", "complete") == {first, second}
    assert those("secure_scores", "failed", "error is not null") == set(struck)
    assert those("secure_score_controls", "complete") == {*struck, first, second}


OTHER_RECORDS = [
    b"9" * 5000,
    b'{"subscriptionId": ' + b"9" * 5000 + b"}",
    b"[" * 50_000 + b"]" * 50_000,
    b'{"subscriptionId": "\\u001b[2J"}',
    b'{"subscriptionId": "../../x"}',
    b"null",
]


@pytest.mark.parametrize("record", OTHER_RECORDS, ids=lambda record: repr(record[:30]))
def test_a_listing_with_a_record_of_another_form_has_the_others(azure, record):
    good = json.dumps(azure.world.subscription_document(azure.world.subscriptions[first_of(azure)])).encode()
    body = b'{"value": [' + good + b"," + record + b"]}"
    azure.faults.append(Fault(Kind.STATUS, "^/subscriptions$", status=200, body=body))
    directory = SubscriptionListing(client_of(azure))
    if record.startswith(b"[["):  # nested deeper than any parser goes: the whole list is none
        with pytest.raises(RequestError, match="answer-unusable"):
            directory.visible  # noqa: B018 - asked for its error
    else:
        assert [one.subscription_id for one in directory.visible] == [first_of(azure)]
