"""Whatever comes from outside: what was found so far, and some hundred new cases by seeds that stay the same.

`make fuzz` tries many thousand. What must be true is in `fuzzing/properties.py`, what is drawn in `fuzzing/inputs.py`.
"""

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from secscore_pipeline.system.redaction import redact, register_secrets, register_token
from secscore_pipeline_tests.fuzzing.cases import (
    ArmCase,
    ChannelCase,
    DatabaseCase,
    FeedsCase,
    KillCase,
    ListingCase,
    RecordsCase,
    SettingsCase,
    SignInCase,
    tag,
)
from secscore_pipeline_tests.fuzzing.found import COMMANDS, FOUND, LONG
from secscore_pipeline_tests.fuzzing.harness import Harness
from secscore_pipeline_tests.fuzzing.inputs import STRATEGIES
from secscore_pipeline_tests.fuzzing.leaks import ENCODINGS, find_secret
from secscore_pipeline_tests.fuzzing.properties import CHECKS, check

# Of a socket that is cut before TLS is begun, Python's ssl leaves a half-made one to the garbage collection.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <.*[sS]ocket:pytest.PytestUnraisableExceptionWarning"
)

EXAMPLES = {
    ArmCase: 60,
    RecordsCase: 10,
    SignInCase: 30,
    ListingCase: 20,
    SettingsCase: 100,
    FeedsCase: 80,
    ChannelCase: 15,
}
DAMAGED = 10
"""How many cases of each kind are drawn here."""


@pytest.fixture(scope="module")
def harness():
    # Times are measured by `make fuzz`: a busy machine makes no test fail, only what would never end.
    with Harness(patience=10) as made:
        yield made


def drawn(harness, kind, examples):
    """Try so many cases of a kind, the same ones each time."""

    @settings(
        max_examples=examples, derandomize=True, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=STRATEGIES[kind])
    def attempt(case):
        check(harness, case)

    attempt()


def test_every_kind_of_case_is_drawn_and_checked():
    assert STRATEGIES.keys() == CHECKS.keys()
    assert EXAMPLES.keys() | {DatabaseCase, KillCase} | {type(case) for case in COMMANDS.values()} == CHECKS.keys()


_IN_PROCESS = {name: case for name, case in FOUND.items() if not isinstance(case, DatabaseCase) and name not in LONG}
_DAMAGED = {name: case for name, case in FOUND.items() if isinstance(case, DatabaseCase) and name not in LONG}


@pytest.mark.parametrize("case", _IN_PROCESS.values(), ids=_IN_PROCESS)
def test_what_was_found_is_withstood(harness, case):
    check(harness, case)


@pytest.mark.parametrize("kind", EXAMPLES, ids=tag)
def test_what_is_drawn_is_withstood(harness, kind):
    drawn(harness, kind, EXAMPLES[kind])


@pytest.mark.parametrize("case", _DAMAGED.values(), ids=_DAMAGED)
def test_a_damaged_file_is_withstood(harness, case):
    check(harness, case)


def test_any_damage_to_a_file_is_withstood(harness):
    drawn(harness, DatabaseCase, DAMAGED)


@pytest.mark.parametrize("case", COMMANDS.values(), ids=COMMANDS)
def test_no_command_tells_a_secret(harness, case):
    check(harness, case)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_secret_is_found_in_any_encoding(encoding):
    secret = f"{'q~Zx' * 6}+/%&\"<>'\\é {'y.Jv' * 6}"
    written = ENCODINGS[encoding](secret)
    for around in (
        written,
        f"x{written}y",
        f"a=1&secret={written}&b=2",
        "\r\n".join(written[n : n + 60] for n in range(0, len(written), 60)),
    ):
        assert find_secret(around.encode(), secret), around
    assert find_secret(written[: len(written) * 3 // 4].encode(), secret)


def test_what_holds_no_secret_is_not_taken_for_one():
    secret = "q~Zx" * 10
    assert not find_secret(b"", secret)
    assert not find_secret(b"q%7EZx a=1&b=%2f+&amp; \\u0041 cX5aeA==", secret)


def test_a_secret_is_removed_from_text_however_many_tokens_came_after_it():
    secret = "kept~" + "w7" * 12
    register_secrets(secret)
    for number in range(200):
        register_token(f"token {number:04d} of a process that lives for months")
    assert secret not in redact(f"a line with {secret}")


KILLS = [
    KillCase("publish", "statement", 0.5),
    KillCase("publish", "file", 0.9),
    KillCase("maintain", "byte", 0.5),
    KillCase("export", "after_file", 0.5),
    KillCase("migrate", "after_statement", 0.6),
    KillCase("sync", "statement", 0.8, "all", "repeat"),
]
"""One of each kind, with recommendations and without; `make fuzz` tries others."""


@pytest.mark.needs("postgresql")
@pytest.mark.parametrize(
    "case", KILLS, ids=lambda case: f"{case.command} of {case.event_types} at {case.at} {case.share}"
)
def test_a_killed_command_tears_nothing_and_publishes_nothing_worse(harness, case):
    check(harness, case)
