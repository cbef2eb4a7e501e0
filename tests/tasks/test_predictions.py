import json

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression


def names(count):
    return [f"class {place}" for place in range(count)]


@pytest.mark.parametrize(
    ("task", "scores"),
    [
        (Binary(), np.array([0.2, 0.7])),
        (Multiclass(["a", "A", ": "]), np.array([[0.2, 0.7, 0.1], [0.4, 0.3, 0.3]])),
        (Multiclass(names(51)), np.full((2, 51), 1 / 51)),
        (Regression(), np.array([[2.0, 1.0, 3.0], [5.0, 4.0, 9.0]])),
    ],
)
def test_predictions_have_the_columns_and_types_that_are_told(task, scores):
    found = pd.DataFrame(task.predictions(scores, 0.5))
    kinds = {"float64": "double", "bool": "boolean", "str": "string"}
    assert {name: kinds[str(found[name].dtype)] for name in found} == task.prediction_types()
    assert len(found) == 2


def test_every_class_has_its_column():
    task = Multiclass(["a", "A", "x: y"])
    scores = np.array([[0.25, 0.5, 0.25], [0.25, 0.25, 0.5], [0.375, 0.375, 0.25]])
    found = pd.DataFrame(task.predictions(scores, None))
    assert found["decision"].tolist() == ["A", "x: y", "a"]
    assert found["probability"].tolist() == [0.5, 0.5, 0.375]
    assert (
        found[["probability_a", "probability_A", "probability_x: y"]].to_numpy().tolist() == scores.tolist()
    )
    assert len(Multiclass(names(50)).prediction_types()) == 52


def test_of_more_than_fifty_classes_the_five_likeliest_are_told():
    task, scores = Multiclass(['a "quoted" one', "é", *names(58)]), np.full((2, 60), 0.01)
    scores[0, [7, 1, 0, 30]] = 0.2, 0.15, 0.1, 0.05
    scores[1, 59] = 0.41
    found = pd.DataFrame(task.predictions(scores, None))
    assert list(found) == ["decision", "probability", "likeliest"]
    told = [json.loads(text) for text in found["likeliest"]]
    # The first of equal ones comes first.
    expected = {"class 5": 0.2, "é": 0.15, 'a "quoted" one': 0.1, "class 28": 0.05, "class 0": 0.01}
    assert list(told[0].items()) == list(expected.items())
    assert list(told[1]) == ["class 57", 'a "quoted" one', "é", "class 0", "class 1"]
    assert found["decision"].tolist() == [next(iter(each)) for each in told]
    assert "é" in found["likeliest"][0]
