"""Everything that was found so far, each as a case: what once broke something, and what was withstood."""

from secscore_pipeline_tests.fuzzing.answers import bomb, chunked, deep, discovery, encoded, head, plain, redirect
from secscore_pipeline_tests.fuzzing.cases import (
    ArmCase,
    Case,
    ChannelCase,
    CommandCase,
    Damage,
    DatabaseCase,
    FeedsCase,
    ListingCase,
    RecordsCase,
    SettingsCase,
    SignInCase,
)
from secscore_pipeline_tests.fuzzing.leaks import ENCODINGS
from secscore_pipeline_tests.fuzzing.servers import FOREVER, Answer, Send

_GUID = "00000000-0000-0000-0000-00000000000a"
_OK = "HTTP/1.1 200 OK"
_CHUNKED = head(_OK, [("Transfer-Encoding", "chunked")])
_SUBSCRIPTION = {"subscriptionId": _GUID, "displayName": "a", "state": "Enabled", "tenantId": _GUID}


def _arm(*answers: Answer) -> ArmCase:
    return ArmCase(answers)


def _linked(link: object) -> ArmCase:
    return _arm(plain(encoded({"value": [], "nextLink": link})))


def _raw(data: bytes, ending: str = "close") -> Answer:
    return Answer((Send(data),), ending)  # type: ignore[arg-type]


def _endless(begin: bytes, endless: bytes, pause: float = 0.0) -> Answer:
    return Answer((Send(begin), Send(endless, FOREVER, pause)), "hold")


def _token(body: bytes, status: int = 200) -> SignInCase:
    return SignInCase("token", (plain(body, status),))


def _listed(*records: object, at: str = "subscriptions", **more: object) -> ListingCase:
    return ListingCase(at, (plain(encoded({"value": records, **more})),))  # type: ignore[arg-type]


def _records(event_type: str, *records: str) -> RecordsCase:
    return RecordsCase(({event_type: f'{{"value": [{", ".join(records)}]}}'.encode()},))


def _control(name: str, numeral: str) -> str:
    """Return a control one of whose numbers is what a numeral says."""
    numbers = {
        "max": "10",
        "current": "5",
        "percentage": "0.5",
        "weight": "3",
        "unhealthyResourceCount": "1",
        name: numeral,
    }
    fields = [f'"{field}": {text}' for field, text in numbers.items()]
    place = f"/subscriptions/{_GUID}/providers/Microsoft.Security/secureScores/ascScore/secureScoreControls"
    properties = f'"displayName": "x", "score": {{{", ".join(fields[:3])}}}, {", ".join(fields[3:])}'
    return f'{{"id": "{place}/{name}-{numeral[:12].strip(chr(34))}", "name": "x", "properties": {{{properties}}}}}'


def _assessment(number: int, **properties: object) -> str:
    """Return an assessment of which some properties are odd."""
    record = {
        "id": f"/subscriptions/{_GUID}/providers/Microsoft.Security/assessments/{number}",
        "name": "x",
        "properties": {"displayName": "x", "status": {"code": "Unhealthy"}, **properties},
    }
    return encoded(record).decode()


def _aliases(levels: int, width: int, form: str) -> FeedsCase:
    lines = ["a0: &a0 x"]
    for level in range(1, levels):
        inner = [form.format(n=n, alias=f"*a{level - 1}") for n in range(width)]
        opened, closed = ("{", "}") if "k" in form else ("[", "]")
        lines.append(f"a{level}: &a{level} {opened}{', '.join(inner)}{closed}")
    return FeedsCase("\n".join([*lines, f"feeds: *a{levels - 1}"]).encode())


_LINKS = {
    "bracket": "https://[", "closing bracket": "https://]", "user": "https://user:pw@${AWAY}/x", "user here": "https://u@localhost/",
    "trailing dot": "https://localhost./x", "IPv6": "https://[::1]/x", "bad IPv6": "https://[::1", "punycode": "https://xn--lcalhost-6fg/",
    "another port": "${AWAY}/x", "http": "http://localhost/x", "plain": "${PLAIN}/x", "relative": "/subscriptions", "CRLF": "\r\nX-Evil: 1",
    "header in path": "${HERE}/x\r\nX-Evil: 1", "port that is none": "https://localhost:port/", "huge port": "https://localhost:99999999/",
    "escapes": "${HERE}/\x1b[2J\x1b]8;;https://example.com\x07\u202e", "number": 5, "list": [], "half a surrogate": "https://\ud800/",
    "backslash": "${HERE}\\@${AWAY}/", "without host": "https://", "by address": "${OTHER_NAME}/x",
}  # fmt: skip

