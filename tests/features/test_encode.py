import json

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data.columns import feature_columns
from lepton_pipeline.errors import DataError
from lepton_pipeline.features.encode import Encoder, encode_rows
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.parameters import Dataset, Leaks
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target

DATASET, TARGET = Dataset(target="y", positive=1), Target(Binary())


def table(rows=400, seed=0):
    rng = np.random.default_rng(seed)
    income = rng.lognormal(10, 2, rows)
    income[::7] = np.nan
    return pd.DataFrame(
        {
            "y": rng.integers(0, 2, rows),
            "income": income,
            "children": rng.integers(0, 4, rows),
            "city": pd.Series(rng.choice(["Rome", "Oslo", "Bern"], rows, p=[0.6, 0.3, 0.1])).mask(
                rng.random(rows) < 0.1
            ),
            "member": rng.random(rows) < 0.5,
        }
    )


def files(encoder, folder):
    encoder.save(folder)
    return [(folder / name).read_bytes() for name in ("encoder.json", "encoder.safetensors")]


def column(values, declared=None, rows=1):
    """Fit on one column (repeated `rows` times) and return encoder."""
    frame = pd.DataFrame({"x": values * rows if isinstance(values, list) else values})
    return Encoder.fit(
        frame.assign(y=0), Dataset(target="y", positive=1, **{declared: ["x"]} if declared else {})
    )


def codes(encoder, values):
    return encoder.transform(pd.DataFrame({"x": values}))["x"].tolist()


def test_features_are_columns_without_another_role():
    dataset = Dataset(target="y", positive=1, id="n", exclude=["e"], sensitive=["s"], numeric=["a"])
    assert feature_columns(pd.DataFrame(columns=["b", "n", "y", "a", "e", "s"]), dataset) == ["b", "a"]


def test_numbers_become_float32_and_categories_int32():
    rows = table()
    encoder = Encoder.fit(rows, DATASET)
    encoded = encoder.transform(rows)
    assert {name: str(dtype) for name, dtype in encoded.dtypes.items()} == {
        "income": "float32",
        "income is missing": "float32",
        "children": "float32",
        "city": "int32",
        "member": "int32",
    }
    assert encoder.inputs == {"income": "number", "children": "number", "city": "text", "member": "boolean"}
    assert (encoded.loc[rows["income"].isna(), "income"] == 0).all()
    assert (encoded["income is missing"] == rows["income"].isna()).all()
    assert abs(encoded["income"].mean()) < 0.05
    assert abs(encoded["income"].std() - 0.92) < 0.08


def test_order_of_numbers_is_kept():
    rows = table()
    encoded = Encoder.fit(rows, DATASET).transform(rows)
    for name in ("income", "children"):
        known = rows[name].notna()
        assert np.array_equal(rows.loc[known, name].rank(), encoded.loc[known, name].rank())


def test_ties_share_the_middle_of_their_ranks():
    encoder = column([0] * 80 + [1] * 20)
    encoded = encoder.transform(pd.DataFrame({"x": [0, 0.5, 1]}))["x"].to_numpy()
    normal_at_40_and_90_percent = np.array([-0.2533471, 1.2815516])
    assert encoded[[0, 2]] == pytest.approx(normal_at_40_and_90_percent)
    assert encoded[1] == pytest.approx(normal_at_40_and_90_percent.mean())


def test_many_ties_among_many_values_stay_monotone():
    values = pd.Series(np.concatenate([np.zeros(2000), np.linspace(-1, 5, 1500), np.full(1000, 2.0)]))
    encoded = column(values).transform(pd.DataFrame({"x": np.sort(values)}))["x"].to_numpy()
    assert (np.diff(encoded) >= 0).all()
    assert len(np.unique(encoded)) > 1400


@pytest.mark.parametrize("extreme", [1e12, np.inf, 1.7e308])
def test_an_outlier_leaves_the_other_rows_where_they_are(extreme):
    values = pd.Series(np.arange(1000.0))
    plain, spoilt = column(values), column(values.mask(values == 999, extreme))
    few = pd.DataFrame({"x": np.arange(0.0, 990, 10)})
    assert np.abs(plain.transform(few) - spoilt.transform(few)).to_numpy().max() < 0.02
    ends = spoilt.transform(pd.DataFrame({"x": [-np.inf, -1e308, 1e308, np.inf]}))["x"].to_numpy()
    assert np.isfinite(ends).all()
    assert ends[0] == ends[1] < -3
    assert ends[2] <= ends[3] < 3.2


@pytest.mark.parametrize("scale", [1e-320, 1e-30, 1e30, 1e299])
def test_scale_does_not_matter(scale):
    values = pd.Series([-3.0, 1, 2, 7]) * scale
    assert column(values).transform(pd.DataFrame({"x": values}))["x"].to_numpy() == pytest.approx(
        [-1.1503, -0.3186, 0.3186, 1.1503], abs=1e-4
    )


