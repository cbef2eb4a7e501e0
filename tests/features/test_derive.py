"""Derived columns: order, refusals, and the row-wise part that is saved with a model."""

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.features.derive import Derivation, check_features_declared, derive_features
from lepton_pipeline.parameters import Dataset, Features, Ingestion, Window
from lepton_pipeline.system.records import from_json, to_json

DOCS = (Path(__file__).parents[2] / "docs" / "features.md").read_text("utf-8")
DATASET = Dataset(target="y", positive=1, time="at", exclude=["hint"])
ROWS = pd.DataFrame(
    {"at": [2, 1, 3], "x": [20.0, 10.0, 30.0], "shop": ["a", "a", "a"], "y": [0, 1, 0]}, index=[5, 1, 8]
)


def last(of, **options):
    return Window(statistic="lag", of=of, rows=1, **options)


def problems(dataset=DATASET, windows=None, **derive):
    return check_features_declared(Features(derive=derive, windows=windows or {}), dataset)


def test_columns_use_each_other_whatever_their_order():
    features = Features(
        derive={"rise": "x - last_double / 2", "double": "2 * x"},
        windows={"last_double": last("double", by=["shop"])},
    )
    before = ROWS.copy(deep=True)
    made = derive_features(ROWS, DATASET, features)
    assert made.columns.tolist() == ["at", "x", "shop", "y", "rise", "double", "last_double"]
    assert made["double"].tolist() == [40, 20, 60]
    assert made["last_double"].fillna(-1).to_dict() == {5: 20, 1: -1, 8: 40}
    assert made["rise"].fillna(-1).to_dict() == {5: 10, 1: -1, 8: 10}
    pd.testing.assert_frame_equal(ROWS, before)
    pd.testing.assert_frame_equal(made[ROWS.columns], before)


def test_time_may_be_derived():
    rows = pd.DataFrame({"code": [240105, 240101], "x": [1.0, 2.0], "y": [0, 1]})
    features = Features(derive={"at": "date(code, '%y%m%d')"}, windows={"before": last("x")})
    assert derive_features(rows, DATASET, features)["before"].fillna(-1).tolist() == [2, -1]


def test_without_declared_features_the_rows_stay():
    pd.testing.assert_frame_equal(derive_features(ROWS, DATASET, Features()), ROWS)


def test_many_columns_make_no_warning():
    features = Features(derive={f"x{number}": f"x + {number}" for number in range(150)})
    assert derive_features(ROWS, DATASET, features)["x149"].tolist() == [169, 159, 179]


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(DataError, match=r"features.derive.x: the table has a column 'x' already"):
        derive_features(ROWS, DATASET, Features(derive={"x": "at + 1"}))


@pytest.mark.parametrize(
    ("features", "problem"),
    [
        (
            Features(derive={"new": "1 + X"}),
            r"features.derive.new: '1 \+ X' reads column 'X'.*did you mean 'x'",
        ),
        (
            Features(windows={"new": last("x", by=["Shop"])}),
            r"column 'Shop', which features.windows.new declares; did you mean 'shop'",
        ),
        (
            Features(derive={"new": "x + shop"}),
            r"features.derive.new: 'x \+ shop' cannot be computed: \+ does not take",
        ),
    ],
)
def test_data_that_does_not_fit_is_named(features, problem):
    with pytest.raises(DataError, match=problem):
        derive_features(ROWS, DATASET, features)


def test_what_is_declared_well_has_no_problems():
    windows = {"shop_y": Window(statistic="mean", of="hint", by=["shop"])}
    assert problems(windows=windows, hint="y * 2", other="shop_y / 2", at="date(day, '%Y')") == []


