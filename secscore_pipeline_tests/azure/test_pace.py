"""The pace of requests: workers that share a limit of Azure's share it, and refusals stay fewer than answers."""

import resource
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from secscore_pipeline.azure.arm import ArmClient
from secscore_pipeline.azure.clouds import Cloud
from secscore_pipeline.azure.credentials import ClientSecret
from secscore_pipeline.azure.errors import Outcome
from secscore_pipeline.azure.event_types import SECURE_SCORES, fetch_all
from secscore_pipeline.azure.pace import BEGINS, BREATH, LEFT, RECOVERS, REGAINS, SLOWER, Pace
from secscore_pipeline.azure.tokens import MsalTokenSource
from secscore_pipeline.clock import utc_now
from secscore_pipeline.emulator.limits import Limit
from secscore_pipeline.emulator.world import World

SUBSCRIPTIONS = [f"/subscriptions/{number}" for number in range(100)]


def answer(pace, seconds=0.1, count=1, kind="scores"):
    """Have so many requests answered after so many seconds, with as many under way as may be."""
    for _ in range(count):
        with ExitStack() as under_way:
            for _ in range(pace.limit - 1):
                under_way.enter_context(pace)
            pace.was_answered(kind, seconds)


def refuse(pace, names=SUBSCRIPTIONS, seconds=1.0):
    """Have a request for each refused, with as many under way as may be."""
    with ExitStack() as under_way:
        for _ in range(pace.limit - 1):
            under_way.enter_context(pace)
        for name in names:
            pace.was_refused(name, seconds)


def test_the_pace_doubles_each_round_until_the_most():
    pace = Pace(256, lambda: 0.0)
    called = []
    with pace.calls_on_more(lambda: called.append(pace.limit)):
        assert pace.limit == BEGINS
        answer(pace, count=BEGINS)
        assert pace.limit == 2 * BEGINS
        answer(pace, count=1000)
    assert called == list(range(BEGINS + 1, 257))
    assert [Pace(most, lambda: 0.0).limit for most in (1, 4, 64, 256, 1000)] == [1, 1, 8, 32, 32]


def test_the_pace_does_not_grow_where_it_is_not_used():
    pace = Pace(256, lambda: 0.0)
    for _ in range(1000):
        pace.was_answered("scores", 0.1)
    assert pace.limit == BEGINS


def test_answers_that_slow_down_ease_the_pace_and_never_below_where_it_began():
    now = [0.0]
    pace = Pace(1000, lambda: now[0])
    answer(pace, 0.1, 3 * BEGINS)
    fast = pace.limit
    answer(pace, 0.1 * (SLOWER - 0.5), 3 * fast)
    assert pace.limit > fast
    before, slow = pace.limit, 0.1 * (SLOWER + 1)
    answer(pace, slow, 10 * before)
    assert before / 2 <= pace.limit < before  # once for all that was requested before it was lowered
    for _ in range(100):
        now[0] += slow
        answer(pace, slow, BEGINS)
    assert pace.limit == BEGINS
    now[0] += REGAINS
    answer(pace, 0.1)
    assert BEGINS < pace.limit < 2 * BEGINS


def test_one_kind_of_request_is_not_compared_with_another():
    pace = Pace(1000, lambda: 0.0)
    for _ in range(20):
        answer(pace, 0.1, BEGINS)
        answer(pace, 2.0, BEGINS, "assessments")
    assert pace.limit == 1000


def test_what_waits_for_its_next_try_gives_up_its_place():
    pace = Pace(16, lambda: 0.0)
    called = []
    with pace.calls_on_more(lambda: called.append(pace.places)):
        with pace.pauses(), pace.pauses(), pace.pauses():
            assert (pace.places, pace.limit) == (5, 2)
        assert pace.places == 2
    assert called == [3, 4, 5]


def test_a_burst_of_refusals_lowers_the_pace_once_and_answers_raise_it_again():
    now = [0.0]
    pace = Pace(32, lambda: now[0])
    answer(pace, count=28)
    assert pace.limit == 32
    refuse(pace, ["one"] * 20)
    assert pace.limit == 32
    refuse(pace)
    assert pace.limit == int(LEFT * 32)
    for _ in range(10):
        now[0] += BREATH + RECOVERS
        refuse(pace)
    assert pace.limit == 1
    for _ in range(100):
        before, now[0] = pace.limit, now[0] + REGAINS
        answer(pace)
        assert before <= pace.limit <= before + 1  # half of what it was before it shrank, and that was little
    assert pace.limit == 32


