"""Values in statements: each arrives as it is, whatever it looks like, and nothing but a parameter is replaced."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from secscore_pipeline.warehouse.statements import execute, format_literal, select_rows

MOMENTS = st.datetimes(
    datetime(1900, 1, 1, tzinfo=UTC).replace(tzinfo=None), datetime(2200, 1, 1, tzinfo=UTC).replace(tzinfo=None)
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.dates(min_value=date(1, 1, 1)),
    MOMENTS,
    MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)),
    st.lists(st.text(), min_size=1),
)


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as opened:
        opened.execute("set timezone = 'UTC'")
        yield opened


@given(value=VALUES)
@example("it's; drop table raw.fetches; --")
@example("\\' or 1 = 1 --")
@example("$other $$ /* */ \x00 \u2028 \U0001f512")
@example(["'", "$value", "\x00'"])
@example(-0.0)
@example(float("inf"))
def test_a_value_arrives_as_it_is(connection, value):
    ((found,),) = execute(connection, "select $value", {"value": value, "other": "no"}).fetchall()
    assert found == value
    assert type(found) is type(value)


def test_a_number_below_zero_stands_for_itself(connection):
    assert execute(connection, "select 5 -$value", {"value": -3}).fetchall() == [(8,)]


def test_a_moment_of_another_zone_is_the_same_moment(connection):
    moment = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert execute(connection, "select $moment", {"moment": moment}).fetchall() == [(moment,)]


def test_what_only_looks_like_a_parameter_stays(connection):
    text = """
        -- $value is here, à la carte
        select '$value' as quoted, "x" as "$value", $value as é, $$ $value $$ as dollars /* $value */
        from (select $value || 'x' as x) where $value is not null;
        select $value || $other as both
    """
    first, last = duckdb.extract_statements(text)
    values = {"value": "ä'$other", "other": "b"}
    assert select_rows(connection, first.query, values) == [
        {"quoted": "$value", "$value": "ä'$otherx", "é": "ä'$other", "dollars": " $value "}
    ]
    assert (
        execute(connection, text, values).fetchall()
        == [("ä'$otherb",)]
        == execute(connection, last.query, values).fetchall()
    )


def test_there_is_no_literal_for_anything_else():
    with pytest.raises(TypeError, match="no literal for a dict"):
        format_literal({"a": 1})


def test_a_value_is_written_without_pandas():
    program = (
        "import sys, duckdb\n"
        "from secscore_pipeline.warehouse.statements import execute\n"
        "execute(duckdb.connect(), 'create table t as select $a as a', {'a': ['x']})\n"
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