@pytest.mark.parametrize(
    ("derive", "rule", "of"),
    [
        ({"bad": "y * 1"}, None, "bad"),
        ({"bad": "worse + 1", "worse": "where(y > 0, 1, 0)"}, None, "bad"),
        ({"bad": "before * 2"}, None, "bad"),
        ({}, None, "before"),
        ({"bad": "limit * 1"}, "y > limit", "bad"),
        ({}, "y > limit", "limit"),
        ({}, None, "y"),
    ],
)
@pytest.mark.parametrize("statistic", ["mean", "lag"])
def test_a_window_over_what_follows_from_the_target_waits_for_the_label(derive, rule, of, statistic):
    rows = pd.DataFrame({"at": range(1, 7), "y": [1, 0, 1, 1, 0, 1], "limit": [0, 0, 1, 0, 0, 0]})
    roles = {"target": "y", "time": "at", "label_delay": 3, "exclude": ["bad", "worse"]}
    dataset = Dataset(**roles, **({"positive": 1} if rule is None else {"positive_when": rule}))
    counted = {"rows": 1} if statistic == "lag" else {}
    windows = {"seen": Window(statistic=statistic, of=of, **counted), "before": last("y")}
    made = derive_features(rows, dataset, Features(derive=derive, windows=windows))
    # The label of the first row is known from the fifth on, and what was made of it is missing in the first rows.
    assert made["seen"].iloc[:4].isna().all()
    asked = {**windows, "seen": Window(statistic=statistic, of=of, known="at", **counted)}
    at_once = derive_features(rows, dataset, Features(derive=derive, windows=asked))
    assert at_once["seen"].notna().sum() > made["seen"].notna().sum()


def test_a_window_over_an_excluded_column_must_say_when_it_is_known():
    (line,) = problems(windows={"shop_hint": Window(statistic="mean", of="hint", by=["shop"])})
    assert line == (
        "features.windows.shop_hint: of: 'hint' is excluded (dataset.exclude), and nothing says when its values are "
        "known; declare known: the column with that time, or known: at if they are known at the row's own time."
    )
    assert problems(windows={"shop_hint": last("hint", known="at")}) == []
    assert problems(windows={"shop_hint": last("hint", known="reported")}) == []
    (line,) = problems(windows={"shop_hint": last("hint")}, hint="x * 2")
    assert "'hint' is excluded" in line
    # A feature is known at the row's own time, whatever it is made of.
    assert problems(windows={"before": last("double")}, double="hint * 2") == []


def test_every_expression_that_cannot_be_read_is_one_line():
    dataset = Dataset(target="y", positive_when="y.real")
    lines = problems(dataset, a="1 +", b="x", c="foo(x)")
    assert [line.split(": ")[0] for line in lines] == [
        "features.derive.a",
        "features.derive.c",
        "dataset.positive_when",
    ]
    assert not any("\n" in line for line in lines)


def test_columns_that_need_each_other_are_named_in_order():
    assert problems(a="b + 1", b="c + 1", c="before", windows={"before": last("a")})[0].startswith(
        "features.derive.a: it needs itself ('a' <- 'b' <- 'c' <- 'before' <- 'a')"
    )
    assert problems(x="x + 1")[0].startswith("features.derive.x: it needs itself ('x' <- 'x')")
    with pytest.raises(ConfigurationError, match=r"features.derive.x: it needs itself"):
        derive_features(ROWS, DATASET, Features(derive={"x": "x + 1"}))


@pytest.mark.parametrize(
    ("derive", "windows", "refused"),
    [
        ({"a": "y + 1"}, {}, {"features.derive.a"}),
        ({"a": "hint + 1", "hint": "y + 1"}, {}, {"features.derive.a"}),
        ({"a": "b * 2", "b": "is_missing(y)"}, {}, {"features.derive.a", "features.derive.b"}),
        ({"a": "before * 2"}, {"before": last("y")}, set()),
        ({"hint": "y + 1"}, {"before": last("hint")}, set()),
        ({"hint": "at + y"}, {"before": last("x", known="hint")}, set()),
        ({"hint": "y + 1"}, {"alike": last("x", by=["hint"])}, {"features.windows.alike"}),
        ({"a": "alike"}, {"alike": last("x", by=["y"])}, {"features.windows.alike", "features.derive.a"}),
    ],
)
def test_the_target_of_a_row_is_no_feature_of_it(derive, windows, refused):
    lines = problems(windows=windows, **derive)
    assert {line.split(": ")[0] for line in lines} == refused
    assert all("is computed from the target 'y'" in line and "dataset.exclude" in line for line in lines)


