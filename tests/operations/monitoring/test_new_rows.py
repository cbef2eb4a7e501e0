import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data.training_rows import TrainingRows
from lepton_pipeline.errors import DataError
from lepton_pipeline.operations.monitoring.new_rows import learnt_rows, score_new_rows
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import known_labels

TIMED = Dataset(target="y", positive=1, time="day", label_delay="10d", present="2026-03-10")


class Half:
    """Scores every row with a half."""

    task = Binary()

    def scores(self, rows):
        return np.full(len(rows), 0.5)


def table(rows):
    days = pd.Series(pd.date_range("2026-01-01", periods=rows))
    return pd.DataFrame({"y": np.arange(rows) % 2, "size": np.arange(rows) * 1.5, "day": days})


def seen(rows, dataset):
    split = pd.DataFrame({"part": "train", "label": rows["y"]})
    return TrainingRows.of(rows, split, ["size"], dataset)


def test_rows_after_the_last_one_then_are_new_and_labels_known_after_their_delay():
    span = (0.0, pd.Timestamp("2026-02-19").timestamp())
    found = score_new_rows(table(80), Half(), seen(table(50), TIMED), span, TIMED)
    assert found.index.tolist() == list(range(50, 80))
    assert found["model"].eq(0.5).all()
    known = found["label"].notna()
    assert known.sum() == 9  # 20 to 28 February
    assert found.loc[known, "label"].tolist() == [0, 1] * 4 + [0]
    none = score_new_rows(table(50), Half(), seen(table(50), TIMED), span, TIMED)
    assert none.empty
    assert {"model", "label", "time", "dated"} == set(none.columns)


def test_a_target_may_be_dated_later_than_its_row():
    class Ahead(Binary):
        dated = "due"

    model, rows = Half(), table(60)
    model.task = Ahead()
    rows["due"] = rows["day"] + pd.Timedelta("7D")
    span = (0.0, pd.Timestamp("2026-02-19").timestamp())
    found = score_new_rows(rows, model, seen(table(50), TIMED), span, TIMED)
    assert (found["dated"] - found["time"]).eq(7 * 86400).all()
    assert len(found) == 10


def test_without_time_rows_that_were_not_there_are_new():
    dataset = Dataset(target="y", positive=1)
    rows = pd.concat([table(50), table(50).iloc[[0]], table(60).iloc[50:]], ignore_index=True)
    found = score_new_rows(rows, Half(), seen(table(50), dataset), None, dataset)
    # The copy of a row that was there once is new, too.
    assert found.index.tolist() == list(range(50, 61))


def test_a_time_that_was_declared_later_is_explained():
    with pytest.raises(DataError, match="declared after the champion"):
        score_new_rows(table(50), Half(), seen(table(50), TIMED), None, TIMED)


def test_a_label_that_is_missing_is_not_known_unless_the_condition_decides():
    rows = table(4).assign(y=[1, np.nan, 0, 1])
    known = known_labels(rows, Dataset(target="y", positive=1))
    assert known.isna().tolist() == [False, True, False, False]
    for rule, second in [
        ("is_missing(y)", 1),
        ("y > 0 or is_missing(y)", 1),
        ("fill(y, 0) > 0", 0),
        ("count(y > 0) == 1", 0),
        ("y == 1", None),
        ("not y == 1", None),
    ]:
        label = known_labels(rows, Dataset(target="y", positive_when=rule)).iloc[1]
        assert (None if np.isnan(label) else label) == second, rule


def test_what_is_missing_for_good_is_positive_and_the_rest_waits():
    rows = table(30).assign(y=lambda made: made["y"].where(made["size"] % 4.5 > 0))
    dataset = Dataset(
        target="y", positive_when="is_missing(y)", time="day", label_delay="10d", present="2026-01-25"
    )
    known = known_labels(rows, dataset)
    assert known.notna().sum() == 15
    assert known.iloc[:6].tolist() == [1, 0, 0, 1, 0, 0]


def test_where_no_label_is_known_new_rows_are_scored_all_the_same():
    dataset = TIMED.model_copy(update={"present": "2025-12-01"})
    found = score_new_rows(table(20).assign(y=np.nan), Half(), seen(table(5), TIMED), (0.0, 1.0), dataset)
    assert (len(found), found["label"].notna().sum()) == (20, 0)


def test_zones_are_minded():
    rows = table(20)
    rows["day"] = rows["day"].dt.tz_localize("Europe/Berlin")
    at = TIMED.model_copy(update={"present": "2026-01-15T00:00:00+00:00"})
    assert known_labels(rows, at).notna().sum() == 5
    assert known_labels(table(20), at.model_copy(update={"present": "2026-01-15"})).notna().sum() == 5


def test_rows_that_were_learnt_from_are_found_again_or_it_is_said_that_they_are_gone():
    record = seen(table(50), TIMED)
    assert learnt_rows(table(80), record, TIMED, Binary()).index.tolist() == list(range(50))
    with pytest.raises(DataError, match=r"of the 50 rows .* 40 are in the table now"):
        learnt_rows(table(80).iloc[10:], record, TIMED, Binary())
