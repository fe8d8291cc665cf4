"""Strategies for hostile answers: HTTP and what is around it, lists, tokens, and what services say of an alert."""

import gzip
import zlib
from collections.abc import Sequence
from functools import cache

from hypothesis import strategies as st

from secscore_pipeline_tests.fuzzing.leaks import ENCODINGS
from secscore_pipeline_tests.fuzzing.records import JSON, PLAIN_JSON, encoded, lists
from secscore_pipeline_tests.fuzzing.servers import FOREVER, Answer, Send

HERE = "${HERE}"

STATUSES = st.one_of(
    st.sampled_from(
        (200, 200, 200, 201, 204, 206, 301, 302, 303, 307, 308, 400, 401, 403, 404, 408, 409, 429, 500, 503)
    ),
    st.integers(0, 1200),
)
REDIRECTS = (301, 302, 303, 307, 308)

RETRY_AFTER = st.sampled_from(
    ("0", "-1", "soon", "9" * 5000, "1e5", "0.5", "inf", "nan", "٣", "  0 ", str(2**63), "Wed, 21 Oct 2015 07:28:00 GMT",
     "Wed, 21 Oct 9999999 07:28:00 GMT", "Thu, 99 Foo 2015 07:28:00", "", "0, 0")
)  # fmt: skip

PLACES = ("${AWAY}", "${AWAY_BY_ADDRESS}", "${PLAIN}", "${OTHER_NAME}", HERE)
"""Where a server may lead to; but for the last, a credential must not follow there."""

LINKS = st.one_of(
    st.sampled_from(
        ("https://[", "https://]", "https://[::1", "https://[v1.x]/", "//[", "https://", ":", "", " ", "\x00", "\r\nX-A: b",
         "https://localhost:port/", "https://localhost:99999999/", "https://localhost:-1/", "https://localhost:١/",
         "http://localhost/", "ftp://localhost/", "file:///etc/passwd", "javascript:alert(1)", "/subscriptions", "?x=1",
         "https://xn--/", "https://a..b/", "https://" + "a" * 300 + "/", "https://localhost%00/", "https://\ud800/",
         "${HERE}.example/", "${HERE}@${AWAY}/", "https://user:pw@${AWAY}/", "${HERE}\\@${AWAY}/", "${HERE}/\x1b[2J\u202e",
         "${HERE}/" + "x" * 100_000, "${HERE}/%00%0a%1b", "${HERE}/../../..", "${HERE}/subscriptions?api-version=2022-12-01")
    ),
    st.tuples(st.sampled_from(PLACES), st.text(max_size=20)).map("/".join),
    st.text(max_size=30),
    st.none() | st.integers() | st.booleans() | st.lists(st.text(max_size=3), max_size=2),
)  # fmt: skip


def deep(levels: int) -> bytes:
    """Return JSON of so many levels."""
    return b"[" * levels + b"]" * levels


@cache
def bomb(megabytes: int) -> bytes:
    """Return what gzip makes of so many megabytes of blanks between two brackets."""
    return gzip.compress(b'{"value": [' + b" " * (megabytes << 20) + b"]}", 9)


_BODIES = st.one_of(
    JSON.map(encoded),
    st.builds(lambda value, link: encoded({"value": value, "nextLink": link}), st.lists(PLAIN_JSON, max_size=3), LINKS),
    lists("secure_scores"),
    st.builds(
        lambda code, message, more: encoded({"error": {"code": code, "message": message, "details": more}}),
        JSON, JSON, JSON,
    ),
    st.sampled_from(
        (b"", b"{", b"null", b"[]", b"5", b'""', b'{"value": null}', b'{"value": {}}', b'{"value": [1, 2', b"${PROPER}",
         b"\xef\xbb\xbf${PROPER}", b"${PROPER}\x00", b"${PROPER}${PROPER}", b"<html>${REQUEST}</html>", b"\xff\xfe{\x00}\x00",
         b'{"value": []}', b'{"value": [{}]}', b'{"value": [], "nextLink": "${HERE}/subscriptions/x?skip=${COUNT}"}',
         b'{"value": [' + b"9" * 5000 + b"]}", b'{"value": [{"id": ' + b"9" * 5000 + b"}]}", b'{"a": "\\ud800"}',
         b'{"value": ["\xff"]}', b'{"value": ["\\ud800"]}', b'{"value": ' + deep(1000) + b"}")
    ),
    st.sampled_from((1_000, 100_000)).map(deep),
    st.binary(max_size=60),
    st.sampled_from(sorted(ENCODINGS)).map(lambda name: f"<p>${{CREDENTIAL:{name}}}</p>".encode()),
)  # fmt: skip

