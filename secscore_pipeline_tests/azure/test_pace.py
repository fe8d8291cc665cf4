"""The pace of requests: workers that share a limit of Azure's share it, and refusals stay fewer than answers."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from secscore_pipeline.azure.arm import ArmClient
from secscore_pipeline.azure.clouds import Cloud
from secscore_pipeline.azure.credentials import ClientSecret
from secscore_pipeline.azure.errors import Outcome
from secscore_pipeline.azure.event_types import SECURE_SCORES, fetch_all
from secscore_pipeline.azure.pace import BEGINS, RECOVERS, Pace
from secscore_pipeline.azure.tokens import MsalTokenSource
from secscore_pipeline.clock import utc_now
from secscore_pipeline.emulator.limits import Limit
from secscore_pipeline.emulator.world import World


def test_a_burst_of_refusals_halves_the_pace_once_and_answers_win_it_back():
    now = [0.0]
    pace = Pace(32, lambda: now[0])
    for _ in range(32 - BEGINS):
        pace.went_well()
    assert pace.limit == 32
    for _ in range(20):
        pace.was_refused("one", 1)
    assert pace.limit == 32
    for number in range(20):
        pace.was_refused(f"another {number}", 1)
    assert pace.limit == 16
    for _ in range(10):
        now[0] += RECOVERS
        pace.was_refused("one", 1)
        pace.was_refused("another", 1)
    assert pace.limit == 1
    answers = 0
    while pace.limit < 32:
        pace.went_well()
        answers += 1
    assert 32 * 31 / 2 <= answers <= 33 * 32 / 2
    pace.went_well()
    assert pace.limit == 32


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
        return [look.outcome for look in fetch_all(client, SECURE_SCORES, subscriptions[number::workers], utc_now, 16)]

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
