"""The one fit of scikit-learn's histogram gradient boosting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    Boosting: TypeAlias = HistGradientBoostingClassifier | HistGradientBoostingRegressor


def fit_boosting(
    features: pd.DataFrame | npt.NDArray[Any],
    labels: npt.NDArray[Any],
    given: Mapping[str, npt.NDArray[Any] | pd.DataFrame | None] | None = None,
    threads: int | None = None,
    **parameters: Any,
) -> Boosting:
    """Fit HistGradientBoosting on classes, or on numbers if there is a `loss`; `parameters` are the estimator's.

    `given` holds further arguments of its `fit`; `threads` None uses all CPUs that are allowed. Without
    `early_stopping`, all `max_iter` trees are grown.

    >>> rows = np.linspace(0, 1, 100)[:, None]
    >>> model = fit_boosting(rows, (rows[:, 0] > 0.5).astype(int), threads=1, max_iter=20, random_state=0)
    >>> model.predict([[0.1], [0.9]])
    array([0, 1])
    """
    # Imported before the limit is set: it does not hold for libraries that are loaded later.
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    kind = HistGradientBoostingRegressor if "loss" in parameters else HistGradientBoostingClassifier
    model: Boosting = kind(**{"early_stopping": False} | parameters)
    with threadpool_limits(threads):
        return model.fit(features, labels, **given or {})
