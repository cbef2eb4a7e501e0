import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.onboarding.new.declaration import far_values, padded_range


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([18, 87], 0, 160),
        ([-5.5, 2.5], -14, 11),
        ([295.3, 304.5], 286, 314),
        ([-8, -2], -14, 0),
        ([0.001, 0.004], 0, 0.007),
        ([7, 7.0], 0, 14),
        ([0, 0], 0, 1),
        ([10_000, 1_000_000], 0, 2_000_000),
    ],
)
def test_ranges_are_wider_than_the_data_and_keep_their_sign(
    values: list[float], low: float, high: float
) -> None:
    assert padded_range(pd.Series(values)) == (pytest.approx(low), pytest.approx(high))


def test_values_far_from_all_others_are_found() -> None:
    ages = pd.Series([*range(1, 90), *range(1, 90), *range(1, 90), 65526, None])
    assert far_values(ages).tolist() == [65526]
    assert far_values(pd.Series(np.random.default_rng(0).normal(size=1000))).empty
    assert far_values(pd.Series([1] * 300)).empty
