from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.evaluation.metrics import score_rows
from lepton_pipeline.model.calibration import Calibration

SPLIT = pd.DataFrame(
    {"part": ["train", "test", "validation"], "label": [1, 0, 1], "fold": [0, -1, 1]}, index=[4, 7, 9]
)
ENCODED = pd.DataFrame({"x": [0.1, 0.2, 0.3]}, index=[4, 7, 9])
BASELINES = pd.DataFrame({"logistic_regression": [0.6, 0.5]}, index=[9, 7])
PARTS = ("model", "uncalibrated", "network", "boosting")
HELD_OUT = pd.DataFrame({name: [0.7 + place / 100, 0.8] for place, name in enumerate(PARTS)}, index=[9, 4])


@dataclass
class Doubled:
    """Scores twice what it reads."""

    boosting: object = None
    calibration: Calibration = field(default_factory=Calibration)

    def scores(self, features):
        return pd.DataFrame(dict.fromkeys(PARTS, 2 * features["x"]))


def test_validation_rows_keep_the_scores_from_before_they_were_learnt_from():
    scores = score_rows(Doubled(), ENCODED, SPLIT, HELD_OUT, BASELINES)
    assert scores.to_dict("index") == {
        7: {"part": "test", "label": 0, "model": 0.4, "logistic_regression": 0.5},
        9: {"part": "validation", "label": 1, "model": 0.7, "logistic_regression": 0.6},
    }


@pytest.mark.parametrize(
    ("model", "columns"),
    [
        (Doubled(calibration=Calibration(slope=0.9)), ["model", "uncalibrated"]),
        (Doubled(boosting=object()), ["model", "network"]),
    ],
)
def test_parts_are_shown_where_they_differ_from_the_model(model, columns):
    scores = score_rows(model, ENCODED, SPLIT, HELD_OUT, BASELINES)
    assert list(scores.columns)[: len(columns) + 3] == ["part", "label", *columns, "logistic_regression"]
    assert np.isfinite(scores[columns].to_numpy()).all()


def test_the_boosting_inside_of_a_model_is_its_baseline():
    scores = score_rows(Doubled(boosting=object()), ENCODED, SPLIT, HELD_OUT, BASELINES)
    assert list(scores.columns)[-2:] == ["logistic_regression", "hist_gradient_boosting"]
    # The test row by the part, the validation row by fits that had not learnt from it.
    assert scores["hist_gradient_boosting"].to_dict() == {7: 0.4, 9: 0.73}
