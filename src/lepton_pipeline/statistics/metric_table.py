"""The metrics of a task in one table: their names, titles and directions, for whoever logs, ranks or shows them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A metric of a model on its test rows.

    Attributes:
        name: in results, parameters and MLflow.
        title: in reports and on the terminal.
        says: its meaning, in a few words.
        higher_is_better: which of two runs is ahead; without meaning where the metric is not logged.
        most: the largest value that it can have; None without a bound.
        logged: whether a run logs it to MLflow, so that runs are compared by it.
        share: whether it is shown in per cent.
        needs_groups: whether it is of groups of rows, which `dataset.group` declares.
    """

    name: str
    title: str
    says: str
    higher_is_better: bool
    most: float | None
    logged: bool = True
    share: bool = False
    needs_groups: bool = False


BINARY: tuple[Metric, ...] = (
    Metric(
        "auc",
        "AUC",
        "how often a positive case gets a higher score than a negative one; 0.5 is chance",
        True,
        1.0,
    ),
    Metric(
        "average_precision",
        "Average precision",
        "precision, averaged over all thresholds; chance: base rate",
        True,
        1.0,
    ),
    Metric("f1", "F1", "harmonic mean of precision and recall, at the threshold", True, 1.0),
    Metric(
        "log_loss", "Log loss", "how far probabilities are from what happened; lower is better", False, None
    ),
    Metric("brier", "Brier score", "mean squared error of the probabilities; lower is better", False, 1.0),
    Metric(
        "ece",
        "Calibration error",
        "mean distance of predicted and observed rate; lower is better",
        False,
        1.0,
    ),
    Metric(
        "calibration_in_the_large",
        "Calibration in the large",
        "mean probability less observed rate",
        False,
        1.0,
        logged=False,
        share=True,
    ),
    Metric("base_rate", "Base rate", "share of positive cases", False, 1.0, logged=False, share=True),
    Metric(
        "selection_rate",
        "Selection rate",
        "share of all cases that the model acts on",
        False,
        1.0,
        logged=False,
        share=True,
    ),
    Metric(
        "recall",
        "Recall",
        "share of the positive cases that the model acts on",
        True,
        1.0,
        logged=False,
        share=True,
    ),
    Metric(
        "precision",
        "Precision",
        "share of positive cases among those acted on",
        True,
        1.0,
        logged=False,
        share=True,
    ),
    Metric(
        "false_positive_rate",
        "False positive rate",
        "share of the negative cases that the model acts on",
        False,
        1.0,
        logged=False,
        share=True,
    ),
)
TABLES = (BINARY,)
METRICS = {metric.name: metric for table in TABLES for metric in table}
"""Every metric of every task, by its name."""


def table_of(name: str) -> list[str]:
    """The metrics of the task that has a metric; KeyError if no table has it."""
    for table in TABLES:
        names = [metric.name for metric in table]
        if name in names:
            return names
    raise KeyError(f"{name} is in no table of metrics; add it to one of statistics/metric_table.py.")


def headline_first(headline: str, names: Collection[str]) -> list[str]:
    """Those of `names` that runs log, in the order of the tables but with the headline metric at their head.

    >>> headline_first("f1", {"auc", "f1", "recall"})
    ['f1', 'auc']
    """
    logged = [name for name, metric in METRICS.items() if metric.logged and name in names]
    return sorted(logged, key=lambda name: name != headline)


def higher_is_better(name: str) -> bool:
    """Whether the larger of two values of a metric is ahead; so it is of a metric that no table has."""
    return name not in METRICS or METRICS[name].higher_is_better
