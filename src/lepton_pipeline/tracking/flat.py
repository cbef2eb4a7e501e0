"""Nested declarations and results as MLflow's flat parameters and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan
from time import time
from typing import Any

from lepton_pipeline.statistics.estimates import Estimate, Metrics
from lepton_pipeline.statistics.metric_table import headline_first

# Tag of a version: "approximate" if few cases, groups or blocks are behind the intervals.
INTERVALS = "intervals"
# Mappings by columns or tables, whose names may hold characters that MLflow refuses in a key.
_FREE_KEYS = {"dates", "derive", "labels", "matrix", "replies", "tables", "values", "windows"}


def flatten(declared: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten to dotted keys; lists, and mappings by user-chosen names, stay values.

    >>> flatten({"dataset": {"target": "y", "replies": {"refund & return": "Hello."}}})
    {'dataset.target': 'y', 'dataset.replies': {'refund & return': 'Hello.'}}
    """
    flat: dict[str, Any] = {}
    for key, value in declared.items():
        if isinstance(value, Mapping) and key not in _FREE_KEYS:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def log_metrics(client: Any, run_id: str, values: Mapping[str, float], step: int = 0) -> None:
    """Log the metrics of one step in one call, which keeps a SQLite file busy for a shorter time."""
    from mlflow.entities import Metric

    now = int(time() * 1000)
    client.log_batch(run_id, metrics=[Metric(key, float(value), now, step) for key, value in values.items()])


def log_epoch(
    run_id: str,
    network: int,
    number: int,
    figures: Sequence[float],
    curves: Sequence[str],
) -> None:
    """Log an epoch of the first network as it ends; those of further ones are in `training/history.json`.

    Epochs without held-out rows (the final fit on all rows) are not logged.
    """
    import mlflow

    if network != 1 or isnan(figures[1]):
        return
    names = ("train.loss", *(f"validation.{curve}" for curve in curves))
    log_metrics(mlflow.MlflowClient(), run_id, dict(zip(names, figures, strict=True)), number)


def logged_metrics(metrics: Metrics, headline: str | None) -> dict[str, float]:
    """The figures of `evaluate` that a run logs, by name in MLflow: those by which people compare runs.

    `test.<metric>`, the headline metric first and with `.low` and `.high`; of baselines and network only the
    headline. Without a `headline`, the first metric is it. All others are in the record of the figures.
    """
    names = headline_first(headline or "", metrics.model.keys())
    headline = names[0]
    own = {name: metrics.model[name] for name in names}
    flat = flat_intervals("test", {headline: own[headline]}) | _values("test", own)
    for model, figures in metrics.test.items():
        if model != "model" and headline in figures:
            flat |= _values(_prefix(model), {headline: figures[headline]})
    return flat


def flat_metrics(metrics: Metrics) -> dict[str, float]:
    """All figures of `evaluate` by name, as `logged_metrics` names them.

    `threshold`, `test.<metric>`, `network.<metric>` where the model is more than its networks, and
    `baseline.<model>.<metric>`, each metric also with `.low` and `.high`; `uncalibrated.<metric>`.
    """
    flat = {} if metrics.threshold is None else {"threshold": metrics.threshold}
    flat |= {f"uncalibrated.{name}": value for name, value in metrics.uncalibrated.items()}
    for model, figures in metrics.test.items():
        flat |= flat_intervals(_prefix(model), figures)
    return flat


def _prefix(model: str) -> str:
    return {"model": "test", "network": "network"}.get(model, f"baseline.{model}")


def _values(prefix: str, figures: Mapping[str, Estimate]) -> dict[str, float]:
    return {f"{prefix}.{name}": figure.value for name, figure in figures.items()}


def interval_tags(metrics: Metrics) -> dict[str, str]:
    """The tag that marks approximate intervals, if they are."""
    rough = any(figure.approximate for figure in metrics.model.values())
    return {INTERVALS: "approximate"} if rough else {}


def tagged_figure(tags: Mapping[str, str], metric: str) -> Estimate | None:
    """A metric on test rows by the tags of a version, which anyone may edit; None if absent or malformed."""
    name = f"test.{metric}"
    try:
        figure = Estimate(float(tags[name]), approximate=INTERVALS in tags)
        if f"{name}.low" in tags:
            figure = replace(figure, low=float(tags[f"{name}.low"]), high=float(tags[f"{name}.high"]))
    except (KeyError, ValueError):
        return None
    return figure


def flat_intervals(prefix: str, figures: Mapping[str, Estimate]) -> dict[str, float]:
    """Metrics as `<prefix>.<name>`, with `.low` and `.high` where there is an interval."""
    flat: dict[str, float] = {}
    for name, figure in figures.items():
        ends = {"": figure.value, ".low": figure.low, ".high": figure.high}
        flat |= {f"{prefix}.{name}{end}": value for end, value in ends.items() if value is not None}
    return flat