_RETRIES = {
    "5,000 digits": "9" * 5000, "negative": "-1", "fraction": "0.5", "infinite": "inf", "another script": "٣", "far": "Wed, 21 Oct 9999999 07:28:00 GMT",
    "no date": "Thu, 99 Foo 2015 07:28:00", "words": "soon", "empty": "",
}  # fmt: skip

FOUND: dict[str, Case] = {
    # One bad answer.
    **{f"nextLink: {name}": _linked(link) for name, link in _LINKS.items()},
    "nextLink without end": _arm(plain(b'{"value": [{}], "nextLink": "${HERE}/subscriptions/x?skip=${COUNT}"}')),
    **{
        f"Retry-After: {name}": _arm(plain(b"", 429, ("Retry-After", text))) for name, text in _RETRIES.items()
    },
    "JSON 100,000 deep": _arm(plain(deep(100_000))),
    "an error 100,000 deep": _arm(plain(deep(100_000), 403)),
    "a record 100,000 deep": _arm(plain(b'{"value": [' + deep(100_000) + b"]}")),
    "a record of 5,000 digits": _arm(plain(b'{"value": [' + b"9" * 5000 + b"]}")),
    "an error that is no UTF-8": _arm(plain(b'{"error": {"code": "\xff"}}', 403)),
    "a list that is no UTF-8": _arm(plain(b'{"value": ["\xff"]}')),
    "half a surrogate pair": _arm(plain(b'{"value": ["\\ud800"]}')),
    "a byte order mark": _arm(plain(b"\xef\xbb\xbf${PROPER}")),
    "UTF-16": _arm(plain(b"\xff\xfe{\x00}\x00")),
    "a charset that there is not": _arm(_raw(head(_OK, [("Content-Type", "a/b; charset=nonsense")]) + b"{")),
    "a trailing byte": _arm(plain(b"${PROPER}\x00")),
    "a 401 whose claims are no text": _arm(
        plain(b"", 401, ("WWW-Authenticate", 'Bearer error="insufficient_claims", claims="gICA"'))
    ),
    "a 401 whose claims are a number": _arm(
        plain(b"", 401, ("WWW-Authenticate", 'Bearer error="insufficient_claims", claims="NQ=="'))
    ),
    # HTTP that is none.
    **{
        f"chunk size {size[:10]!r}": _arm(_raw(_CHUNKED + chunked(b'{"value": []}', [size])))
        for size in ("-1", "-5", "zz", "", "ffffffffffffffff", "5" * 5000, "0x5")
    },
    "HTTP 0.9": _arm(_raw(b'{"value": []}')),
    "HTTP 1.0": _arm(_raw(b'HTTP/1.0 200 OK\r\n\r\n{"value": []}')),
    "no answer": _arm(_raw(b"")),
    "a reset": _arm(_raw(b"HTTP/1.1 200 OK\r\n", "reset")),
    "two lengths": _arm(_raw(head(_OK, [("Content-Length", "5"), ("Content-Length", "6")]) + b"{}")),
    "a negative length": _arm(_raw(head(_OK, [("Content-Length", "-1")]) + b"{}")),
    "a body cut short": _arm(_raw(head(_OK, [("Content-Length", "999")]) + b'{"value": [')),
    **{f"status {status}": _arm(plain(b"{}", status)) for status in (0, 99, 102, 199, 206, 299, 418, 451, 599, 999, 1200)},
    "150 headers": _arm(_raw(head(_OK, [("X-A", "b")] * 150) + b"{}")),
    "a header of 200 kB": _arm(_raw(head(_OK, [("X-A", "b" * 200_000)]) + b"{}")),
    "NUL in a header": _arm(_raw(head(_OK, [("x-ms-request-id", "a\0b")]) + b'{"value": []}')),
    **{
        f"a redirect {status} to {place}": _arm(plain(b"", status, ("Location", place)))
        for status in (301, 302, 303, 307, 308)
        for place in ("${AWAY}/x", "${PLAIN}/x", "https://[")
    },
    # Time and memory.
    "100 Continue for ever": _arm(_endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    "103 for ever, slowly": _arm(_endless(b"", b"HTTP/1.1 103 Early\r\nA: b\r\n\r\n", 0.05)),
    "a byte each 0.2 s": _arm(_endless(head(_OK, [("Content-Length", "1000000")]), b" ", 0.2)),
    "a chunk each 0.2 s": _arm(_endless(_CHUNKED, b"1\r\n \r\n", 0.2)),
    "headers that drip": _arm(_endless(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", 0.2)),
    "a status line that drips": _arm(_endless(b"HTTP/1.1 200 ", b"O", 0.2)),
    "headers for ever": _arm(_endless(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n")),
    "a header line for ever": _arm(_endless(b"HTTP/1.1 200 OK\r\nX-A: ", b"b" * 1000)),
    "a chunk of -1 for ever": _arm(_endless(_CHUNKED + b"-1\r\n", b" " * 1000)),
    "a chunk of -1, slowly": _arm(_endless(_CHUNKED + b"-1\r\n", b" ", 0.1)),
    "chunks for ever": _arm(_endless(_CHUNKED, b"1000\r\n" + b" " * 4096 + b"\r\n")),
    "chunk extensions for ever": _arm(_endless(_CHUNKED, b"1;" + b"x" * 10_000)),
    "trailers for ever": _arm(_endless(_CHUNKED + b"0\r\n", b"X-A: b\r\n", 0.01)),
    "a body for ever": _arm(_endless(head(_OK, [("Content-Length", "1000000000000")]), b" " * 1000)),
    "an error's body for ever": _arm(_endless(head("HTTP/1.1 500 No"), b"x" * 1000)),
    "gzip for ever": _arm(_endless(head(_OK, [("Content-Encoding", "gzip")]), b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03")),
    "silence": _arm(Answer((Send(b""),), "hold")),
    "a gzip bomb": _arm(_raw(head(_OK, [("Content-Encoding", "gzip")]) + bomb(400))),
    "a gzip bomb in an error": _arm(_raw(head("HTTP/1.1 403 No", [("Content-Encoding", "gzip")]) + bomb(400))),
    # A secret that comes back.
    "the token as an error code": _arm(plain(b'{"error": {"code": "${CREDENTIAL:plain}", "message": "x"}}', 403)),
    "the token as a request id": _arm(plain(b'{"value": []}', 200, ("x-ms-request-id", "${CREDENTIAL:plain}"))),
    "an error code that is an object": _arm(plain(b'{"error": {"code": {"a": ["${CREDENTIAL:plain}"]}}}', 400)),
    "escapes as a request id": _arm(plain(b'{"value": []}', 200, ("x-ms-request-id", "\x1b[2J" + "x" * 5000))),
    **{
        f"the token in a message, {name}": _arm(
            plain(f'{{"error": {{"code": "x", "message": "<p>${{CREDENTIAL:{name}}}</p>"}}}}'.encode(), 400)
        )
        for name in ENCODINGS
        if name not in ("json", "html")
    },
    "a chunk that ends in the middle of the token": _arm(
        _raw(_CHUNKED + b"10\r\n<p>${CREDENTIAL:plain}</p>\r\n0\r\n\r\n", "reset")
    ),
    "the token in the status line": _arm(_raw(b"HTTP/1.1 403 ${CREDENTIAL:plain}\r\n\r\n")),
    # Sign-in that follows the server elsewhere.
    **{
        f"the token endpoint answers {status} to {place}": SignInCase("token", (redirect(status, place),))
        for status in (301, 302, 303, 307, 308)
        for place in ("${AWAY}", "${PLAIN}", "${OTHER_NAME}")
    },
    **{
        f"discovery answers {status} to {place}": SignInCase(
            "discovery", (plain(b"", status, ("Location", f"{place}/${{TENANT}}/v2.0/.well-known/openid-configuration")),)
        )
        for status in (302, 307)
        for place in ("${AWAY}", "${PLAIN}", "${OTHER_NAME}")
    },
    **{
        f"discovery names {place}": SignInCase("discovery", (discovery(f"{place}/${{TENANT}}/oauth2/v2.0/token"),))
        for place in ("${AWAY}", "${AWAY_BY_ADDRESS}", "${PLAIN}", "${OTHER_NAME}", "https://[", "${HERE}@${AWAY}", "", "x")
    },
    "discovery names nothing": SignInCase("discovery", (plain(b"{}"),)),
    "discovery of other types": SignInCase("discovery", (discovery(True, authorization_endpoint=[], issuer={}),)),
    # Token answers.
    **{
        f"a token answer {body.decode()!r}": _token(body)
        for body in (b"[]", b"null", b"5", b"true", b'""', b"", b"{}", b"[1]", b'{"access_token": []}', b'{"access_token": null}')
    },
    **{
        f"expires_in {lifetime!r}": _token(encoded({"access_token": "x", "token_type": "Bearer", "expires_in": lifetime}))
        for lifetime in ("abc", [], {}, None, -1, 10**30, "9" * 100, 1.5, True, "٣")
    },
    **{
        f"an access token {token[:20]!r}": _token(encoded({"access_token": token, "expires_in": 3600}))
        for token in ("", " ", "a\r\nX-Evil: 1", "é", "\0", "x" * 1_000_000)
    },
    "a token answer with a trailing byte": _token(b"${PROPER}x"),
    "a token answer 100,000 deep": _token(deep(100_000)),
    "an error of other types": _token(encoded({"error": [1], "error_description": {"a": 1}, "error_codes": "x"}), 400),
    "an error code without end": _token(encoded({"error": "x", "error_codes": [10**400]}), 401),
    **{
        f"a token answer that repeats the request, {status}": _token(b"<html>${REQUEST}</html>", status)
        for status in (200, 400, 403, 407, 502)
    },
    **{
        f"a token answer with the secret, {name}": _token(f"<p>${{CREDENTIAL:{name}}}</p>".encode(), 400)
        for name in ENCODINGS
    },
    **{
        f"an AADSTS error with the secret, {name}": _token(
            f'{{"error": "invalid_client", "error_description": "you sent ${{CREDENTIAL:{name}}}", "error_codes": [1]}}'.encode(),
            401,
        )
        for name in ("plain", "percent", "base64", "base64-1", "json-all")
    },
    "a token answer that drips": SignInCase("token", (_endless(head(_OK, [("Content-Length", "1000000")]), b" ", 0.1),)),
    "a token answer for ever": SignInCase("token", (_endless(head(_OK, [("Content-Length", "1000000000000")]), b" " * 1000),)),
    "a discovery that drips": SignInCase("discovery", (_endless(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", 0.1),)),
    # Listings.
    "an id of 5,000 digits": ListingCase("subscriptions", (plain(b'{"value": [{"subscriptionId": ' + b"9" * 5000 + b"}]}"),)),
    "an id that is a path": _listed({**_SUBSCRIPTION, "subscriptionId": "x/../../tenants"}),
    "an id with escapes": _listed({**_SUBSCRIPTION, "subscriptionId": "\x1b[2J\u202e"}),
    "ids of other types": _listed({**_SUBSCRIPTION, "subscriptionId": {"a": 1}}, [], None, 5, "x"),
    "a name of other types": _listed({**_SUBSCRIPTION, "displayName": [{}], "state": 5, "tags": "x"}),
    "a tenant that is a path": _listed({**_SUBSCRIPTION, "tenantId": "../../x?y#z"}),
    "a listing 100,000 deep": ListingCase("subscriptions", (plain(deep(100_000)),)),
    "a listing of nothing": _listed(),
    "a listing's nextLink": _listed(_SUBSCRIPTION, nextLink="https://["),
    "groups in a circle": _listed({"id": "/a", "properties": {"parent": {"id": "/a"}}}, at="descendants"),
    "groups of other types": _listed({"id": 5}, {"id": "x", "properties": []}, at="descendants"),
    "groups' nextLink": _listed(at="descendants", nextLink="https://["),
    # Records.
    "numbers that no score has": _records("secure_score_controls", *(
        _control(name, numeral)
        for name, numeral in (
            ("unhealthyResourceCount", "2147483648"),
            ("unhealthyResourceCount", "-1"),
            ("weight", "1" + "0" * 308),
            ("weight", "1e308"),
            ("weight", "2147483648"),
            ("max", "1e308"),
            ("current", "1e400"),
            ("percentage", "1e308"),
            ("percentage", '"NaN"'),
            ("max", "9" * 5000),
            ("current", '"inf"'),
            ("max", "0"),
        )
    )),
    "assessments with odd dates, names that occur twice, and nothing in place of an object": _records("assessments", *(
        _assessment(number, **properties)
        for number, properties in enumerate((
            {"status": {"code": "Unhealthy", "firstEvaluationDate": "1999-12-31T00:00:00Z"}},
            {"status": {"code": "Unhealthy", "statusChangeDate": "2300-01-01T00:00:00Z"}},
            {"resourceDetails": {"Id": "a", "id": "b"}}, {"resourceDetails": None}, {"additionalData": {"a": 1}}, {"status": None},
        ))
    ), f'{{"id": "/subscriptions/{_GUID}/providers/Microsoft.Security/secureScores/ascScore", "name": "a", "name": "b"}}'),
    "an assessment with half of a surrogate pair": _records("assessments", _assessment(1, displayName="\ud800")),
    "a recommendation's HTML": RecordsCase((
        {
            "assessments": b'{"value": [' + _assessment(1).encode() + b"]}",
            "assessment_metadata": encoded({"value": [{"name": "x", "properties": {
                "description": f"<p style='padding-left: {'9' * 400}em'>a", "remediationDescription": f"<p style='{'style:' * 3000}'>b",
            }}]}),
        },
    )),
    # Alerts.
    **{
        f"{channel} answers {status}": ChannelCase(channel, (plain(b"{}", status, ("Location", "${AWAY}/hook")),))  # type: ignore[arg-type]
        for channel in ("slack", "teams", "webhook")
        for status in (204, 302, 307, 400, 404, 500)
    },
    **{
        f"Slack answers {body.decode()!r}": ChannelCase("slack", (plain(body),))
        for body in (b"[]", b"null", b"{}", b'{"ok": false}', b'{"ok": "true"}', b"ok", b"", b"[1]")
    },
    "Slack refuses with the token": ChannelCase("slack", (plain(b'{"ok": false, "error": "${CREDENTIAL:plain}"}'),)),
    "a webhook asks for an hour": ChannelCase("webhook", (plain(b"", 429, ("Retry-After", "3600")),)),
    **{
        f"{channel} drips": ChannelCase(channel, (_endless(head(_OK, [("Content-Length", "1000000")]), b" ", 0.2),))  # type: ignore[arg-type]
        for channel in ("slack", "teams", "webhook")
    },
    # Settings and feeds.
    "the secret as tenant": SettingsCase({"AZURE_TENANT_ID": "${SECRET}"}),
    "the secret as client": SettingsCase({"AZURE_CLIENT_ID": "${SECRET}", "AZURE_CLIENT_SECRET": _GUID}),
    "the secret as subscription": SettingsCase({"AZURE_SUBSCRIPTION_IDS": "${SECRET}"}),
    "the secret as cloud": SettingsCase({"AZURE_CLOUD": "${SECRET}"}),
    "the secret as its day": SettingsCase({"SECSCORE_SECRET_EXPIRES": "${SECRET}"}),
    "the secret as authority": SettingsCase({"AZURE_AUTHORITY_HOST": "https://user:${SECRET}@localhost"}),
    "the secret as a number": SettingsCase({"SECSCORE_MAX_CONNECTIONS": "${SECRET}", "SECSCORE_RETENTION_DAYS": "${SECRET}"}),
    "the secret as a choice": SettingsCase({"SECSCORE_PARTIAL_FAILURE": "${SECRET}", "SECSCORE_EXPORTS": "${SECRET}"}),
    "a database at a path longer than the system takes": SettingsCase({"SECSCORE_DATABASE": "a/" * 2300}),
    "a database beside which no name fits": SettingsCase({"SECSCORE_DATABASE": "/" + "a/" * 2040 + "b.duckdb"}),
    "the secret as credentials' name": SettingsCase({"AZURE_TOKEN_CREDENTIALS": "${SECRET}"}),
    "numbers of 5,000 digits": SettingsCase(
        dict.fromkeys(("SECSCORE_MAX_CONNECTIONS", "SECSCORE_BATCH_SIZE", "SECSCORE_RETENTION_DAYS"), "9" * 5000)
    ),
    "nobody's home": SettingsCase({"SECSCORE_DATABASE": "~nouser/x.duckdb", "SECSCORE_REPORT": "~nouser/r.html"}),
    "an export behind a cache": SettingsCase({"SECSCORE_EXPORT_URL": "simplecache::ftp://user:${SECRET}@127.0.0.1:1/x"}),
    "an alert to a bracket": SettingsCase({"SECSCORE_ALERT_WEBHOOK": "https://[", "SECSCORE_ALERT_SLACK_URL": "https://["}),
    "aliases that grow": _aliases(12, 9, "{alias}"),
    "aliases that grow in mappings": _aliases(30, 4, "k{n}: {alias}"),
    "a list in itself": FeedsCase(b"feeds: &f [*f]\n"),
    "a list as key": FeedsCase(b"feeds:\n- ? [a]\n  : b\n"),
    "100,000 brackets": FeedsCase(b"[" * 100_000),
    "NUL in feeds": FeedsCase(b"feeds: \x00"),
    "a tag that makes objects": FeedsCase(b"feeds: !!python/object/apply:os.system [id]\n"),
    # Damaged files.
    **{
        f"{command} on a {file} file that is {how}": DatabaseCase(file, damage, command)  # type: ignore[arg-type]
        for file, how, damage, command in (
            ("published", "empty", Damage("empty"), "status"),
            ("published", "cut in half", Damage("cut", 0.5), "query"),
            ("published", "no database", Damage("replace", data=b"hello"), "status"),
            ("work", "empty", Damage("empty"), "sync"),
            ("work", "cut in half", Damage("cut", 0.5), "sync"),
            ("work", "flipped in the middle", Damage("flip", 0.5, b"\x01\x80\x10"), "maintain"),
            ("work", "flipped near its end", Damage("flip", 0.9, b"\x01\x80\x10"), "sync"),
            ("work", "flipped at its head", Damage("flip", 0.0, b"\x01"), "sync"),
            ("published", "flipped at its head", Damage("flip", 0.0, b"\x01"), "status"),
            ("work", "beside a log of something else", Damage("log", data=b"not a log"), "sync"),
            ("work", "lost", Damage("lose"), "sync"),
            ("published", "a folder", Damage("folder"), "status"),
        )
    },
}  # fmt: skip
"""Each by what it is."""

COMMANDS: dict[str, CommandCase] = {
    "a proxy's page that repeats the request": CommandCase(
        ("--verbose", "test-connection"), "oauth2", (plain(b"<html>${REQUEST} ${CREDENTIAL:base64-1}</html>", 403),)
    ),
    "a token answer with a trailing byte": CommandCase(("--verbose", "sync"), "oauth2", (plain(b"${PROPER}x"),)),
    "a redirect of the token endpoint": CommandCase(("sync",), "oauth2", (redirect(307, "${AWAY}"),)),
    "a token that comes back": CommandCase(
        ("--verbose", "sync"),
        "secureScore",
        (plain(b'{"error": {"code": "${CREDENTIAL:plain}"}}', 403, ("x-ms-request-id", "${CREDENTIAL:plain}")),),
    ),
    "one hostile nextLink": CommandCase(
        ("sync",), "secureScores", (plain(b'{"value": [], "nextLink": "https://["}'), plain(b"${PROPER}"))
    ),
}
"""Those that are tried through the command line, in a process of its own: no secret in any byte."""

LONG = frozenset({"a gzip bomb", "a gzip bomb in an error", "nextLink without end"})
"""Those that take seconds even where all is right: `make fuzz` tries them."""