@pytest.mark.parametrize(
    ("rule", "derive", "problem"),
    [
        ("x > 1", {}, "'x > 1' does not read the target 'y'"),
        ("y > a", {"a": "x + 1"}, "reads 'a', which is made later"),
    ],
)
def test_the_condition_of_the_positive_class_reads_the_target(rule, derive, problem):
    (line,) = problems(Dataset(target="y", positive_when=rule), **derive)
    assert line.startswith("dataset.positive_when: ")
    assert problem in line


def test_the_target_itself_is_not_derived():
    (line,) = problems(y="x > 1")
    assert line.startswith("features.derive.y: the target must be a column of the table")


DERIVATION = Derivation(
    {"at": "%d/%m/%Y %H:%M", "other": "%Y"},
    {
        "share": "x / total",
        "total": "x + z",
        "hour": "hour(at)",
        "unused": "missing_column + 1",
        "twice": "2 * before",
    },
)


def test_a_derivation_is_the_row_wise_part():
    features = Features(derive={"a": "x"}, windows={"before": last("x")})
    derivation = Derivation.of(features, Ingestion(dates={"at": "ISO8601"}), pd.DataFrame())
    assert derivation == Derivation({"at": "ISO8601"}, {"a": "x"})
    assert from_json(Derivation, to_json(derivation)) == derivation


def test_inputs_are_what_cannot_be_computed():
    assert DERIVATION.inputs(["hour", "twice", "share", "z", "colour"]) == [
        "at",
        "before",
        "x",
        "z",
        "colour",
    ]
    assert DERIVATION.inputs(["colour"]) == ["colour"]


def test_inputs_of_columns_that_share_much_are_found_at_once():
    steps = {f"a{step}": f"a{step - 1} + b{step - 1} + a{step - 1}" for step in range(1, 60)}
    steps |= {f"b{step}": f"b{step - 1} - a{step - 1}" for step in range(1, 60)}
    assert Derivation({}, steps).inputs(["a59"]) == ["a0", "b0"]


@pytest.mark.parametrize(
    "moment",
    ["31/01/2024 08:30", "2024-01-31T08:30:00", "2024-01-31 08:30", pd.Timestamp("2024-01-31 08:30")],
)
def test_apply_computes_what_is_wanted_and_overwrites_what_is_stale(moment):
    rows = pd.DataFrame({"total": [-1.0], "x": [1.0], "z": [3.0], "at": [moment], "kept": ["k"]}, index=[7])
    before = rows.copy(deep=True)
    made = DERIVATION.apply(rows, ["share", "hour", "x"])
    assert made.loc[7, ["x", "z", "kept", "share", "total", "hour"]].tolist() == [1, 3, "k", 0.25, 4, 8]
    assert made.loc[7, "at"] == pd.Timestamp("2024-01-31 08:30")
    assert "unused" not in made
    assert made.columns.is_unique
    pd.testing.assert_frame_equal(rows, before)


def test_apply_gives_a_row_the_same_values_as_a_table():
    dates = ["31/01/2024 08:30", None, "2024-02-01T09:00:00", " "]
    rows = pd.DataFrame({"x": [1.0, None, 3.0, 0.0], "z": [3, 1, 2, 0], "at": dates}, index=[1, 1, 2, 3])
    wanted = ["share", "hour"]
    together = DERIVATION.apply(rows, wanted)
    alone = [DERIVATION.apply(rows.iloc[[place]], wanted)[wanted] for place in range(len(rows))]
    pd.testing.assert_frame_equal(pd.concat(alone), together[wanted])
    assert together["hour"].fillna(-1).tolist() == [8, -1, 9, -1]


