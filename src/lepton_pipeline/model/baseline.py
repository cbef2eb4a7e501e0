"""The two baselines of every run, trained on the training rows and chosen by the validation rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.model.boosting import code_columns, fit_boosting
from lepton_pipeline.model.calibration import log_loss, sigmoid
from lepton_pipeline.model.trees import Trees
from lepton_pipeline.parameters import Training

# Inverse strengths of the logistic regression's penalty that are tried.
STRENGTHS = (0.01, 0.1, 1.0, 10.0)

Floats = npt.NDArray[np.float64]


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
    parts = {part: split.index[split["part"] == part] for part in ("train", "validation")}
    train, validation = (encoded.loc[rows] for rows in parts.values())
    labels, validation_labels = (split.loc[rows, "label"].to_numpy() for rows in parts.values())
    scored = split.index[split["part"].isin(["validation", "test"])]
    boosted = fit_boosting(
        train,
        labels,
        stop_features=validation,
        stop_labels=validation_labels,
        threads=training.threads,
        seed=training.seed,
    )
    logits = {
        "logistic_regression": _logistic_regression(
            (train, labels), (validation, validation_labels), encoded.loc[scored], training.threads
        ),
        "hist_gradient_boosting": Trees.average([(boosted.model, boosted.trees)]).logits(encoded.loc[scored]),
    }
    return pd.DataFrame({name: sigmoid(part) for name, part in logits.items()}, index=scored)


def _logistic_regression(
    train: tuple[pd.DataFrame, np.ndarray],
    validation: tuple[pd.DataFrame, np.ndarray],
    scored: pd.DataFrame,
    threads: int,
) -> Floats:
    """Regress on standardised numbers and one column per category code; the logits of the scored rows.

    The penalty is the one with the lowest log loss of the validation rows.
    """
    # Imported before the limit is set: it does not hold for libraries that are loaded later.
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from threadpoolctl import threadpool_limits

    categorical = code_columns(train[0])
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), categorical),
        (StandardScaler(), [name for name in train[0].columns if name not in categorical]),
    )
    with threadpool_limits(threads):
        rows, validation_rows = columns.fit_transform(train[0]), columns.transform(validation[0])
        models = [LogisticRegression(C=strength, max_iter=5000).fit(rows, train[1]) for strength in STRENGTHS]
        losses = [log_loss(sigmoid(model.decision_function(validation_rows)), validation[1]) for model in models]
        logits: Floats = models[int(np.argmin(losses))].decision_function(columns.transform(scored))
    return logits
