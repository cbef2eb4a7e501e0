"""One table of several by a declared query: types, order, parameters, and every refusal."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_pipeline.data.sql import check_query, run_query
from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.parameters import Dataset

DATASET = Dataset(target="y", positive=1)
CLIENTS = pd.DataFrame({"client": [3, 1, 2], "town": ["Oslo", "Rome", None], "age": [41.0, None, 30.0]})
ORDERS = pd.DataFrame(
    {
        "client": [1, 1, 3],
        "day": pd.to_datetime(["2026-01-01", "2026-01-05", "2026-01-03"]).as_unit("us"),
        "items": [2, 5, 7],
        "paid": [True, False, True],
    }
)
TABLES = {"clients": CLIENTS, "orders": ORDERS}


def run(text: str, tables: dict[str, pd.DataFrame] | None = None, **roles: Any) -> pd.DataFrame:
    return run_query(text, tables or TABLES, DATASET.model_copy(update=roles), "shop/table.sql")


def refusal(text: str, kind: type[Exception] = ConfigurationError, **tables: pd.DataFrame) -> str:
    with pytest.raises(kind) as caught:
        run(text, {**TABLES, **tables})
    message = str(caught.value)
    assert message.startswith("shop/table.sql")
    assert "\n" not in message
    return message


def test_sums_and_missing_values_have_the_types_that_pandas_gives():
    made = run(
        "SELECT c.client, town, age, sum(items) AS items, count(items) AS orders, avg(items) AS mean,"
        " bool_or(paid) AS paid FROM clients AS c LEFT JOIN orders USING (client) GROUP BY ALL ORDER BY client"
    )
    assert made.astype(object).where(made.notna(), None).to_dict("list") == {
        "client": [1, 2, 3],
        "town": ["Rome", None, "Oslo"],
        "age": [None, 30.0, 41.0],
        "items": [7.0, None, 7.0],
        "orders": [2, 0, 1],
        "mean": [3.5, None, 7.0],
        "paid": [True, None, True],
    }
    assert {name: str(kind) for name, kind in made.dtypes.items()} == {
        "client": "int64",
        "town": "str",
        "age": "float64",
        "items": "float64",
        "orders": "int64",
        "mean": "float64",
        "paid": "boolean",
    }


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("1::TINYINT", "int64", 1),
        ("sum(client)::HUGEINT", "int64", 3),
        ("9007199254740993", "int64", 9007199254740993),
        ("CASE WHEN client = 3 THEN 9007199254740993 END", "Int64", 9007199254740993),
        ("CASE WHEN client = 3 THEN 18446744073709551615::UBIGINT END", "UInt64", 18446744073709551615),
        ("1.25::DECIMAL(9, 2)", "float64", 1.25),
        ("170141183460469231731687303715884105727::HUGEINT", "float64", float(2**127)),
        ("DATE '2026-01-31'", "datetime64[us]", pd.Timestamp("2026-01-31")),
        ("TIMESTAMP_NS '2026-01-31 10:00'", "datetime64[us]", pd.Timestamp("2026-01-31 10:00")),
        ("'a'::ENUM ('a', 'b')", "str", "a"),
        ("client = 3", "bool", True),
        ("1.5::REAL", "float32", 1.5),
    ],
)
def test_every_type_of_the_result_is_one_of_tables(expression, kind, value):
    made = run(f"SELECT client, {expression} AS made FROM clients GROUP BY client ORDER BY client DESC")
    assert str(made["made"].dtype) == kind
    assert made["made"].iloc[0] == value


def test_a_column_without_a_value_is_text_without_one():
    assert str(run("SELECT client, NULL AS none FROM clients ORDER BY client")["none"].dtype) == "str"


@settings(deadline=None, max_examples=25)
@given(
    left=st.lists(
        st.tuples(st.integers(0, 5), st.floats(allow_nan=True, allow_infinity=False)), min_size=1, max_size=8
    ),
    right=st.dictionaries(st.integers(0, 5), st.one_of(st.none(), st.integers(-(2**50), 2**50)), min_size=1),
)
def test_a_left_join_is_that_of_pandas_to_the_last_bit(left, right):
    rows = pd.DataFrame(left, columns=["key", "x"]).assign(row=range(len(left)))
    facts = pd.DataFrame({"key": list(right), "fact": pd.Series(list(right.values()), dtype="float64")})
    made = run(
        "SELECT r.*, fact FROM rows AS r LEFT JOIN facts USING (key) ORDER BY row",
        {"rows": rows, "facts": facts},
    )
    pd.testing.assert_frame_equal(made, rows.merge(facts, on="key", how="left"), check_exact=True)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC+02:00", "UTC"])
def test_times_keep_the_clock_of_the_tables(zone):
    at = (
        pd.to_datetime(["2026-01-31T23:30:00Z"])
        .as_unit("us")
        .tz_convert(pd.Timestamp("2026-01-01", tz=zone).tz)
    )
    events = pd.DataFrame({"moment": at})
    made = run(
        "SELECT moment, hour(moment) AS hour FROM events WHERE moment <= $as_of ORDER BY moment",
        {"events": events},
        as_of="2026-02-01",
    )
    assert made["moment"].dtype == events["moment"].dtype
    assert made["moment"].tolist() == events["moment"].tolist()
    assert made["hour"].tolist() == events["moment"].dt.hour.tolist()


def test_the_present_and_the_delay_of_the_label_are_parameters():
    text = "SELECT day FROM orders WHERE day <= $as_of - $label_delay ORDER BY day"
    assert len(run(text, as_of="2026-01-05", label_delay="2d")) == 2
    assert len(run(text, present="2026-01-05", label_delay="12h")) == 2
    assert len(run(text, as_of="2026-01-05")) == 3
    numbers = "SELECT items FROM orders WHERE items <= $as_of - $label_delay ORDER BY items"
    assert len(run(numbers, as_of=6.0, label_delay=1)) == 2


def test_declared_values_are_parameters_and_each_is_used():
    text = "SELECT items FROM orders WHERE items < $most AND paid = $paid ORDER BY items"
    given = {"most": 7, "paid": True}
    assert run_query(text, TABLES, DATASET, "shop/table.sql", given)["items"].tolist() == [2]
    with pytest.raises(
        ConfigurationError, match=r"^shop/table\.sql does not use \$day, which query declares; take"
    ):
        check_query(text, "shop/table.sql", [*given, "day"])
    with pytest.raises(
        ConfigurationError, match=r"\$paid is no parameter; there are .*, \$most\. Declare others in"
    ):
        check_query(text, "shop/table.sql", ["most"])


def test_rows_may_be_ordered_by_a_column_that_is_not_selected():
    text = "/* SELECT ( */ WITH a AS (SELECT * FROM clients)\nSELECT town FROM a ORDER BY a.client DESC -- é"
    assert run(text)["town"].fillna("").tolist() == ["Oslo", "", "Rome"]
    assert list(run(text).columns) == ["town"]
    assert run("SELECT client % 3 AS client FROM clients ORDER BY 1")["client"].tolist() == [0, 1, 2]
    assert len(run("SELECT * FROM orders ORDER BY ALL")) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "SELECT town\nFROM clients\nORDER client",
            r"line 3: syntax error at or near \"client\"; correct the SQL\.",
        ),
        ("", r"holds 0 queries; write one SELECT"),
        ("SELECT 1 ORDER BY 1; SELECT 2 ORDER BY 1", r"holds 2 queries; write one SELECT"),
        ("COPY clients TO '/tmp/x.csv'", r"holds another statement; write one SELECT"),
        (
            "SELECT * FROM clients",
            r"has no ORDER BY, so that chance would order its rows; end it with ORDER BY and col",
        ),
        (
            "SELECT * FROM clients\nORDER BY lower(town)",
            r"line 2: ORDER BY holds an expression; name columns only",
        ),
        (
            "SELECT now() AS n FROM clients ORDER BY n",
            r": now differs from run to run; use \$as_of for the present",
        ),
        ("SELECT current_date AS n FROM clients ORDER BY n", r": current_date differs from run to run"),
        ("SELECT age(DATE '2026-01-01') AS n FROM clients ORDER BY n", r": age differs from run to run"),
        ("SELECT * FROM clients USING SAMPLE 1 ORDER BY ALL", r": a sample differs from run to run"),
        (
            "SELECT * FROM clients WHERE age > $asof ORDER BY ALL",
            r"\$asof is no parameter; there are \$as_of, \$label_delay\. Decl",
        ),
    ],
)
def test_what_is_wrong_whatever_the_tables_are_is_refused_before_they_are_read(text, message):
    with pytest.raises(ConfigurationError, match=rf"^shop/table\.sql(, |: | ){message.lstrip(': ')}"):
        check_query(text, "shop/table.sql")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "SELECT client,\n twon FROM clients ORDER BY client",
            ", line 2: no column 'twon'; did you mean 'town'.",
        ),
        (
            "SELECT c.twon FROM clients AS c ORDER BY c.client",
            ", line 1: no column 'twon'; did you mean 'town'.",
        ),
        (
            "SELECT zzz FROM clients ORDER BY zzz",
            ", line 1: no column 'zzz'; clients has client, town, age; orders has client, day, items, paid.",
        ),
        (
            "SELECT * FROM client ORDER BY ALL",
            ", line 1: no table 'client'; did you mean 'clients'? the tables are clients, orders, and no file "
            "can be read.",
        ),
        (
            "SELECT *\nFROM read_csv('/etc/passwd') ORDER BY ALL",
            ", line 2: /etc/passwd is not read: a query sees raw tables only, no file and no network; the tables are "
            "clients, orders. Declare another one under tables.",
        ),
        (
            "SELECT getenv('HOME') AS home FROM clients ORDER BY home",
            ', line 1: Scalar Function with name getenv does not exist! Did you mean "get_current_time"; '
            "correct the SQL.",
        ),
        (
            "SELECT * FROM clients JOIN orders ON clients.client = orders.client ORDER BY day",
            ": column 'client' stands twice in the result; leave one out (EXCLUDE, or JOIN .. USING), or name it "
            "otherwise (AS).",
        ),
        (
            "SELECT client, age FROM clients JOIN orders USING (client) ORDER BY client",
            ": ORDER BY does not tell rows apart: 2 rows have client 1, and 2 of 3 repeat a key. Add columns to it, or "
            "join each row to one at most.",
        ),
        (
            "SELECT DISTINCT paid FROM orders ORDER BY orders.day",
            ": ORDER BY orders.day must be a column of the result; select it, too.",
        ),
        (
            "SELECT client, INTERVAL 1 DAY AS wait FROM clients ORDER BY client",
            ": column 'wait' holds values of type month_day_nano_interval, which features cannot use; give "
            "numbers, texts, dates or truth values (epoch(x) makes seconds of an interval).",
        ),
        (
            "SELECT client, town - 1 AS less FROM clients ORDER BY client",
            ", line 1: No function matches the given name and argument types '-(VARCHAR, INTEGER_LITERAL)'. You might "
            "need to add explicit type casts; correct the SQL.",
        ),
    ],
)
def test_what_a_query_gets_wrong_about_its_tables_is_one_message(text, message):
    assert refusal(text) == f"shop/table.sql{message}"


@pytest.mark.parametrize("file", ["data.csv", "data.parquet", "/etc/passwd", "https://example.com/x.parquet"])
def test_no_file_is_read(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("a\n1\n")
    ORDERS.to_parquet(tmp_path / "data.parquet")
    assert file in refusal(f"SELECT * FROM '{file}' ORDER BY ALL")
    assert not (tmp_path / ".tmp").exists()


def test_no_variable_of_this_process_is_a_table():
    secrets = pd.DataFrame({"a": [1]})
    assert "no table 'secrets'" in refusal("SELECT * FROM secrets ORDER BY ALL")
    assert len(secrets) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "SELECT client,\n town::INTEGER AS town FROM clients ORDER BY client",
            ", line 2: Could not convert string 'Oslo' to INT32 when casting from source column town; correct the "
            "data, or what the SQL makes of it (TRY_CAST gives NULL instead).",
        ),
        (
            "SELECT * FROM clients JOIN nobody USING (client) ORDER BY client",
            " gives no row; the tables have rows: clients 3, orders 3, nobody 0. Look at its joins and its WHERE.",
        ),
    ],
)
def test_values_that_a_query_cannot_take_are_an_error_of_the_data(text, message):
    nobody = pd.DataFrame({"client": pd.Series([], dtype="int64")})
    assert refusal(text, DataError, nobody=nobody) == f"shop/table.sql{message}"


def test_a_date_that_is_none_is_refused():
    with pytest.raises(ConfigurationError, match=r"dataset\.as_of: 'soon' is no ISO date such as 2026-01-31"):
        run("SELECT day FROM orders WHERE day < $as_of ORDER BY day", as_of="soon")


def test_the_tables_stay_as_they_are():
    before = {name: rows.copy() for name, rows in TABLES.items()}
    made = run("SELECT client, age FROM clients ORDER BY client")
    made["age"] = 0.0
    for name, rows in before.items():
        pd.testing.assert_frame_equal(TABLES[name], rows)
