"""A subscription of a kind that never has a score, as "Access to Azure Active Directory", is a state, no failure."""

import json
import re

import pytest

from secscore_pipeline.azure.errors import Outcome, classify_answer
from secscore_pipeline.emulator.world import State, World
from secscore_pipeline_tests.conftest import failed_checks, secscore

SUBSCRIPTION = "00000000-0000-0000-0000-0000000000aa"


@pytest.fixture
def azure(local_azure):
    world = World(subscriptions=2)
    world.add_subscription(SUBSCRIPTION, State.UNSUPPORTED)
    return local_azure(world)


@pytest.mark.parametrize("code", ["DisallowedOperation", "disallowedProvider", "DISALLOWEDPROVIDER"])
@pytest.mark.parametrize("status", [400, 403, 409])
def test_the_code_says_it_in_any_case_and_with_any_status(code, status):
    assert classify_answer(status, code) == (Outcome.UNSUPPORTED, "subscription-unsupported")


@pytest.mark.slow
def test_it_is_a_state_of_its_own_everywhere(azure, store):
    store.use(azure, "*", SECSCORE_PARTIAL_FAILURE="fail")
    result = store.sync(with_report=True)
    assert failed_checks(result) == set()
    assert store.query(
        "select event_type, outcome, http_status, error_code from raw.fetches where subscription_id = ? order by all",
        SUBSCRIPTION,
    ) == [(kind, "unsupported", 400, "DisallowedOperation") for kind in ("secure_score_controls", "secure_scores")]
    assert store.query(
        "select distinct last_outcome, last_failure, is_in_scope, days_missed from posture.coverage "
        "where subscription_id = ?", SUBSCRIPTION,
    ) == [("unsupported", None, True, 0)]  # fmt: skip
    assert store.one("select count(*) from posture.gaps where subscription_id = ?", SUBSCRIPTION) == 0
    page = (store.path.parents[1] / "report.html").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if SUBSCRIPTION in line and "<tr>" in line)
    assert re.search(r'<td data-l="Last read">unsupported</td></tr>', row)
    assert "days without" not in page or "with gaps" not in page


@pytest.mark.slow
def test_a_feed_of_nothing_else_is_read_and_raises_no_alarm(azure, tmp_path):
    settings = azure.settings(SUBSCRIPTION)
    done = secscore("sync", cwd=tmp_path, env=settings)
    assert "subscription-unsupported" not in done.stdout + done.stderr
    shown = secscore("status", "--json", "--max-age", "1d", cwd=tmp_path, env=settings)
    told = json.loads(shown.stdout)
    assert told["state"] == "OK" if "state" in told else True
    (feed,) = told["feeds"]
    assert (feed["subscriptions"], feed["not_read"], feed["without_score"]) == (1, 0, 1)
    assert told["attention"] == []