def test_constant_and_empty_columns_are_dropped_with_the_reason(tmp_path):
    rows = table().assign(one=5, none=np.nan, same="a", row_id=[f"r{i}" for i in range(400)])
    encoder = Encoder.fit(rows, DATASET)
    assert encoder.dropped == {
        "one": "every value is the same",
        "none": "every value is missing",
        "same": "every value is the same",
        "row_id": "every value is rare",
    }
    encoder.save(tmp_path)
    assert json.loads((tmp_path / "encoder.json").read_text())["dropped"][0] == {
        "name": "one",
        "reason": "every value is the same",
    }
    assert Encoder.load(tmp_path).dropped == encoder.dropped
    assert encoder.transform(rows.drop(columns=["one", "none"])).shape == (400, 5)


def test_one_value_beside_missing_ones_is_an_indicator_only():
    encoder = column([3.0, np.nan], rows=5)
    assert list(encoder.transform(pd.DataFrame({"x": [3.0, np.nan, 9.0]}))["x is missing"]) == [0, 1, 0]


def test_a_nearly_constant_column_of_a_long_table_is_kept():
    values = pd.Series(np.zeros(150_000))
    values[77] = 1.0
    encoded = column(values).transform(pd.DataFrame({"x": [0.0, 1.0]}))["x"]
    assert encoded[1] - encoded[0] > 2


def test_codes_follow_frequency_then_name():
    encoder = column(["b"] * 30 + ["c"] * 50 + ["a"] * 30 + ["rare"] * 9 + [None] * 5 + ["d"] * 900)
    assert codes(encoder, ["d", "c", "a", "b", "rare", "never seen", None, np.nan]) == [
        2,
        3,
        4,
        5,
        1,
        1,
        0,
        0,
    ]


def test_in_small_tables_two_rows_make_a_category():
    assert codes(column(["a", "a", "b", "b", "b", "c"]), ["a", "b", "c"]) == [3, 2, 1]


def test_a_declared_category_is_known_by_its_text_whatever_its_dtype(tmp_path):
    encoder = column([1, 2, 2, 30, 30, 30], "categorical", rows=10)
    assert encoder.inputs == {"x": "number"}
    expected = [4, 3, 2, 1]
    for values in ([1, 2, 30, 4], [1.0, 2.0, 30.0, 4.5], ["1", "2", " 30", "x"], [1, 2.0, "30", True]):
        assert codes(encoder, values) == expected
    assert codes(encoder, pd.array([1, 2, 30, None], dtype="Int64")) == [4, 3, 2, 0]
    encoder.save(tmp_path)
    assert json.loads((tmp_path / "encoder.json").read_text())["columns"][0]["categories"] == ["30", "2", "1"]


def test_truth_values_may_arrive_as_text_or_numbers():
    encoder = column([True, False, True], rows=10)
    assert codes(encoder, [True, False]) == [2, 3]
    assert codes(encoder, ["true", "False"]) == codes(encoder, [1, 0]) == [2, 3]
    assert codes(encoder, pd.array([True, None, False], dtype="boolean")) == [2, 0, 3]


def test_a_declared_number_may_arrive_as_text():
    encoder = column(["1", "2.5", None, "4"], "numeric")
    assert encoder.inputs == {"x": "number"}
    from_text = encoder.transform(pd.DataFrame({"x": ["2.5", None, "4"]}))
    pd.testing.assert_frame_equal(from_text, encoder.transform(pd.DataFrame({"x": [2.5, np.nan, 4.0]})))
    with pytest.raises(DataError, match=r"column 'x' must hold numbers, but 2 of 3 .* first 'many'"):
        encoder.transform(pd.DataFrame({"x": ["1", "many", "more"]}))


def test_missing_columns_are_named_with_the_closest_ones():
    rows = table()
    encoder = Encoder.fit(rows, DATASET)
    with pytest.raises(DataError, match=r"are missing: 'children', 'city' \(did you mean 'City'\?\);"):
        encoder.transform(rows.rename(columns={"city": "City"}).drop(columns="children"))


@pytest.mark.parametrize("batch", [1, 7])
def test_a_row_is_encoded_to_the_same_bits_in_any_company(batch):
    rows = table(60)
    encoder = Encoder.fit(rows, DATASET)
    parts = [encoder.transform(rows.iloc[i : i + batch]) for i in range(0, len(rows), batch)]
    pd.testing.assert_frame_equal(pd.concat(parts), encoder.transform(rows), check_exact=True)


def test_no_rows_are_encoded_to_no_rows():
    rows = table()
    encoder = Encoder.fit(rows, DATASET)
    for empty in (rows.iloc[:0], pd.DataFrame(columns=rows.columns)):
        encoded = encoder.transform(empty)
        assert encoded.shape == (0, 5)
        assert encoded.dtypes.equals(encoder.transform(rows).dtypes)


