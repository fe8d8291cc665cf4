"""Strategies for what people and machines give: settings, feeds.yaml, and damage to files; and for whole cases."""

import json

from hypothesis import strategies as st

from secscore_pipeline.config.registry import SETTINGS
from secscore_pipeline_tests.fuzzing import answers
from secscore_pipeline_tests.fuzzing.cases import (
    ArmCase,
    Case,
    ChannelCase,
    CommandCase,
    Damage,
    DatabaseCase,
    FeedsCase,
    KillCase,
    ListingCase,
    RecordsCase,
    SettingsCase,
    SignInCase,
)
from secscore_pipeline_tests.fuzzing.records import RECORDS, lists

_GUID = "00000000-0000-0000-0000-00000000000a"

_VALUES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        (
            "${SECRET}", "${SECRET}", "x${SECRET}", _GUID, _GUID.upper(), "contoso.com", "9" * 5000, "-1", "0", "1", "1e9", "٣", "½",
            "²", "on", "OFF", "true", "*", "*,*", ",", ",,,", "https://[", "https://[::1]:port", "https://localhost:99999",
            "https://user:${SECRET}@localhost", "https://localhost/?sig=${SECRET}", "http://localhost", "localhost", "//x", "https://",
            "~nouser/x", "~", "/dev/full", "/dev/null/x", "/proc/self/x", ".", "..", "../..", "a" * 300, "a/" * 3000, "\0", "\x1b[2J",
            "\u202e", "\ud7ff", "ducklake:", "ducklake:postgres:", "ducklake:postgres:password=${SECRET}", "ducklake:sqlite:x",
            "ducklake:postgres://u:${SECRET}@h/d", "raw.duckdb", "x\n", "'x'", '"x', "<tenant_id>", "{x}", "%s", "{0}", "* * * * *",
            "61 25 * * *", "Europe/Berlin", "../etc/passwd", "2027-01-31", "2027-13-41", "0001-01-01", "WorkloadIdentityCredential",
            "ManagedIdentityCredential", "secure_scores,secure_scores", "assessments", "assessments,secure_scores", "[", "[a-", "?" * 50, "*a" * 20,
        )
    ),
)  # fmt: skip

_NAMES = sorted(
    {setting.name for setting in SETTINGS}
    # These are read, and a file without end or a host elsewhere would be.
    - {"AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE", "SECSCORE_EXPORT_URL", "SECSCORE_CA_BUNDLE"}
)

EXPORT_URLS = (
    "simplecache::ftp://user:${SECRET}@127.0.0.1:1/x", "ftp://user:${SECRET}@127.0.0.1:1/x", "nonsense://x", "memory://x", "::", "a::b",
    "s3://key:${SECRET}@bucket/x", "abfss://container@account/x?sig=${SECRET}", "https://127.0.0.1:1/x?sig=${SECRET}", "zip://x::file:///nowhere", "file://",
    "filecache::http://user:${SECRET}@127.0.0.1:1/", "${SECRET}", "~nouser/x", "data:,x", "reference://", "github://a:${SECRET}@b",
)  # fmt: skip

settings = st.one_of(
    st.dictionaries(st.sampled_from(_NAMES), _VALUES, min_size=1, max_size=4).map(SettingsCase),
    st.sampled_from(EXPORT_URLS).map(lambda url: SettingsCase({"SECSCORE_EXPORT_URL": url})),
)


_YAML_SCALARS = st.one_of(
    st.text(max_size=12),
    st.integers(),
    st.none(),
    st.booleans(),
    st.sampled_from(
        ("*", "*x", "&x", "!!python/object:os.system", "!!binary x", "<<", "2027-01-31", "\0", "0o17", "9" * 5000)
    ),
)

_YAML = st.recursive(
    _YAML_SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)


@st.composite
def _feeds_documents(draw: st.DrawFn) -> bytes:
    """Draw a file that is nearly right: some of its fields are other things."""
    feeds = []
    for number in range(draw(st.integers(1, 3))):
        feed: dict[str, object] = {
            "name": draw(st.just(f"feed{number}") | _YAML),
            "tenant_id": draw(st.just(_GUID) | _YAML),
            "client_id": draw(st.just(_GUID) | _YAML),
            "credential": draw(st.just({"secret": {"env": "NOT_SET"}}) | _YAML | st.just({"secret": "plain"})),
            "subscriptions": draw(st.just([_GUID[:-1] + str(number)]) | _YAML),
            "schedule": draw(st.just("0 5 * * *") | _YAML),
            "time_zone": draw(
                st.just("UTC") | _YAML | st.sampled_from(("../../etc/passwd", "/etc/localtime", "a" * 300, "x\0y"))
            ),
        }
        for name in draw(st.lists(st.sampled_from(sorted(feed)), max_size=2)):
            feed.pop(name, None)
        feeds.append(feed)
    return json.dumps({"feeds": draw(st.just(feeds) | _YAML), **draw(st.just({}) | st.just({"more": 1}))}).encode()


@st.composite
def _growing_documents(draw: st.DrawFn) -> bytes:
    """Draw a file of aliases, each of which stands for several of the one before."""
    levels, width = draw(st.integers(1, 40)), draw(st.integers(1, 12))
    open_, close = draw(st.sampled_from(("[]", "{}")))
    lines = ["a0: &a0 x"]
    for level in range(1, levels):
        many = [f"*a{level - 1}"] * width
        inner = ", ".join(many) if open_ == "[" else ", ".join(f"k{n}: {one}" for n, one in enumerate(many))
        lines.append(f"a{level}: &a{level} {open_}{inner}{close}")
    where = draw(st.sampled_from(("feeds", "more", "subscriptions")))
    lines.append(f"feeds: [{{name: *a{levels - 1}}}]" if where == "subscriptions" else f"{where}: *a{levels - 1}")
    return "\n".join(lines).encode()