_HEADER_TEXTS = st.one_of(
    st.sampled_from(
        ("${CREDENTIAL:plain}", "${CREDENTIAL:base64}", "a" * 5000, "\x1b[2J", "00000000-0000-0000-0000-000000000000", "é", "",
         "x\x00y", "\x0b", "Bearer ${CREDENTIAL:plain}", "<b>", "a b")
    ),
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=20),
)  # fmt: skip

_HEADERS = st.one_of(
    RETRY_AFTER.map(lambda text: ("Retry-After", text)),
    _HEADER_TEXTS.map(lambda text: ("x-ms-request-id", text)),
    _HEADER_TEXTS.map(lambda text: ("x-ms-correlation-request-id", text)),
    st.sampled_from(("application/json", "application/json; charset=utf-16", "application/json; charset=nonsense",
                     "text/html; charset=" + "x" * 300, "", "multipart/form-data; boundary=")
                    ).map(lambda text: ("Content-Type", text)),
    st.sampled_from(("gzip", "deflate", "br", "zstd", "identity", "gzip, gzip", "nonsense")
                    ).map(lambda text: ("Content-Encoding", text)),
    st.sampled_from((*PLACES, "https://[", "", "//", "\x1b[2J")).map(lambda text: ("Location", text)),
    st.sampled_from(
        ('Bearer error="insufficient_claims", claims="e30="', 'Bearer error="insufficient_claims", claims="%%%"',
         'Bearer error="insufficient_claims", claims="W10="', 'Bearer error="insufficient_claims", claims="NQ=="',
         'Bearer error="insufficient_claims", claims="gICA"', "Negotiate", "Basic realm=x")
    ).map(lambda text: ("WWW-Authenticate", text)),
    st.just(("Set-Cookie", "a=b; Domain=localhost")),
    st.just(("Connection", "keep-alive")),
    st.tuples(st.sampled_from(("X-Any", "Date", "Server", "Trailer", "Upgrade")), _HEADER_TEXTS),
)  # fmt: skip

_FIRST_LINES = st.one_of(
    STATUSES.map(lambda status: f"HTTP/1.1 {status} Said"),
    STATUSES.map(lambda status: f"HTTP/1.1 {status} Said"),
    STATUSES.map(lambda status: f"HTTP/1.1 {status} Said"),
    st.sampled_from(
        ("HTTP/1.0 200 OK", "HTTP/0.9 200 OK", "HTTP/2 200", "HTTP/1.1 200", "HTTP/1.1", "", "ICY 200 OK", "HTTP/1.1 abc x",
         "HTTP/1.1 -200 OK", "HTTP/1.1 99999 OK", "HTTP/1.1 200 " + "x" * 70_000, "\x16\x03\x01", "SSH-2.0-OpenSSH",
         "HTTP/1.1 200 OK\x00", "HTTP/1.1 401 ${CREDENTIAL:plain}", "HTTP/1.1 503 ${CREDENTIAL:base64}")
    ),
)  # fmt: skip