def test_the_pace_regains_what_it_lost_in_its_time_whatever_the_answers_take():
    now = [0.0]
    pace = Pace(256, lambda: now[0])
    answer(pace, count=256)
    refuse(pace, seconds=0)
    lowered = pace.limit
    assert lowered == int(LEFT * 256)
    while now[0] < REGAINS:
        now[0] += 0.5
        answer(pace)
    assert pace.limit == pytest.approx(lowered + 128, abs=1)


def test_the_pace_regains_what_was_under_way_when_it_was_refused_and_not_what_was_allowed():
    now = [0.0]
    pace = Pace(256, lambda: now[0])
    answer(pace, count=256)
    with ExitStack() as under_way:
        for _ in range(39):
            under_way.enter_context(pace)
        for name in SUBSCRIPTIONS:
            pace.was_refused(name, 0)
    lowered = pace.limit
    assert lowered == int(LEFT * 40)
    now[0] += REGAINS
    answer(pace)
    assert pace.limit == lowered + 20


def test_refusals_hold_up_all_requests_for_a_moment():
    now = [0.0]
    pace = Pace(32, lambda: now[0])
    refuse(pace, seconds=0.5)
    started = threading.Event()

    def work():
        with pace:
            started.set()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert not started.wait(0.1)
    now[0] = 0.5
    assert started.wait(10)
    thread.join()


def test_single_refusals_among_many_answers_are_no_sign_of_a_limit():
    pace = Pace(64, lambda: 0.0)
    answer(pace, count=100)
    for name in SUBSCRIPTIONS:
        answer(pace, count=20)
        refuse(pace, [name])
    assert pace.limit == 64


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers_that_share_a_limit_are_refused_less_often_than_answered(local_azure, workers):
    limit = Limit(20, 20, is_shared=True, clock=time.monotonic)
    azure = local_azure(World(subscriptions=100), limit=limit)
    cloud, subscriptions = Cloud(azure.url, azure.url), list(azure.world.subscriptions)
    application = azure.application

    def work(number):
        credential = ClientSecret(azure.world.tenant_id, application.client_id, application.secret)
        tokens = MsalTokenSource(credential, cloud, str(azure.ca_bundle))
        client = ArmClient(cloud, tokens, str(azure.ca_bundle), 16)
        return [look.outcome for look in fetch_all(client, [SECURE_SCORES], subscriptions[number::workers], utc_now)]

    with ThreadPoolExecutor(workers) as executor:
        outcomes = [outcome for found in executor.map(work, range(workers)) for outcome in found]
    assert outcomes == [Outcome.COMPLETE] * 100
    assert limit.refused
    assert limit.refused < limit.granted == 100


def test_the_documented_limit_is_for_each_subscription():
    now = [0.0]
    limit = Limit(250, 25, is_shared=False, clock=lambda: now[0])
    paths = ["/subscriptions/a/providers/x", "/subscriptions/B/providers/x", "/subscriptions"]
    for path in paths:
        answers = [limit.refuse(path, "someone") for _ in range(251)]
        assert answers[:250] == [None] * 250
        assert answers[250].status_code == 429
        assert answers[250].headers["retry-after"] == "1"
    assert limit.refuse("/subscriptions/b", "someone else") is None
    now[0] += 1
    assert [limit.refuse(paths[0], "someone") for _ in range(26)].count(None) == 25


def test_no_more_connections_are_opened_than_files_may_be(local_azure):
    azure = local_azure(World(subscriptions=1))
    cloud, application = Cloud(azure.url, azure.url), azure.application
    credential = ClientSecret(azure.world.tenant_id, application.client_id, application.secret)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = {}
    try:
        for allowed in (soft, 128):
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
            client = ArmClient(cloud, MsalTokenSource(credential, cloud, str(azure.ca_bundle)), None, 256)
            answer(client.pace, count=5000)
            limits[allowed] = client.pace.limit
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert limits == {soft: min(256, soft // 2), 128: 64}