feeds = st.one_of(
    _feeds_documents(),
    _feeds_documents(),
    _growing_documents(),
    st.builds(
        lambda one, times, end: one * times + end,
        st.sampled_from((b"[", b"{", b"- ", b"? ", b"a: {", b"!!", b"&a ", b"- - ", b"|\n", b"%YAML 1.1\n", b"--- ", b"\t", b"'", b'"')),
        st.sampled_from((1, 100, 5000)),
        st.sampled_from((b"", b"]", b"x", b"\n", b"feeds: []")),
    ),
    st.text(max_size=60).map(str.encode),
    st.text(max_size=60).map(lambda text: text.encode("utf-16")),
    st.binary(max_size=60),
    st.sampled_from(
        (b"a: &a [*a]\n", b"&a {*a : x}", b"feeds: &f [*f]", b"<<: {a: 1}", b"feeds:\n- <<: *x", b"feeds: !!set {a, b}", b"? {a: b}\n: c",
         b"\xef\xbb\xbffeeds: []", b"feeds: []\n---\nfeeds: []", b"a: \x85b", b"a: \xe2\x80\xa8b", b"feeds: \x00", b"? [a, b]\n: c\n",
         b"? {}\n: c\n", b"feeds:\n- ? [a]\n  : b\n", b"[]: x", b"feeds: !!python/name:os.system x")
    ),
).map(FeedsCase)  # fmt: skip


_DAMAGES = st.one_of(
    st.builds(Damage, st.just("flip"), st.floats(0, 1), st.binary(min_size=1, max_size=8)),
    st.builds(Damage, st.just("flip"), st.floats(0, 0.01), st.binary(min_size=1, max_size=2)),
    st.builds(Damage, st.just("cut"), st.floats(0, 1)),
    st.builds(Damage, st.just("overwrite"), st.floats(0, 1), st.binary(min_size=1, max_size=64).map(lambda some: some * 200)),
    st.builds(Damage, st.just("overwrite"), st.just(0.0), st.binary(min_size=1, max_size=16)),
    st.builds(Damage, st.just("replace"), st.just(0.0), st.binary(max_size=64) | st.just(b"SQLite format 3\0" + b"\0" * 4000)),
    st.builds(Damage, st.just("log"), st.just(0.0), st.binary(max_size=64)),
    st.sampled_from((Damage("empty"), Damage("lose"), Damage("folder"))),
)  # fmt: skip

databases = st.builds(
    DatabaseCase,
    st.sampled_from(("work", "work", "published", "both")),
    _DAMAGES,
    st.sampled_from(("status", "query", "sync", "sync", "maintain", "maintain", "export", "report")),
)


def _some(one: st.SearchStrategy[answers.Answer]) -> st.SearchStrategy[tuple[answers.Answer, ...]]:
    return st.lists(one, min_size=1, max_size=3).map(tuple)


def _runs(*event_types: str, most: int = 1) -> st.SearchStrategy[tuple[dict[str, bytes], ...]]:
    one = st.fixed_dictionaries({event_type: lists(event_type) for event_type in event_types})
    return st.lists(one, min_size=1, max_size=most).map(tuple)


_ARM = "^GET /subscriptions/[^/]+0/|secureScoreControls"

STRATEGIES: dict[type, st.SearchStrategy[Case]] = {
    ArmCase: st.builds(
        ArmCase, _some(answers.answers() | answers.answers() | answers.answers() | answers.slow_answers())
    ),
    RecordsCase: st.one_of(
        _runs("secure_scores", "secure_score_controls"),
        _runs("assessments", "assessment_metadata", most=2),
        _runs("assessments", "assessment_metadata"),
        _runs(*RECORDS),
    ).map(RecordsCase),
    SignInCase: st.one_of(
        st.builds(SignInCase, st.just("token"), _some(answers.token_answers())),
        st.builds(SignInCase, st.just("discovery"), _some(answers.discovery_answers())),
        st.builds(SignInCase, st.sampled_from(("token", "discovery")), _some(answers.slow_answers())),
    ),
    ListingCase: st.builds(
        ListingCase, st.sampled_from(("subscriptions", "descendants")), _some(answers.listing_answers())
    ),
    CommandCase: st.one_of(
        st.builds(
            CommandCase,
            st.sampled_from((("sync",), ("--verbose", "sync"), ("test-connection",), ("--verbose", "test-connection"))),
            st.sampled_from(("oauth2", "openid-configuration")),
            _some(answers.token_answers()),
        ),
        st.builds(
            CommandCase, st.sampled_from((("sync",), ("--verbose", "sync"))), st.just(_ARM), _some(answers.answers())
        ),
    ),
    SettingsCase: settings,
    FeedsCase: feeds,
    DatabaseCase: databases,
    ChannelCase: st.builds(
        ChannelCase,
        st.sampled_from(("slack", "teams", "webhook")),
        _some(answers.channel_answers() | answers.channel_answers() | answers.slow_answers()),
    ),
    KillCase: st.builds(
        KillCase,
        st.sampled_from(("sync", "publish", "maintain", "export", "migrate")),
        st.sampled_from(("statement", "after_statement", "file", "after_file", "byte")),
        st.floats(0, 1),
        st.sampled_from(("scores", "all", "all")),
    )
    | st.builds(
        KillCase,
        st.just("sync"),
        st.sampled_from(("statement", "after_statement", "file", "after_file", "byte")),
        st.floats(0, 1),
        st.just("all"),
        st.sampled_from(("slow", "empty", "repeat", "trail")),
    ),
}
"""How each kind of case is drawn."""
