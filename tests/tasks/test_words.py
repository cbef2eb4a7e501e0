import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression
from lepton_pipeline.tasks.task import Task


@pytest.mark.parametrize(
    ("task", "labels", "summed_up", "in_words"),
    [
        (Binary(), [0, 1, 0, 0], "25.0%", "25.0% positive"),
        (Multiclass(["a", "b", "c"]), [2, 1, 2], "c (66.7%)", "most often c (66.7%)"),
        (Multiclass(["a", "b", "c"]), [1, 0], "a (50.0%)", "most often a (50.0%)"),
        (Regression(), [1.0, 2.5, 40.0], "2.5", "median 2.5"),
        (Regression(), [12345.678, 12345.678], "12,345.7", "median 12,345.7"),
        (Regression(), [1234567.8], "1,234,568", "median 1,234,568"),
    ],
)
def test_labels_are_summed_up_in_a_figure(
    task: Task, labels: list[float], summed_up: str, in_words: str
) -> None:
    found = task.summed_up(pd.Series(labels))
    assert (found, task.summed_up_by[1].format(found)) == (summed_up, in_words)


def test_a_label_is_put_in_words() -> None:
    assert [Binary().label_text(label) for label in (0, 1)] == ["negative", "positive"]
    assert Multiclass(["a", "b", "c"]).label_text(1) == "'b'"
    assert Regression().label_text(0.0) == "0"


def test_no_stratum_of_a_number_is_too_small_to_be_divided() -> None:
    # The sixth tenth ends between 0 and the next value: three rows lie there.
    labels = pd.Series(np.concatenate([np.zeros(597), np.arange(1, 404)]))
    strata = Regression().strata(labels)
    assert strata.value_counts().min() >= 10
    assert strata[:597].unique().tolist() == [0]
    assert strata.nunique() == 5
    assert strata.is_monotonic_increasing
    # The last ones join those before.
    highest = pd.Series(np.concatenate([np.arange(400), np.full(597, 1000), [2000, 2001, 2002]]))
    assert Regression().strata(highest).value_counts().min() >= 10
    assert Regression().strata(pd.Series([1.0, 2.0])).tolist() == [0, 0]
