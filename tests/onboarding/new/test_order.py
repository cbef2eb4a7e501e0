import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.onboarding.new.order import neighbour_agreement, sorted_columns, time_copies

ROWS = 600


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def parts(time: pd.Series) -> pd.Series:
    """Three fifths of the rows to train on, the last fifth to test on."""
    rank = time.rank()
    return pd.Series(np.select([rank <= 360, rank > 480], ["train", "test"], "validation"), index=time.index)


def test_copies_of_the_time_are_told_from_what_drifts_and_what_comes_again() -> None:
    time = pd.Series(pd.date_range("2024-03-01", periods=ROWS, freq="70min"))
    steps = np.arange(ROWS)
    table = pd.DataFrame(
        {
            "at": time,
            "day": time.dt.day,
            "stamp": time.dt.strftime("%Y%m%d%H").astype(int),
            "batch": ("B" + (steps // 50).astype(str).astype(object)),
            "counter": steps + draw().normal(0, 20, ROWS),
            "warmth": steps / 100 + draw().normal(0, 0.7, ROWS),
            "hour": time.dt.hour,
            "size": draw().normal(size=ROWS),
            "shop": draw().integers(0, 9, ROWS),
            "at_month": time.dt.day // 10,
        }
    ).sample(frac=1, random_state=1)
    part = parts(table["at"])
    names = [name for name in table if name != "at"]
    copies, drifting = time_copies(table, "at", part, names, ["at_month"])
    assert set(copies) == {"day", "stamp", "batch", "counter", "at_month"}
    assert set(drifting) == {"warmth"}
    assert "100% of the test rows" in copies["day"]


def test_years_are_copies_and_months_of_several_years_are_not() -> None:
    time = pd.Series(pd.date_range("2020-01-01", periods=ROWS, freq="3D"))
    table = pd.DataFrame({"at": time, "year": time.dt.year, "month": time.dt.month})
    part = parts(time)
    assert list(time_copies(table, "at", part, ["year", "month"], [])[0]) == ["year"]


def test_sorted_columns_are_named_but_for_running_ids() -> None:
    table = pd.DataFrame(
        {
            "row_id": range(ROWS),
            "number": range(7, 7 + 3 * ROWS, 3),
            "amount": np.sort(draw().lognormal(size=ROWS)),
            "day_number": np.arange(ROWS) // 7,
            "year": 2000 + np.arange(ROWS) // 50,
            "when": pd.date_range("2024-01-01", periods=ROWS)[::-1],
            "flag": [0] * (ROWS // 2) + [1] * (ROWS // 2),
            "rare": [0] * (ROWS - 2) + [1, 2],
            "text": [f"{n:05d}" for n in range(ROWS)],
            "holes": [np.nan, *range(ROWS - 1)],
        }
    )
    assert sorted_columns(table, table.columns) == ["day_number", "year", "amount", "when"]
    assert sorted_columns(table.sample(frac=1, random_state=0), table.columns) == []


@pytest.mark.parametrize("rate", [0.3, 0.03])
@pytest.mark.parametrize("seed", range(4))
def test_neighbours_with_one_outcome_are_noticed_and_chance_is_not(rate: float, seed: int) -> None:
    rows = 4000
    random = (draw(seed).random(rows) < rate).astype(int)
    assert neighbour_agreement(pd.Series(random)) is None
    blocks = np.repeat((draw(seed).random(rows // 5) < rate).astype(int), 5)
    said = neighbour_agreement(pd.Series(blocks))
    assert said is not None
    assert "of neighbouring rows have the same outcome, by chance" in said
    # A file that is sorted by its target says nothing about time.
    assert neighbour_agreement(pd.Series(np.sort(random))) is None


def test_of_several_classes_each_counts_by_its_share_and_a_sorted_file_is_none_of_time() -> None:
    codes = pd.Series(np.repeat([0, 1, 2, 0, 2, 1, 0, 1, 2, 2, 1, 0], 5))
    # 60 rows with 10 changes among 59 neighbours; three equal shares agree in a third by chance.
    assert neighbour_agreement(codes, "have a similar target") == (
        "83% of neighbouring rows have a similar target, by chance 33%"
    )
    assert neighbour_agreement(pd.Series(np.repeat(np.arange(10), 20))) is None
