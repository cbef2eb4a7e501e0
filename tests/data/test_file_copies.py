import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lepton_pipeline.data.file_copies import Copy, FileCopies, find_copied_files
from lepton_pipeline.data.raw import RawFile
from lepton_pipeline.errors import DataError

RNG = np.random.default_rng(3)
ROWS = pd.DataFrame(
    {"id": np.arange(900) + 2**60, "x": RNG.normal(size=900), "city": RNG.choice(["a", "b"], 900), "y": [0, 1, 1] * 300}
)


def texts(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.astype(str)


def find(files: dict[str, pd.DataFrame], partitions: dict[str, dict[str, str | None]] | None = None) -> list[Copy]:
    raw = [RawFile(name, lambda: None, (partitions or {}).get(name, {})) for name in files]
    blocks = [
        (name, pa.RecordBatch.from_pandas(rows.iloc[start : start + 70], preserve_index=False))
        for name, rows in files.items()
        for start in range(0, len(rows), 70)
    ]
    return find_copied_files(raw, blocks)


@pytest.mark.parametrize("name", ["t (1).csv", "t.csv.gz", "Copy of t.csv", "old/other.csv"])
def test_a_file_that_is_there_twice_is_found(name):
    shuffled = ROWS.sample(frac=1, random_state=1)[["y", "city", "x", "id"]]
    assert find({"t.csv": ROWS, name: shuffled}) == [Copy(name, "t.csv", 900, equal=True)]
    assert find({"t.csv": texts(ROWS), name: texts(shuffled)}) == [Copy(name, "t.csv", 900, equal=True)]


def test_parts_beside_the_whole_are_found():
    assert find({"2024.csv": ROWS, "01.csv": ROWS[:300], "02.csv": ROWS[300:600], "2025.csv": ROWS + ROWS}) == [
        Copy("01.csv", "2024.csv", 300, equal=False),
        Copy("02.csv", "2024.csv", 300, equal=False),
    ]


def test_one_other_row_is_enough():
    assert find({"a.csv": ROWS, "b.csv": ROWS.assign(id=ROWS["id"].where(ROWS.index != 7, 1))}) == []


def test_twenty_digits_are_not_rounded():
    assert find({"a.csv": ROWS[["id"]], "b.csv": ROWS[["id"]] + 1000}) == []
    keys = pd.DataFrame({"id": [f"{10**19 + row}" for row in range(90)]})
    assert find({"a.csv": keys, "b.parquet": keys.assign(id=[f"{10**19 + row + 100}" for row in range(90)])}) == []


def test_a_csv_file_beside_its_parquet_form_is_found():
    typed = ROWS.assign(
        at=pd.Timestamp("2024-01-01 10:30") + pd.to_timedelta(ROWS.index, unit="D"),
        flag=ROWS["y"] == 1,
        z=np.where(ROWS.index % 5 == 0, np.nan, ROWS.index / 4),
    )
    plain = typed.assign(z=typed["z"].map(lambda value: "" if np.isnan(value) else f"{value:.3f}"))
    assert find({"t.csv": texts(plain), "u.parquet": typed}) == [Copy("u.parquet", "t.csv", 900, equal=True)]
    assert find({"t.csv": texts(plain), "u.parquet": typed.assign(z=1.5)}) == []


def test_rows_that_repeat_throughout_are_no_copies():
    days = {}
    for day in range(30):
        failed = RNG.random(20) < (0.1 if day % 3 == 0 else 0.0)
        days[f"{day}.csv"] = pd.DataFrame({"machine": range(20), "kind": list("abcd") * 5, "failed": failed})
    assert find(days) == []


@pytest.mark.parametrize("rows", [50, 5000])
@pytest.mark.parametrize("levels", [2, 12])
def test_tables_of_few_values_are_no_copies(rows, levels):
    tables = [pd.DataFrame({name: RNG.integers(0, levels, size) for name in "abc"}) for size in (rows, rows // 10, 5)]
    assert find({f"{at}.csv": table for at, table in enumerate(tables)}) == []


def test_a_handful_of_rows_is_a_copy_only_by_its_name():
    few = ROWS[:3]
    assert find({"monday.csv": ROWS, "tuesday.csv": few}) == []
    assert find({"monday.csv": few, "tuesday.csv": few}) == []
    assert find({"t.csv": few, "t (1).csv": few}) == [Copy("t (1).csv", "t.csv", 3, equal=True)]
    assert find({"t.csv": ROWS, "t.csv.gz": few}) == [Copy("t.csv.gz", "t.csv", 3, equal=False)]
    assert find({"a/part-0.csv": few, "b/part-0.csv": few}) == []


def test_the_same_rows_in_other_partitions_are_other_rows():
    days = {"day=1/t.csv": ROWS, "day=2/t.csv": ROWS}
    assert find(days, {"day=1/t.csv": {"day": "1"}, "day=2/t.csv": {"day": "2"}}) == []
    assert len(find(days)) == 1


def test_empty_rows_are_no_evidence():
    none = pd.DataFrame({"a": [""] * 50, "b": [""] * 50})
    assert find({"a.csv": texts(ROWS), "b.csv": none, "c.csv": none}) == []


def test_the_run_stops_with_both_names():
    tables = {"t.csv": ROWS, "t (1).csv": ROWS}
    found = FileCopies([RawFile(name, lambda: None) for name in tables])
    for name, rows in tables.items():
        found.add(name, pa.Table.from_pandas(rows))
    with pytest.raises(DataError, match=r"t \(1\)\.csv holds the same 900 rows as t\.csv\. .* remove t \(1\)\.csv, or"):
        found.check()


def test_a_single_file_costs_nothing():
    found = FileCopies([RawFile("t.csv", lambda: None)])
    found.add("t.csv", pa.Table.from_pandas(ROWS))
    assert found.find() == []
    assert found._parts == {"t.csv": []}


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", None, "ü"]).dictionary_encode(),
        pa.array(["x", "", "y" * 300_000]),
        pa.array([None, None, None]),
        pa.array([1.5, None, float("nan")]),
        pa.array([[1], None, [2, 3]]),
        pa.array([1, 2, None], pa.time64("us")),
        pa.array([1, 2, None], pa.duration("ms")),
        pa.array([True, None, False]),
        pa.array(["1", "2", "3"], pa.large_string()).slice(1),
        pa.array(["1.10"] * 3).cast(pa.decimal128(5, 2)),
    ],
)
@pytest.mark.parametrize("other", ["b.csv", "b.parquet"])
def test_every_type_can_be_hashed(column, other):
    table = pa.table({"id": list(range(len(column))), "value": column})
    found = FileCopies([RawFile(name, lambda: None) for name in ("a.csv", other)])
    found.add("a.csv", table)
    found.add(other, table)
    (hashes,) = found._parts["a.csv"]
    assert np.array_equal(hashes, found._parts[other][0])
    assert len(np.unique(hashes)) == len(column)