def head(line: str, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """Return the bytes before a body."""
    return "".join(f"{part}\r\n" for part in (line, *(f"{name}: {text}" for name, text in headers), "")).encode(
        "utf-8", "backslashreplace"
    )


def plain(body: bytes, status: int = 200, *headers: tuple[str, str]) -> Answer:
    """Return an answer that is right as HTTP."""
    given = (("Content-Type", "application/json"), *headers, ("Content-Length", "${LENGTH}"), ("Connection", "close"))
    return Answer((Send(head(f"HTTP/1.1 {status} Said", given) + body),))


def chunked(body: bytes, sizes: Sequence[str]) -> bytes:
    """Return a body in chunks whose sizes are what a server says, true or not."""
    return b"".join(f"{size}\r\n".encode("latin-1", "replace") + body + b"\r\n" for size in sizes)


CHUNK_SIZES = st.sampled_from(
    (
        "-1",
        "-5",
        "0",
        "5",
        "ffffffffffffffff",
        "7fffffff",
        "1;x=y",
        "zz",
        "",
        " 5 ",
        "+5",
        "0x5",
        "5" * 5000,
        "1_0",
        "\u0665",
    )
)

ENDINGS = st.sampled_from(("close", "close", "close", "close", "reset"))


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Draw an HTTP answer of which any part may be wrong; it never takes long to send."""
    line, headers, body = draw(_FIRST_LINES), draw(st.lists(_HEADERS, max_size=4)), draw(_BODIES)
    names = {name for name, _ in headers}
    if "Content-Encoding" in names and draw(st.booleans()) and b"${" not in body:
        body = draw(
            st.sampled_from((gzip.compress(body), zlib.compress(body), gzip.compress(gzip.compress(body)), bomb(20)))
        )
    framing = draw(st.sampled_from(("right", "right", "right", "wrong", "chunked", "none")))
    if framing == "chunked":
        sizes = draw(st.lists(CHUNK_SIZES, max_size=3))
        true = draw(st.booleans()) and b"${" not in body
        pieces = [f"{len(body):x}", *sizes] if true else sizes
        return Answer(
            (Send(head(line, [*headers, ("Transfer-Encoding", "chunked")]) + chunked(body, pieces)),), draw(ENDINGS)
        )
    if framing == "wrong":
        length = draw(st.sampled_from(("-1", "0", "1", "999999", "abc", "9" * 5000, "", "5, 6", "1e3", "+5")))
        headers.append(("Content-Length", length))
    if framing == "right":
        headers.append(("Content-Length", "${LENGTH}"))
    headers.append(("Connection", "close"))
    before = draw(
        st.sampled_from((b"", b"", b"", b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early\r\na: b\r\n\r\n"))
    )
    data = before + head(line, headers) + body
    if draw(st.integers(0, 9)) == 0:
        data = data[: draw(st.integers(0, len(data)))]
    return Answer((Send(data),), draw(ENDINGS))


@st.composite
def slow_answers(draw: st.DrawFn) -> Answer:
    """Draw an answer that never ends: bytes that drip, headers, chunks or interim answers without end, or silence."""
    pause = draw(st.sampled_from((0.0, 0.0, 0.05, 0.2)))
    begin = draw(st.sampled_from(
        (b"", b"HTTP/1.1 200 OK\r\n", head("HTTP/1.1 200 OK", [("Content-Length", "1000000000000")]),
         head("HTTP/1.1 200 OK", [("Transfer-Encoding", "chunked")]),
         head("HTTP/1.1 200 OK", [("Transfer-Encoding", "chunked")]) + b"-1\r\n",
         head("HTTP/1.1 200 OK", [("Content-Encoding", "gzip")]), head("HTTP/1.1 503 Busy"), head("HTTP/1.1 302 Found"))
    ))  # fmt: skip
    endless = draw(st.sampled_from(
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"X-A: b\r\n", b"Retry-After: 0\r\n", b" ", b"x" * 65536, b"5\r\nabcde\r\n", b"[",
         b"HTTP/1.1 103 Early\r\nA: b\r\n\r\n", b"1;" + b"x" * 1000, b"\x1f\x8b\x08\x00", b'{"value": [], "a": "')
    ))  # fmt: skip
    times = draw(st.sampled_from((0, 1, FOREVER, FOREVER)))
    return Answer((Send(begin), Send(endless, times, pause)), draw(st.sampled_from(("hold", "close"))))


_TOKENS = st.one_of(
    JSON.map(encoded),
    st.sampled_from(
        (b"[]", b"null", b"5", b'""', b"true", b"{}", b"", b"${PROPER}x", b"\xef\xbb\xbf${PROPER}", b"${PROPER}\x00", b"[${PROPER}]",
         b"<html>${REQUEST}</html>", b"${REQUEST}", b'{"error": "${CREDENTIAL:plain}"}', deep(100_000), b"\xff\xfe\x00")
    ),
    st.sampled_from(sorted(ENCODINGS)).map(lambda name: f"<p>${{CREDENTIAL:{name}}}</p>".encode()),
    st.builds(
        lambda token, expires, kind: encoded({"access_token": token, "expires_in": expires, "token_type": kind}),
        JSON | st.sampled_from(("a\r\nX-Evil: 1", "é", "a" * 100_000, "", " ", "\x00")),
        JSON | st.sampled_from(("abc", -1, 10**30, "9" * 5000, None, [], 1e308, "3600")),
        JSON,
    ),
    st.builds(
        lambda name, said, codes, trace: encoded(
            {"error": name, "error_description": said, "error_codes": codes, "trace_id": trace}
        ),
        JSON, JSON, JSON | st.just([7000215]) | st.just([10**400]), JSON,
    ),
)  # fmt: skip


@st.composite
def token_answers(draw: st.DrawFn) -> Answer:
    """Draw an answer of the token endpoint: mostly right as HTTP, with a redirect at times."""
    if draw(st.integers(0, 4)) == 0:
        return draw(answers())
    if draw(st.integers(0, 4)) == 0:
        return redirect(draw(st.sampled_from(REDIRECTS)), draw(st.sampled_from(PLACES)))
    return plain(draw(_TOKENS), draw(st.sampled_from((200, 200, 200, 400, 401, 403, 407, 418, 500, 503))))


def redirect(status: int, where: str) -> Answer:
    """Return a redirect to the token endpoint of another host."""
    return plain(b"<html>${REQUEST}</html>", status, ("Location", f"{where}/${{TENANT}}/oauth2/v2.0/token"))


def discovery(token_endpoint: object, **more: object) -> Answer:
    """Return a discovery document that names a token endpoint."""
    base = "${HERE}/${TENANT}"
    document = {
        "token_endpoint": token_endpoint,
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "issuer": f"{base}/v2.0",
        **more,
    }
    return plain(encoded(document))


@st.composite
def discovery_answers(draw: st.DrawFn) -> Answer:
    """Draw an answer of the discovery endpoint: another token endpoint, a redirect, or anything."""
    kind = draw(st.sampled_from(("endpoint", "endpoint", "redirect", "any", "token")))
    if kind == "any":
        return draw(answers())
    if kind == "token":
        return draw(token_answers())
    if kind == "redirect":
        where = draw(st.sampled_from(PLACES))
        return plain(
            b"",
            draw(st.sampled_from(REDIRECTS)),
            ("Location", f"{where}/${{TENANT}}/v2.0/.well-known/openid-configuration"),
        )
    place = draw(st.sampled_from(PLACES))
    endpoint = draw(st.just(f"{place}/${{TENANT}}/oauth2/v2.0/token") | LINKS)
    return discovery(
        endpoint, **draw(st.just({}) | st.fixed_dictionaries({"issuer": JSON, "authorization_endpoint": LINKS}))
    )


_IDS = st.one_of(
    st.sampled_from(
        ("00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000A", "../../tenants", "x/y?z#", "", " ",
         "\x1b[2J", "a" * 5000, "00000000-0000-0000-0000-00000000000a/../..", "%2e%2e", "\u202e", "٠" * 36, "\x00", "é", "'")
    ),
    PLAIN_JSON,
)  # fmt: skip


@st.composite
def listings(draw: st.DrawFn) -> bytes:
    """Draw a page of subscriptions or of what lies below a management group, where any field may be anything."""

    def one() -> object:
        identifier = draw(_IDS)
        places = draw(st.sampled_from(("", "/subscriptions/", "/providers/Microsoft.Management/managementGroups/")))
        record = {
            "id": f"{places}{identifier}",
            "subscriptionId": identifier,
            "displayName": draw(PLAIN_JSON),
            "state": draw(st.sampled_from(("Enabled", "Warned", "Disabled")) | PLAIN_JSON),
            "tenantId": draw(st.just("00000000-0000-0000-0000-00000000000b") | PLAIN_JSON),
            "tags": draw(PLAIN_JSON),
            "properties": draw(PLAIN_JSON | st.just({"parent": {"id": f"{places}{identifier}"}})),
        }
        for name in draw(st.lists(st.sampled_from(sorted(record)), max_size=3)):
            record.pop(name, None)
        return draw(st.just(record) | st.just(record) | st.just(record) | PLAIN_JSON)

    page: dict[str, object] = {"value": [one() for _ in range(draw(st.integers(0, 4)))]}
    if draw(st.integers(0, 3)) == 0:
        page["nextLink"] = draw(LINKS)
    return encoded(page)


@st.composite
def listing_answers(draw: st.DrawFn) -> Answer:
    """Draw an answer to a request for a list of subscriptions."""
    if draw(st.integers(0, 3)) == 0:
        return draw(answers())
    return plain(draw(listings()))


@st.composite
def channel_answers(draw: st.DrawFn) -> Answer:
    """Draw what a service says to an alert."""
    kind = draw(st.sampled_from(("documented", "redirect", "any")))
    if kind == "any":
        return draw(answers())
    if kind == "redirect":
        return plain(
            b"",
            draw(st.sampled_from(REDIRECTS)),
            ("Location", f"{draw(st.sampled_from(('${AWAY}', '${PLAIN}')))}/hook"),
        )
    body = draw(st.one_of(
        st.sampled_from((b'{"ok": true}', b'{"ok": false, "error": "${CREDENTIAL:plain}"}', b"1", b"ok", b"", b"[]", b"null", b"{}",
                         b'{"ok": "true"}', b'{"ok": false}', b"Webhook message delivery failed", deep(100_000))),
        JSON.map(encoded),
    ))  # fmt: skip
    return plain(
        body,
        draw(STATUSES.filter(lambda status: 200 <= status < 600)),
        *draw(st.lists(_HEADERS.filter(lambda header: header[0] != "Content-Encoding"), max_size=1)),
    )
