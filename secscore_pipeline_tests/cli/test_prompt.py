"""Answers on a terminal of 80 columns, and the prompt as people type at it who have not read its manual."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest

from secscore_pipeline.azure.event_types import SECURE_SCORE_CONTROLS, SECURE_SCORES
from secscore_pipeline.cli.terminal_table import fit_answer
from secscore_pipeline.emulator.world import World
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.ingest.listing import PendingListing
from secscore_pipeline.ocsf.mapping import Normalization
from secscore_pipeline.warehouse.store import normalize
from secscore_pipeline_tests.conftest import of_files, secscore
from secscore_pipeline_tests.posture.test_analyst import on_a_terminal
from secscore_pipeline_tests.support.fetching import fetch_event_type

pytestmark = of_files


@pytest.fixture(scope="module")
def eight(module_azure, module_store):
    """Return a store with the first two days of eight subscriptions, one with a second score."""
    world = World(subscriptions=8, mixed=True)
    module_store.use(module_azure(world))
    connection = AzureConnection.from_environment()
    for number in range(2):
        moment = datetime(2026, 3, 1, 5, tzinfo=UTC) + timedelta(days=number)
        world.simulate_until(moment.date())
        PendingListing(connection, module_store.warehouse, f"run {number}", "owner", lambda at=moment: at).result()
        for event_type in (SECURE_SCORES, SECURE_SCORE_CONTROLS):
            fetch_event_type(connection, module_store.warehouse, event_type, f"run {number}", lambda at=moment: at)
    with module_store.warehouse.get_connection() as opened:
        normalize(opened, Normalization().build_mapping())
    module_store.warehouse.publish()
    return next(one for one in world.subscriptions.values() if one.name.startswith("web-dev"))


def shown(store, folder, *arguments, columns="80"):
    """Return what a command shows on a terminal, without colours."""
    (text,) = on_a_terminal(arguments, [], store.settings, folder, columns=columns)
    return re.sub(r"\x1b\[[\d;]*m", "", text).replace("\r", "")


@pytest.mark.slow
def test_a_wide_answer_is_a_table_that_fits_and_says_what_it_left_out(eight, module_store, tmp_path):
    text = shown(module_store, tmp_path, "query", "from posture.current_scores")
    header, *lines = text.splitlines()
    assert max(map(len, [header, *lines])) <= 80
    assert {"subscription_name", "score", "current", "max", "percentage"} <= set(header.split())
    assert any(line.startswith(eight.name) for line in lines)
    assert len([line for line in lines if "ascScore" in line]) == 7
    note = " ".join(text.partition("In every row:")[2].split())
    assert "feed default" in note
    assert "--all" in note
    left_out = {"run_id", "tenant_id", "subscription_id"}
    assert all(name in note and name not in header for name in left_out)


def test_every_posture_view_is_readable_at_80_columns(eight, module_store, tmp_path):
    typed = [(b"sql> ", b"\x04")]
    views = module_store.query("select view_name from duckdb_views() where schema_name = 'posture' and not internal")
    for (view,) in views:
        typed[-1:-1] = [(b"sql> ", f"from posture.{view} limit 5;\n".encode())]
    text = "".join(on_a_terminal(["query"], typed, module_store.settings, tmp_path, columns="80"))
    assert "query-wrong" not in text
    plain = re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", text)
    assert max(len(line) for line in plain.replace("\r", "").splitlines()) <= 80
    words = [line.split() for line in plain.splitlines()]
    names = {
        name for (name,) in module_store.query("select column_name from duckdb_columns() where schema_name = 'posture'")
    }
    assert len(names & {word for line in words for word in line}) > 20  # no name of a column is broken in pieces


@pytest.mark.slow
def test_all_and_no_terminal_leave_out_nothing(eight, module_store, tmp_path):
    columns = [name for (name,) in module_store.query(
        "select column_name from duckdb_columns() where schema_name || '.' || table_name = 'posture.current_scores'"
    )]  # fmt: skip
    everything = shown(module_store, tmp_path, "query", "--all", "from posture.current_scores")
    assert [name for name in columns if name not in everything] == []
    env = {**module_store.settings, "COLUMNS": "80"}
    listed = [secscore("query", *given, cwd=tmp_path, env=env).stdout for given in ([], ["show tables"])]
    assert listed[0] == listed[1]
    assert "is_latest_fetch" in secscore("query", "\\d current_scores", cwd=tmp_path, env=env).stdout
    piped = secscore("query", "from posture.current_scores", cwd=tmp_path, env=env).stdout.splitlines()
    assert piped[0].split() == columns
    assert len(piped) == 1 + 7
    written = secscore("query", "--format", "csv", "from posture.current_scores", cwd=tmp_path, env=env).stdout
    assert next(csv.reader(io.StringIO(written))) == columns


@pytest.mark.parametrize(
    ("names", "rows", "says"),
    [
        (["a"], [(1,)], None),
        (["a"], [], None),
        (["tenant_id", "long"], [("x", "y" * 100)], None),  # one record, whatever it holds
        (["same", "note"], [("s" * 60, f"word {n} " * 9) for n in range(5)], "Left out: same."),
        (["id", "name"], [(f"{n}" * 60, f"{n}" * 30) for n in range(5)], "Left out: id."),
        (["n", "empty"], [(float(n) / 3, None) for n in range(5)], None),
    ],
)
def test_what_says_least_is_left_out_first(names, rows, says):
    note = fit_answer(names, rows, 80).note
    assert note is None if says is None else note.startswith(says)
    assert fit_answer(names, rows, 80, has_all=True).note is None


@pytest.mark.slow
def test_the_prompt_knows_what_people_type(eight, module_store, tmp_path):
    name = eight.name
    typed = [
        (b"sql> ", b"help\n"),
        (b"list the tables", b""),
        (b"sql> ", b".tables\n"),
        (b"posture.opportunities", b""),
        (b"sql> ", b"\\d current_scores\n"),
        (b"weight", b""),
        (b"sql> ", b"DESCRIBE posture.current_scores;\n"),
        (b"The subscription, lower case.", b""),
        (b"sql> ", b"\\d potential_increase\n"),
        (b"name or id of a subscription, in any case", b""),
        (b"from posture.potential_increase('payments-prod');", b""),
        (b"sql> ", b"\\d change_cause\n"),
        (b"Did you mean posture.change_causes", b""),
        (b"sql> ", b"\\d curent_scores\n"),
        (b"Did you mean posture.current_scores", b""),
        (b"sql> ", b"current_scores\n"),
        (b"is_latest_fetch", b""),
        (b"sql> ", b"\\nonsense\n"),
        (b"There is no command \\nonsense", b""),
        (b"sql> ", b"hello there\n"),
        (b"hello begins no SQL", b""),
        (b"sql> ", b"from posture.curent_scores;\n"),
        (b"Did you mean", b""),
        (b"sql> ", b"select fractoin from posture.current_scores;\n"),
        (b"Candidate bindings", b""),
        (b"sql> ", f"from posture.potential_increase('{name[:-1]}');\n".encode()),
        (f"No such subscription: {name[:-1]}. The nearest names: {name}".encode(), b""),
        (b"sql> ", b"select 6 * 7\n"),
        (b"...> ", b"\n"),
        (b"End it with ;", b""),
        (b"...> ", b";\n"),
        (b"42", b""),
        (b"sql> ", b"\\x\n"),
        (b"Every column is printed", b""),
        (b"sql> ", b"from posture.current_scores;\n"),
        (b"-- 1 of 7 --", b""),
        (b"sql> ", b"exit;\n"),
    ]
    answers = on_a_terminal(["query"], typed, module_store.settings, tmp_path)
    assert "query-wrong" not in answers[1]


@pytest.mark.slow
@pytest.mark.parametrize("question", ["potential_increase($)", "score_trend($)", "change_causes($, '2026-01-01')"])
def test_a_macro_says_that_there_is_no_such_subscription(eight, module_store, tmp_path, question):
    asked = f"from posture.{question.replace('$', repr(eight.name.upper() + 'x'))}"
    done = secscore("query", asked, cwd=tmp_path, env=module_store.settings, check=1)
    assert f"No such subscription: {eight.name.upper()}x. The nearest names: {eight.name}" in done.stderr
    assert "[query-subscription]" in done.stderr
    found = module_store.query(f"from posture.{question.replace('$', repr(eight.name.upper()))}")
    assert found == module_store.query(f"from posture.{question.replace('$', repr(eight.subscription_id.upper()))}")
    assert found or question.startswith("change_causes")  # on two days a subscription may have stayed as it was
    assert {row[-2:] for row in found} <= {(eight.subscription_id, eight.name)}


def test_every_view_has_the_names_that_azure_lists(eight, module_store):
    for view in ("daily_score", "coverage", "entities", "current_scores"):
        asked = f"select distinct subscription_name from posture.{view} where subscription_id = ?"
        assert module_store.query(asked, eight.subscription_id) == [(eight.name,)]
    assert module_store.one("select count(subscription_name) = count(*) from posture.changes")
