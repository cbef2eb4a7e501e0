"""The two baselines that are trained on the same rows as the network in every run."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.features.column_encoders import UNSEEN
from lepton_pipeline.parameters import Training

# HistGradientBoosting takes at most 255 categories a column.
MOST_CODES = 255
# Learning rates. On 195,000 rows of flights the faster one took a third of the time and ended no worse.
SLOW, FAST, MANY_ROWS = 0.03, 0.06, 100_000
# Trees without a better validation log loss before it stops: 100 at the slower rate.
PATIENCE = 3


def score_baselines(encoded: pd.DataFrame, split: pd.DataFrame, training: Training) -> pd.DataFrame:
    """Fit both baselines on the training rows and score the validation and test rows.

    Args:
        encoded: float32 numbers and int32 codes, one row per clean row.
        split: `part` and `label` of every row, indexed as `encoded`.
        training: seed and CPU threads.

    Returns:
        Indexed by the validation and test rows, in the order of `split`: float64 columns `logistic_regression` and
        `hist_gradient_boosting`, the probability of the positive class.
    """
    # Imported before the limit is set: it does not hold for libraries that are loaded later.
    import sklearn.ensemble  # noqa: F401  # what it loads is limited
    from threadpoolctl import threadpool_limits

    parts = {part: split.index[split["part"] == part] for part in ("train", "validation")}
    scored = split.index[split["part"].isin(["validation", "test"])]
    rows, labels = encoded.loc[parts["train"]], split.loc[parts["train"], "label"].to_numpy()
    with threadpool_limits(training.threads):
        logistic = _logistic_regression(rows, labels, encoded.loc[scored])
        boosting = _hist_gradient_boosting(
            (rows, labels),
            (encoded.loc[parts["validation"]], split.loc[parts["validation"], "label"].to_numpy()),
            encoded.loc[scored],
            training.seed,
        )
    return pd.DataFrame({"logistic_regression": logistic, "hist_gradient_boosting": boosting}, index=scored)


def _logistic_regression(rows: pd.DataFrame, labels: np.ndarray, scored: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Regress on standardised numbers and one column per category code."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    categorical = _categorical(rows)
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), categorical),
        (StandardScaler(), [name for name in rows.columns if name not in categorical]),
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=5000)).fit(rows, labels)
    return _positive(model.predict_proba(scored))


def _hist_gradient_boosting(
    train: tuple[pd.DataFrame, np.ndarray],
    validation: tuple[pd.DataFrame, np.ndarray],
    scored: pd.DataFrame,
    seed: int,
) -> npt.NDArray[np.float64]:
    """Boost until the validation log loss has long not fallen, and predict with the best number of trees."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rate = SLOW if len(train[0]) <= MANY_ROWS else FAST
    model = HistGradientBoostingClassifier(
        learning_rate=rate,
        max_iter=3000,
        max_leaf_nodes=15,
        min_samples_leaf=30,
        l2_regularization=1.0,
        max_features=0.5,
        categorical_features=_categorical(train[0]),
        early_stopping=True,
        n_iter_no_change=round(PATIENCE / rate),
        random_state=seed,
    )
    model.fit(_folded(train[0]), train[1], X_val=_folded(validation[0]), y_val=validation[1])
    # Entry 0 is the score before the first tree.
    best = max(int(np.argmax(model.validation_score_)), 1)
    return _positive(next(islice(model.staged_predict_proba(_folded(scored)), best - 1, None)))


def _categorical(rows: pd.DataFrame) -> list[str]:
    return [str(name) for name in rows.columns if rows[name].dtype.kind != "f"]


def _folded(rows: pd.DataFrame) -> pd.DataFrame:
    """Let codes beyond what the boosting takes count as unseen; they are the rarest ones."""
    codes = rows[_categorical(rows)]
    return rows.assign(**codes.where(codes < MOST_CODES, UNSEEN))


def _positive(probabilities: Any) -> npt.NDArray[np.float64]:
    positive: npt.NDArray[np.float64] = np.asarray(probabilities, dtype=np.float64)[:, 1]
    return positive
