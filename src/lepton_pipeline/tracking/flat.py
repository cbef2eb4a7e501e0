"""Nested declarations and results as MLflow's flat parameters and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan
from time import time
from typing import Any

from lepton_pipeline.statistics.estimates import Estimate, Metrics

# Tag of a run and its version: "approximate" if few cases, groups or blocks are behind the intervals.
INTERVALS = "intervals"
# Mappings by columns or tables, whose names may hold characters that MLflow refuses in a key.
_FREE_KEYS = {"dates", "derive", "tables", "windows"}


def flatten(declared: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten to dotted keys; lists, and mappings by user-chosen names, stay values."""
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
    """Log an epoch as it ends; metrics of further networks are prefixed `network_2.` and so on.

    Epochs without held-out rows (the final fit on all rows) are not logged.
    """
    import mlflow

    if isnan(figures[1]):
        return
    prefix = "" if network == 1 else f"network_{network}."
    names = ("train.loss", *(f"validation.{curve}" for curve in curves))
    values = dict(zip(names, figures, strict=True))
    prefixed = {f"{prefix}{name}": value for name, value in values.items()}
    log_metrics(mlflow.MlflowClient(), run_id, prefixed, number)


def flat_metrics(metrics: Metrics) -> dict[str, float]:
    """The figures of `evaluate` by metric name in MLflow.

    `threshold`, `test.<metric>`, `network.<metric>` where the model is more than its networks, and
    `baseline.<model>.<metric>`, each metric also with `.low` and `.high`; `uncalibrated.<metric>`.
    """
    flat = {} if metrics.threshold is None else {"threshold": metrics.threshold}
    flat |= {f"uncalibrated.{name}": value for name, value in metrics.uncalibrated.items()}
    for model, figures in metrics.test.items():
        prefix = {"model": "test", "network": "network"}.get(model, f"baseline.{model}")
        flat |= flat_intervals(prefix, figures)
    return flat


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
