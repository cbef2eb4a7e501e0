import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data.training_rows import TrainingRows
from lepton_pipeline.errors import DataError
from lepton_pipeline.monitoring.new_rows import learnt_rows, mature_rows, score_new_rows
from lepton_pipeline.parameters import Dataset

TIMED = Dataset(target="y", positive=1, time="day", label_delay="10d")


class Half:
    """Scores every row with a half."""

    def predict(self, rows):
        return pd.DataFrame({"probability": 0.5}, index=rows.index)


def table(rows):
    days = pd.Series(pd.date_range("2026-01-01", periods=rows))
    return pd.DataFrame({"y": np.arange(rows) % 2, "size": np.arange(rows) * 1.5, "day": days})


def seen(rows, dataset):
    split = pd.DataFrame({"part": "train", "label": rows["y"]})
    return TrainingRows.of(rows, split, ["size"], dataset)


def test_rows_after_the_last_one_then_are_new_and_labels_known_after_their_delay():
    span = (0.0, pd.Timestamp("2026-02-19").timestamp())
    found = score_new_rows(table(80), Half(), seen(table(50), TIMED), span, TIMED, "2026-03-10")
    assert found.index.tolist() == list(range(50, 80))
    assert found["probability"].eq(0.5).all()
    known = found["label"].notna()
    assert known.sum() == 9  # 20 to 28 February
    assert found.loc[known, "label"].tolist() == [0, 1] * 4 + [0]
    none = score_new_rows(table(50), Half(), seen(table(50), TIMED), span, TIMED, "2026-03-10")
    assert none.empty
    assert {"probability", "label", "time"} == set(none.columns)


def test_without_time_rows_that_were_not_there_are_new():
    dataset = Dataset(target="y", positive=1)
    rows = pd.concat([table(50), table(50).iloc[[0]], table(60).iloc[50:]], ignore_index=True)
    found = score_new_rows(rows, Half(), seen(table(50), dataset), None, dataset, "2026-03-10")
    # The copy of a row that was there once is new, too.
    assert found.index.tolist() == list(range(50, 61))


def test_a_time_that_was_declared_later_is_explained():
    with pytest.raises(DataError, match="declared after the champion"):
        score_new_rows(table(50), Half(), seen(table(50), TIMED), None, TIMED, "2026-03-10")


def test_a_label_that_is_missing_is_not_known_unless_the_condition_asks_for_it():
    rows = table(4).assign(y=[1, np.nan, 0, 1])
    plain = Dataset(target="y", positive=1)
    assert mature_rows(rows, plain, "2026-03-10").tolist() == [True, False, True, True]
    asking = Dataset(target="y", positive_when="is_missing(y)")
    assert mature_rows(rows, asking, "2026-03-10").all()


def test_numbers_of_time_have_their_latest_row_as_the_present():
    rows = table(20).assign(day=np.arange(20))
    dataset = Dataset(target="y", positive=1, time="day", label_delay=5)
    assert mature_rows(rows, dataset, "2026-03-10").sum() == 15
    assert mature_rows(rows, dataset, "10").sum() == 6


def test_zones_are_minded():
    rows = table(20)
    rows["day"] = rows["day"].dt.tz_localize("Europe/Berlin")
    assert mature_rows(rows, TIMED, "2026-01-15T00:00:00+00:00").sum() == 5
    assert mature_rows(table(20), TIMED, "2026-01-15").sum() == 5


def test_rows_that_were_learnt_from_are_found_again_or_it_is_said_that_they_are_gone():
    record = seen(table(50), TIMED)
    assert learnt_rows(table(80), record, TIMED).index.tolist() == list(range(50))
    with pytest.raises(DataError, match=r"of the 50 rows .* 40 are in the table now"):
        learnt_rows(table(80).iloc[10:], record, TIMED)