def test_apply_takes_whole_numbers_and_missing_values_for_dates():
    derivation = Derivation({"day": "%d%m%y"}, {"month": "month(day)"})
    assert derivation.apply(pd.DataFrame({"day": [10224, 311224]}), ["month"])["month"].tolist() == [2, 12]
    assert derivation.apply(pd.DataFrame({"day": [None]}), ["month"])["month"].isna().all()


def test_apply_without_derived_columns_hands_the_rows_back():
    assert DERIVATION.apply(ROWS, ["x", "colour"]) is ROWS


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ({"x": [1.0], "Z": [2.0]}, r"features.derive.total: 'x \+ z' reads column 'z'.*did you mean 'Z'"),
        (
            {"x": [1.0], "z": ["two"]},
            r"features.derive.total: 'x \+ z' cannot be computed: .*column 'z' holds text",
        ),
        ({"x": [1.0], "z": [2.0], "at": ["soon"]}, r"column 'at' cannot be read as dates .*'soon'"),
        ({"x": [1.0], "z": [2.0], "at": ["2024-01-31T08:30:00Z"]}, r"column 'at' cannot be read as dates"),
    ],
)
def test_apply_names_the_column_that_is_missing_or_wrong(rows, problem):
    with pytest.raises(DataError, match=problem):
        DERIVATION.apply(pd.DataFrame(rows), ["share", "hour"] if "at" in rows else ["share"])


def test_the_documented_windows_give_the_documented_results():
    section = DOCS.split("\n## Windows\n")[1].split("\n## ")[0]
    declared = yaml.safe_load(section.split("```yaml\n")[1].split("```")[0])
    given, expected = (documented(block) for block in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE))
    numbers = given[["sales", "sold_out"]].astype(int)
    rows = given.assign(
        **numbers, day=pd.to_datetime(given["day"]), reported_on=pd.to_datetime(given["reported_on"])
    )
    made = derive_features(rows, Dataset(**declared["dataset"]), Features(**declared["features"]))
    new = [*declared["features"]["windows"], *declared["features"]["derive"]]
    assert expected.columns.tolist() == ["shop", "day", *new]
    shown = made[new].map(lambda value: "missing" if pd.isna(value) else f"{value:.4g}")
    pd.testing.assert_frame_equal(shown.astype("str"), expected[new])


def documented(block):
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines()]
    return pd.DataFrame(rows[2:], columns=rows[0], dtype="str")


def test_the_documented_messages_are_those_that_come():
    rows = pd.DataFrame({"amount": [1.0], "paid": [1.0], "code": ["A"], "arr_delay": [1]})
    dataset = Dataset(target="arr_delay", positive=1)
    messages = [
        *problems(share="ratoi(paid, amount)"),
        *problems(dataset, late="arr_delay > 0"),
        *problems(a="b", b="a"),
    ]
    for new in ({"share": "paid / amuont"}, {"sum": "amount + code"}):
        with pytest.raises(DataError) as refused:
            derive_features(rows, dataset, Features(derive=new))
        messages.append(str(refused.value))
    documented_lines = "".join(re.findall(r"```text\n(.*?)```", DOCS, re.DOTALL)).splitlines()
    assert len(documented_lines) == len(messages)
    for line, message in zip(documented_lines, messages, strict=True):
        assert re.fullmatch(re.escape(line).replace(r"\ \.\.", ".*"), message)


def test_dates_that_a_vertical_s_own_nodes_made_arrive_as_text_too():
    features = Features(derive={"hour": "hour(left)"})
    table = pd.DataFrame({"left": pd.to_datetime(["2013-01-01 17:30"])})
    derivation = Derivation.of(
        features, Ingestion(), derive_features(table, Dataset(target="y", positive=1), features)
    )
    sent = pd.DataFrame({"left": ["2013-01-01T18:05:00"]})
    assert derivation.apply(sent, ["hour"])["hour"].tolist() == [18]
