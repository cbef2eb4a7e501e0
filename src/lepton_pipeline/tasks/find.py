"""Find the task of a vertical in its declaration and its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import pandas as pd
from pydantic import Field

from lepton_pipeline.data.as_of import label_known
from lepton_pipeline.data.labels import label_missing
from lepton_pipeline.data.time_axis import months, periods
from lepton_pipeline.errors import ConfigurationError, DataError, did_you_mean
from lepton_pipeline.parameters import Dataset, Evaluation, Monitoring, Training, code_text
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.classes import class_texts, listed
from lepton_pipeline.tasks.forecast import Forecast
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression
from lepton_pipeline.tasks.task import Task

AnyTask = Annotated[Binary | Multiclass | Regression | Forecast, Field(discriminator="task")]
_TASKS: dict[str, type[Task]] = {
    "binary": Binary,
    "multiclass": Multiclass,
    "regression": Regression,
    "forecast": Forecast,
}


@dataclass(frozen=True)
class Target:
    """What a model is to predict, and how many rows each class has, if there are several."""

    task: AnyTask
    rows: Mapping[str, int] = field(default_factory=dict)


def find_target(
    feature_table: pd.DataFrame,
    dataset: Dataset,
    training: Training,
    evaluation: Evaluation,
    monitoring: Monitoring | None = None,
) -> Target:
    """Find the task, and the classes of labelled rows; a DataError says why they cannot be told apart.

    Raises ConfigurationError if the index of `monitoring` does not fit the classes or columns, its seasons are not of
    dates, or a value of `dataset.out_of_scope` is none of the target's.
    """
    _require_in_data(feature_table[dataset.target], dataset)
    feature_table = feature_table[~out_of_scope(feature_table, dataset)]
    task = find_task(feature_table, dataset, training, evaluation)
    if monitoring is not None and monitoring.index is not None:
        task.weights(monitoring.index)
        periods(feature_table, monitoring.index, dataset)
    if monitoring is not None and monitoring.seasonal and dataset.time is not None:
        months(feature_table[dataset.time], "monitoring.seasonal")
    if not isinstance(task, Multiclass):
        return Target(task)
    counts = task.read(feature_table, dataset).value_counts()
    return Target(task, {name: int(counts.get(place, 0)) for place, name in enumerate(task.classes)})


def find_task(
    table: pd.DataFrame,
    dataset: Dataset,
    training: Training | None = None,
    evaluation: Evaluation | None = None,
) -> Binary | Multiclass | Regression | Forecast:
    """The task that is declared; see `find_target`. No row of the table is out of scope."""
    if dataset.task == "multiclass":
        return Multiclass.find(table, dataset, None if evaluation is None else evaluation.class_costs)
    if dataset.task == "binary":
        return Binary()
    training, evaluation = training or Training(), evaluation or Evaluation()
    if dataset.task == "forecast":
        levels = Forecast().asked if evaluation.quantiles is None else tuple(sorted(evaluation.quantiles))
        return Forecast(asked=levels, coverage=levels[-1] - levels[0]).adapted(table[dataset.target])
    robust, costs = training.loss == "robust", evaluation.error_costs
    return Regression(dataset.transform, robust, training.quantiles, evaluation.coverage, costs=costs)


def out_of_scope(table: pd.DataFrame, dataset: Dataset) -> pd.Series:
    """Mark rows whose target is no class but says that they belong to none, see `Dataset.out_of_scope`.

    >>> requests = Dataset(target="intent", classes="all", out_of_scope="oos")
    >>> out_of_scope(pd.DataFrame({"intent": ["balance", "oos", None]}), requests).tolist()
    [False, True, False]
    """
    if not dataset.out_of_scope:
        return pd.Series(data=False, index=table.index)
    found: pd.Series = class_texts(table[dataset.target]).isin(
        [code_text(each) for each in dataset.out_of_scope]
    )
    return found


def _require_in_data(target: pd.Series, dataset: Dataset) -> None:
    """Refuse a value out of scope that no row has: what is meant would be learnt as a class."""
    if not dataset.out_of_scope:
        return
    held = class_texts(target.dropna()).unique().tolist()
    declared = [code_text(value) for value in dataset.out_of_scope]
    for value, text in zip(dataset.out_of_scope, declared, strict=True):
        if text not in held:
            quoted = (
                " (YAML reads a bare yes or no as true or false: quote it)" if isinstance(value, bool) else ""
            )
            raise ConfigurationError(
                f"dataset.out_of_scope: no row has {text!r} in {dataset.target!r}{quoted}; {did_you_mean(text, held)}"
                f"it holds {listed(held)}."
            )
    if set(held) <= set(declared):
        raise DataError(
            f"target {dataset.target!r}: all {len(target):,} rows are out of scope ({listed(declared)}), so there is "
            "no class to learn; bring rows of the classes."
        )


def known_labels(table: pd.DataFrame, dataset: Dataset, task: Task | None = None) -> pd.Series:
    """Labels known at the present (see `label_known`) as float64, NaN where not known.

    With the task of a model, they are read as that model's, see `Task.later_labels`; without one, the task of
    these rows is taken. Rows out of scope have none. Raises a DataError where the target cannot be read, or is
    another task's.
    """
    if task is not None and not isinstance(task, _TASKS[dataset.task]):
        raise DataError(
            f"the model was trained for another task, {task}, than {dataset.task}, which is declared now; train again."
        )
    known, missing = label_known(table, dataset), label_missing(table, dataset)
    missing |= out_of_scope(table, dataset)
    rows = table[known] if dataset.task == "binary" else table[known & ~missing]
    if rows.empty:
        return pd.Series(float("nan"), index=table.index)
    labels = (
        find_task(rows, dataset).read(rows, dataset) if task is None else task.later_labels(rows, dataset)
    )
    return labels.reindex(table.index).astype("float64").mask(missing)


def unread_targets(table: pd.DataFrame, dataset: Dataset, labels: pd.Series) -> pd.Series:
    """Targets, as texts, that are known and that a model's task could not read; missing elsewhere.

    `labels` are those of `known_labels` with the model's task.
    """
    unread = label_known(table, dataset) & ~label_missing(table, dataset) & labels.isna()
    unread &= ~out_of_scope(table, dataset)
    return class_texts(table.loc[unread, dataset.target]).reindex(table.index)


def base_rate(table: pd.DataFrame, dataset: Dataset) -> float | None:
    """Share of positive rows among those with a known label; None in other tasks, and without such rows.

    Raises a DataError where both classes cannot be told apart. Targets of other tasks are read after the contract,
    which may leave rows out.
    """
    if dataset.task != "binary":
        return None
    known = table[label_known(table, dataset)]
    return None if known.empty else round(float(Binary().read(known, dataset).mean()), 6)