def test_only_training_rows_are_learnt_from(tmp_path):
    rows = table().set_index(pd.RangeIndex(0, 1200, 3))
    split = pd.DataFrame(
        {"part": ["train", "train", "validation", "test"] * 100, "label": 0, "fold": -1}, index=rows.index
    )
    other = split["part"] != "train"
    changed = rows.copy()
    changed.loc[other, ["income", "children"]] = [1e9, 77]
    changed.loc[other, "city"] = "Atlantis"
    changed.loc[other, "member"] = True
    first, encoded = encode_rows(
        rows, split, TARGET, DATASET, FeatureReport(0, 0.95, "stop", "warn", [], []), Leaks()
    )
    second, _ = encode_rows(
        changed, split, TARGET, DATASET, FeatureReport(0, 0.95, "stop", "warn", [], []), Leaks()
    )
    assert files(first, tmp_path / "a") == files(second, tmp_path / "b")
    assert encoded.index.equals(rows.index)
    third, _ = encode_rows(
        changed,
        split.assign(part="train"),
        TARGET,
        DATASET,
        FeatureReport(0, 0.95, "stop", "warn", [], []),
        Leaks(),
    )
    assert files(third, tmp_path / "c") != files(first, tmp_path / "a")


def test_a_loaded_encoder_is_the_saved_one(tmp_path):
    rows = table()
    encoder = Encoder.fit(rows, DATASET)
    saved = files(encoder, tmp_path / "a")
    loaded = Encoder.load(tmp_path / "a")
    assert files(loaded, tmp_path / "b") == saved
    assert loaded.inputs == encoder.inputs
    pd.testing.assert_frame_equal(loaded.transform(rows), encoder.transform(rows), check_exact=True)


def test_texts_are_one_category_however_their_letters_are_composed(tmp_path):
    composed, parts = "Malm\u00f6", "Malmo\u0308"
    encoder = column([composed, parts, "Lund"], rows=20)
    assert codes(encoder, [composed, parts, "Lund", "Malmo"]) == [2, 2, 3, 1]
    encoder.save(tmp_path)
    # An encoder that was written before may hold another form.
    path = tmp_path / "encoder.json"
    path.write_text(path.read_text("utf-8").replace(composed, parts), "utf-8")
    assert codes(Encoder.load(tmp_path), [composed, parts, "Lund"]) == [2, 2, 3]


def test_what_training_rows_had_rarely_is_kept_but_not_as_text(tmp_path):
    encoder = column(["a", "b"] * 45 + ["Ann", "Bob"] * 5 + [None] * 900)
    content = b"".join(files(encoder, tmp_path))
    assert b"Ann" not in content
    (loaded,) = Encoder.load(tmp_path).columns
    assert loaded.known == 0.9
    assert loaded.seen_in_training(["a", "Ann", "Bob", "Eve"]) == [True, True, True, False]


def test_an_encoder_written_before_rare_values_were_kept_still_loads(tmp_path):
    column(["a", "b"] * 10 + ["c"]).save(tmp_path)
    path = tmp_path / "encoder.json"
    description = json.loads(path.read_text())
    for key in ("known", "rare"):
        del description["columns"][0][key]
    path.write_text(json.dumps(description))
    loaded = Encoder.load(tmp_path)
    assert codes(loaded, ["a", "b", "c"]) == [2, 3, 1]
    assert (loaded.columns[0].known, loaded.columns[0].rare) == (None, None)


def test_too_many_rare_values_are_not_kept(monkeypatch):
    monkeypatch.setattr("lepton_pipeline.features.column_encoders.MOST_RARE", 1)
    assert column(["a", "b"] * 10 + ["c", "d"]).columns[0].rare is None
    assert len(column(["a", "b"] * 10 + ["c"]).columns[0].rare) == 1


def test_a_later_format_is_refused(tmp_path):
    Encoder.fit(table(), DATASET).save(tmp_path)
    path = tmp_path / "encoder.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 3'))
    with pytest.raises(DataError, match="has format 3, this version reads 1 and 2"):
        Encoder.load(tmp_path)


def test_arguments_are_left_as_they_were():
    rows = table()
    before = rows.copy(deep=True)
    Encoder.fit(rows, DATASET).transform(rows)
    pd.testing.assert_frame_equal(rows, before)


def test_no_feature_left_is_an_error():
    with pytest.raises(DataError, match=r"no feature is left .*'x': every value is the same"):
        column([1, 1])
    with pytest.raises(DataError, match="every column has another role"):
        Encoder.fit(pd.DataFrame({"y": [0, 1]}), DATASET)


def test_a_column_named_like_an_indicator_is_refused():
    rows = pd.DataFrame({"x": [1, None, 2], "x is missing": [1, 0, 1]})
    with pytest.raises(DataError, match="column 'x is missing' has the name of a column that encoding adds"):
        Encoder.fit(rows, DATASET)


def test_a_whole_number_beyond_all_others_is_refused_by_name():
    encoder = Encoder.fit(table(), DATASET)
    huge = table(2).assign(income=pd.Series([10**400, 1], dtype=object))
    with pytest.raises(DataError, match="column 'income' holds a whole number beyond 1e308"):
        encoder.transform(huge)
