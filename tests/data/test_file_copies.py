import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data.fingerprint import Copy, FileCopies
from lepton_pipeline.errors import DataError

RNG = np.random.default_rng(3)
ROWS = pd.DataFrame(
    {
        "id": np.arange(900) + 2**60,
        "x": RNG.normal(size=900),
        "city": RNG.choice(["a", "b"], 900),
        "y": [0, 1, 1] * 300,
    }
)


def fed(files: dict[str, pd.DataFrame]) -> FileCopies:
    copies = FileCopies({name: len(rows) for name, rows in files.items()})
    whole = pd.concat(list(files.values()), ignore_index=True)
    # Chunks end where they end, not where files do.
    assert sum(
        map(len, copies.watch(whole[start : start + 70] for start in range(0, len(whole), 70)))
    ) == len(whole)
    return copies


def find(files: dict[str, pd.DataFrame]) -> list[Copy]:
    return fed(files).find()


@pytest.mark.parametrize("name", ["t (1).csv", "t.csv.gz", "Copy of t.csv", "old/other.csv"])
def test_a_file_that_is_there_twice_is_found(name):
    shuffled = ROWS.sample(frac=1, random_state=1)
    assert find({"t.csv": ROWS, name: shuffled}) == [Copy(name, "t.csv", 900, equal=True)]


def test_parts_beside_the_whole_are_found():
    assert find(
        {"2024.csv": ROWS, "01.csv": ROWS[:300], "02.csv": ROWS[300:600], "2025.csv": ROWS + ROWS}
    ) == [
        Copy("01.csv", "2024.csv", 300, equal=False),
        Copy("02.csv", "2024.csv", 300, equal=False),
    ]


def test_one_other_row_is_enough():
    assert find({"a.csv": ROWS, "b.csv": ROWS.assign(id=ROWS["id"].where(ROWS.index != 7, 1))}) == []


def test_rows_that_repeat_throughout_are_no_copies():
    days = {}
    for day in range(30):
        failed = RNG.random(20) < (0.1 if day % 3 == 0 else 0.0)
        days[f"{day}.csv"] = pd.DataFrame({"machine": range(20), "kind": list("abcd") * 5, "failed": failed})
    assert find(days) == []


@pytest.mark.parametrize("rows", [50, 5000])
@pytest.mark.parametrize("levels", [2, 12])
def test_tables_of_few_values_are_no_copies(rows, levels):
    tables = [
        pd.DataFrame({name: RNG.integers(0, levels, size) for name in "abc"})
        for size in (rows, rows // 10, 5)
    ]
    assert find({f"{at}.csv": table for at, table in enumerate(tables)}) == []


def test_a_handful_of_rows_is_a_copy_only_by_its_name():
    few = ROWS[:3]
    assert find({"monday.csv": ROWS, "tuesday.csv": few}) == []
    assert find({"monday.csv": few, "tuesday.csv": few}) == []
    assert find({"t.csv": few, "t (1).csv": few}) == [Copy("t (1).csv", "t.csv", 3, equal=True)]
    assert find({"t.csv": ROWS, "t.csv.gz": few}) == [Copy("t.csv.gz", "t.csv", 3, equal=False)]
    assert find({"a/part-0.csv": few, "b/part-0.csv": few}) == []


def test_the_run_stops_with_both_names():
    found = fed({"t.csv": ROWS, "t (1).csv": ROWS})
    with pytest.raises(
        DataError, match=r"t \(1\)\.csv holds the same 900 rows as t\.csv\. .* remove t \(1\)\.csv, or"
    ):
        found.check()


def test_a_single_file_costs_nothing():
    found = fed({"t.csv": ROWS, "empty.csv": ROWS[:0]})
    found.check()
    assert found._parts == []
