import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.scores import score_rows


class Half:
    def predict_proba(self, features):
        return np.column_stack([1 - features["x"], features["x"]])


def test_held_out_rows_have_the_model_beside_its_baselines():
    split = pd.DataFrame({"part": ["train", "test", "validation"], "label": [1, 0, 1]}, index=[4, 7, 9])
    encoded = pd.DataFrame({"x": [0.1, 0.2, 0.3]}, index=[4, 7, 9])
    baselines = pd.DataFrame({"logistic_regression": [0.6, 0.5]}, index=[9, 7])
    scores = score_rows(Half(), encoded, split, baselines)
    assert scores.to_dict("index") == {
        7: {"part": "test", "label": 0, "model": 0.2, "logistic_regression": 0.5},
        9: {"part": "validation", "label": 1, "model": 0.3, "logistic_regression": 0.6},
    }
