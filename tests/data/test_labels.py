import pandas as pd
import pytest

from lepton_pipeline.data.labels import positive_labels
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Dataset


@pytest.mark.parametrize(
    ("values", "positive"), [([0, 1, 1], 1), (["no", "yes", "yes"], "yes"), ([False, True, True], True)]
)
def test_the_positive_value_is_one(values, positive):
    labels = positive_labels(pd.DataFrame({"y": values}), Dataset(target="y", positive=positive))
    assert labels.tolist() == [0, 1, 1]
    assert labels.dtype == "int8"


def test_a_missing_target_is_not_positive():
    labels = positive_labels(pd.DataFrame({"y": [1.0, None, 0.0]}), Dataset(target="y", positive=1))
    assert labels.tolist() == [1, 0, 0]


def test_a_boolean_of_yaml_that_was_meant_as_text_is_explained():
    with pytest.raises(DataError, match=r"holds 'no', 'yes'; .* positive value True.*quote texts"):
        positive_labels(pd.DataFrame({"y": ["no", "yes"]}), Dataset(target="y", positive=True))
