"""The series that are forecast worst."""

from __future__ import annotations

import numpy as np
import pandas as pd
from crossed_sales import DATASET, FORECAST, make_rows

from lepton_pipeline.evaluation.worst_series import worst_series


def made_up():
    rows = make_rows(3, {"validation": 1, "test": 2})
    place = rows["product"].str[1:].astype(int)
    table = rows.drop(columns="part").assign(
        scale=1.0, level=1.0, age=9, naive_error=np.array([2, 0, 4])[place]
    )
    scores = pd.DataFrame({"part": rows["part"], "label": 10.0, "model": 10.0 - place})
    scores.loc[scores["part"] == "validation", "model"] = 99.0
    return scores, table


def test_series_are_ordered_by_their_errors():
    worst = worst_series(*made_up(), DATASET, FORECAST)
    assert worst["product"].to_list() == ["P002", "P001", "P000"]
    assert worst.columns[:2].to_list() == FORECAST.series
    first = worst.iloc[0]
    assert (first["periods"], first["actual"], first["forecast"]) == (4, 40, 32)
    assert (first["absolute_error"], first["bias"], first["mase"]) == (8, -8, 0.5)
    assert np.isnan(worst["mase"][1])


def test_so_many_are_kept_and_none_without_a_forecast():
    assert worst_series(*made_up(), DATASET, FORECAST, most=2)["product"].to_list() == ["P002", "P001"]
    assert worst_series(*made_up(), DATASET, None).empty
