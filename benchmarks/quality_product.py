"""What the benchmark asks of the product: how it declares, divides, encodes and predicts."""

from __future__ import annotations

import numpy as np
import pandas as pd
from quality_metrics import BINARY, MULTICLASS, Prediction

from lepton_pipeline.data.split import NO_FOLD, split_rows
from lepton_pipeline.features.encode import Encoder, encode_rows
from lepton_pipeline.features.leaks import check_features
from lepton_pipeline.parameters import Dataset, Split, Training, Vertical

# Tasks that the product's own model and baselines can do.
OWN_TASKS: tuple[str, ...] = (BINARY,)
_STRATA = 10


class _Dataset(Dataset):
    """Roles of a table whose target has no positive class."""

    task: str
    transform: str | None = None


def declare(target: str, task: str, transform: str | None = None) -> Vertical:
    """Declare a table with a target and no other role."""
    # Unchecked, as every other target must declare its positive class.
    dataset = _Dataset.model_construct(target=target, task=task, transform=transform)
    return Vertical.model_construct(dataset=dataset)


def task_of(declared: Vertical) -> str:
    """The task that a vertical declares."""
    return str(getattr(declared.dataset, "task", BINARY))


def transform_of(declared: Vertical) -> str | None:
    """How the target of a regression is transformed before it is learnt: "log" or None."""
    transform: str | None = getattr(declared.dataset, "transform", None)
    return transform


def divide(table: pd.DataFrame, declared: Vertical, seed: int) -> pd.DataFrame:
    """`part`, `label` and `fold` of every row, as the product's pipeline divides them by another seed."""
    split = declared.split.model_copy(update={"seed": seed})
    if task_of(declared) in OWN_TASKS:
        return split_rows(table, declared.dataset, split)
    return _divide_at_random(table[declared.dataset.target], task_of(declared), split)


def encode(table: pd.DataFrame, split: pd.DataFrame, declared: Vertical) -> tuple[Encoder, pd.DataFrame]:
    """The product's encoder, fitted on the training rows, and all rows as its models take them."""
    if task_of(declared) in OWN_TASKS:
        found = check_features(table, split, declared.dataset, declared.leaks)
        return encode_rows(table, split, declared.dataset, found, declared.leaks)
    encoder = Encoder.fit(table.loc[split.index[split["part"] == "train"]], declared.dataset)
    return encoder, encoder.transform(table)


def predict(encoded: pd.DataFrame, split: pd.DataFrame, training: Training) -> dict[str, Prediction]:
    """Train the product's model; the predictions of the test rows by `model` itself and its `network`."""
    from lepton_pipeline.model.classifier import train_model

    classifier, *_ = train_model(encoded, split, training)
    scores = classifier.scores(encoded.loc[split.index[split["part"] == "test"]])
    return {name: Prediction(scores[name].to_numpy(np.float64)) for name in ("model", "network")}


def predict_baselines(
    encoded: pd.DataFrame, split: pd.DataFrame, training: Training
) -> dict[str, Prediction]:
    """Fit the baselines that the product's runs report; the predictions of the test rows by baseline."""
    from lepton_pipeline.model.baseline import score_baselines

    scores = score_baselines(encoded, split, training).loc[split.index[split["part"] == "test"]]
    return {str(name): Prediction(column.to_numpy(np.float64)) for name, column in scores.items()}


def _divide_at_random(target: pd.Series, task: str, split: Split) -> pd.DataFrame:
    """Parts with even shares of the classes, or of the tenths of a number."""
    from sklearn.model_selection import train_test_split

    if task == MULTICLASS:
        labels = pd.Series(pd.factorize(target, sort=True)[0], index=target.index)
        strata = labels
    else:
        labels = target.astype("float64")
        strata = (labels.rank(pct=True) * _STRATA).apply(np.ceil)
    part = pd.Series("train", index=target.index, dtype="str")
    rest = strata
    for name in ("test", "validation"):
        rows = round(split.share(name) * len(target))
        rest, drawn = train_test_split(rest, test_size=rows, stratify=rest, random_state=split.seed)
        part[drawn.index] = name
    return pd.DataFrame({"part": part, "label": labels, "fold": np.int8(NO_FOLD)})
