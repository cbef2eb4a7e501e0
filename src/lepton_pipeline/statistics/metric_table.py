"""The metrics of a task in one table: their names, titles and directions, for whoever logs, ranks or shows them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from lepton_pipeline.system.readable import figure_text


@dataclass(frozen=True)
class Metric:
    """A metric of a model on its test rows.

    Attributes:
        name: in results, parameters and MLflow.
        title: in reports and on the terminal.
        says: its meaning, in a few words.
        higher_is_better: which of two runs is ahead; without meaning where the metric is not logged.
        most, least: the largest and the smallest value that it can have; None without a bound.
        logged: whether a run logs it to MLflow, so that runs are compared by it.
        share: whether it is shown in per cent.
        in_unit: whether it is in the unit of a target, of any size.
        needs_groups: whether it is of groups of rows, which `dataset.group` declares.
    """

    name: str
    title: str
    says: str
    higher_is_better: bool
    most: float | None
    least: float | None = field(default=0.0, kw_only=True)
    logged: bool = True
    share: bool = False
    in_unit: bool = False
    needs_groups: bool = False

    @property
    def inside(self) -> str:
        """The title inside a sentence.

        >>> [METRICS[name].inside for name in ("log_loss", "auc", "macro_f1", "brier")]
        ['log loss', 'AUC', 'macro F1', 'Brier score']
        """
        name = self.name == "brier" or self.title[:2].isupper()
        return self.title if name else self.title[0].lower() + self.title[1:]

    def can_be(self, value: float) -> bool:
        """Whether a model can have the value."""
        low, high = self.least, self.most
        return (low is None or value >= low) and (high is None or value <= high)

    @property
    def range_text(self) -> str:
        """The values that it can have, in words.

        >>> [METRICS[name].range_text for name in ("auc", "rmse", "r2", "bias")]
        ['between 0 and 1', 'at least 0', 'at most 1', 'any number']
        """
        if self.least is not None and self.most is not None:
            return f"between {self.least:g} and {self.most:g}"
        ends = {"at least": self.least, "at most": self.most}
        return next((f"{end} {limit:g}" for end, limit in ends.items() if limit is not None), "any number")


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
        least=-1.0,
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
_SHARED = {metric.name: metric for metric in BINARY}
CLASSES: tuple[Metric, ...] = (
    _SHARED["log_loss"],
    Metric("macro_f1", "Macro F1", "F1 of each class against the others, averaged", True, 1.0),
    Metric("accuracy", "Accuracy", "share of cases whose likeliest class is theirs", True, 1.0),
    Metric("balanced_accuracy", "Balanced accuracy", "recall of each class, averaged", True, 1.0),
    Metric(
        "ovr_auc",
        "One-vs-rest AUC",
        "AUC of each class against the others, averaged; 0.5 is chance",
        True,
        1.0,
    ),
    _SHARED["ece"],
)
ERRORS: tuple[Metric, ...] = (
    Metric("rmse", "RMSE", "root of the mean squared error, in the target's unit", False, None, in_unit=True),
    Metric("mae", "MAE", "mean absolute error, in the target's unit", False, None, in_unit=True),
    Metric("r2", "R2", "share of the target's variance that is predicted", True, 1.0, least=None),
    Metric("mape", "MAPE", "mean absolute error as a share of the target", False, None, share=True),
    Metric("wape", "WAPE", "sum of absolute errors as a share of the target's sum", False, None, share=True),
    Metric("bias", "Bias", "mean prediction less mean target", False, None, least=None, in_unit=True),
    Metric(
        "coverage",
        "Coverage",
        "share of targets that lie in their prediction interval",
        True,
        1.0,
        share=True,
    ),
    Metric(
        "width",
        "Interval width",
        "mean width of the prediction intervals, in the target's unit",
        False,
        None,
        in_unit=True,
    ),
)
FORECASTS: tuple[Metric, ...] = (
    Metric(
        "wql",
        "Weighted quantile loss",
        "twice the pinball loss of all quantiles as a share of the target's sum",
        False,
        None,
        share=True,
    ),
    *ERRORS,
)
TABLES = (BINARY, CLASSES, FORECASTS, ERRORS)
METRICS = {metric.name: metric for table in TABLES for metric in table}
"""Every metric of every task, by its name."""


def table_of(name: str) -> list[str]:
    """The metrics of the task that is decided by a metric; KeyError if no table has it.

    What two tables share decides in the later: two classes are not decided by their log loss.
    """
    for table in reversed(TABLES):
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


def metric_text(name: str, value: float) -> str:
    """A metric's value in a text; a share in per cent, as in tables.

    >>> metric_text("auc", 0.7123), metric_text("mape", 0.12345), metric_text("rmse", 65432.1)
    ('0.7123', '12.35 %', '65,432')
    """
    return f"{100 * value:.2f} %" if _is_share(name) else figure_text(value)


def lead_text(name: str, value: float, sign: str = "") -> str:
    """A difference of two values of a metric; of shares in percentage points. `sign` is as in format strings.

    >>> lead_text("auc", 0.0123, "+"), lead_text("mape", 0.0123)
    ('+0.0123', '1.23 points')
    """
    return f"{100 * value:{sign}.2f} points" if _is_share(name) else figure_text(value, sign)


def bound_text(name: str, bound: float) -> str:
    """A declared bound of a metric, as `metric_text` but with the digits that were declared.

    >>> bound_text("auc", 0.7), bound_text("coverage", 0.875)
    ('0.7', '87.5 %')
    """
    return f"{100 * bound:g} %" if _is_share(name) else f"{bound:g}"


def _is_share(name: str) -> bool:
    return name in METRICS and METRICS[name].share


def wholly_worse(name: str, ends: tuple[float, float], bound: float) -> bool:
    """Whether the whole interval of a metric lies on the worse side of a bound.

    >>> wholly_worse("auc", (0.6, 0.69), 0.7), wholly_worse("rmse", (0.6, 0.69), 0.7)
    (True, False)
    """
    low, high = ends
    return high < bound if higher_is_better(name) else low > bound
