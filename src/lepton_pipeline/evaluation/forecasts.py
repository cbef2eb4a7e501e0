"""How good forecasts are: against baselines, by horizon, by volume and for series without a history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import inf

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.forecast_scores import join_rows, measured_models, quantiles_of
from lepton_pipeline.evaluation.interval_text import MANY_CASES, MANY_UNITS
from lepton_pipeline.evaluation.metrics import OWN
from lepton_pipeline.evaluation.resampling import LEVEL
from lepton_pipeline.parameters import Dataset, Evaluation
from lepton_pipeline.parameters.evaluation import BOOSTING_BASELINE
from lepton_pipeline.parameters.forecast import Forecast
from lepton_pipeline.statistics.crossed import Cells, Drawn, Weights, divide, resample_both
from lepton_pipeline.statistics.error_measures import pinball_losses
from lepton_pipeline.statistics.estimates import FEWEST_CASES, Estimate
from lepton_pipeline.statistics.losses import Floats

# What figures can be.
SHARE, AMOUNT = (0.0, 1.0), (0.0, inf)
_BOUNDS = {"coverage": SHARE, "mase": AMOUNT, "wape": AMOUNT, "wql": AMOUNT}
# What a baseline may be best in; coverage and bias have a right value, not a best one.
COMPARED = ("mase", "wape", "wql")
_CLASSES = ("low", "middle", "high")
_MOST_HORIZONS = 8
# With fewer, chance of origins is hardly known.
_FEW_ORIGINS = 4
Figures = Mapping[str, Estimate]


@dataclass(frozen=True)
class ForecastGroup:
    """Some test rows, measured apart; only figures of the model have intervals."""

    name: str
    series: int
    rows: int
    figures: Mapping[str, Figures]  # by model and metric


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of the test rows; intervals have a level of 95 %.

    Metrics, missing where they are not defined:

    - mase: mean over series of the mean absolute error over the series' `naive_error` (Hyndman and Koehler 2006).
    - wape: sum of absolute errors over the sum of absolute values.
    - wql: mean over the levels of twice the pinball loss, summed, over the sum of absolute values.
    - coverage: share of values between the outermost quantiles.
    - bias: mean forecast less mean value, over the mean value.
    """

    series: int = 0  # 0: nothing is forecast, and nothing else is known
    origins: int = 0
    rows: int = 0
    horizon: int = 0
    frequency: str = ""  # of periods, as declared
    levels: Sequence[float] = ()
    without_mase: int = 0  # series that never changed, or have one period, so that MASE leaves them out
    resamples: int = 0
    figures: Mapping[str, Figures] = field(default_factory=dict)  # by model and metric
    best: Mapping[str, str] = field(default_factory=dict)  # the best baseline by metric of `COMPARED`
    differences: Mapping[str, Figures] = field(
        default_factory=dict
    )  # model less baseline, by baseline and metric
    horizons: Sequence[ForecastGroup] = ()
    volumes: Sequence[ForecastGroup] = ()
    ages: Sequence[ForecastGroup] = ()  # cold starts and others; empty without cold starts

    def _value(self, metric: str) -> float | None:
        figure = self.figures.get("model", {}).get(metric)
        return None if figure is None else figure.value

    @property
    def mase(self) -> float | None:
        """MASE of the model."""
        return self._value("mase")

    @property
    def wql(self) -> float | None:
        """Weighted quantile loss of the model."""
        return self._value("wql")

    @property
    def covered(self) -> float | None:
        """Share of values in the model's outermost range."""
        return self._value("coverage")

    @property
    def coverage(self) -> float | None:
        """The share of values that the outermost quantiles shall hold."""
        return self.levels[-1] - self.levels[0] if self.levels else None


def measure_forecasts(
    scores: pd.DataFrame,
    feature_table: pd.DataFrame,
    dataset: Dataset,
    evaluation: Evaluation,
    forecast: Forecast | None,
) -> Forecasts:
    """Measure model and baselines on the test rows of `scores`; nothing without a forecast.

    Intervals are from a bootstrap over series and origins, see `statistics.crossed`; differences are taken
    resample by resample. Volume classes are thirds of the series by `level`, its mean over their test rows.

    `scores` has by row `part`, `label` and, for each model, its point forecast and its quantiles, if any, see
    `quantile_columns`. `feature_table` has the series' columns, the origin (`dataset.time`), `ahead`, `scale`,
    `level`, `naive_error` and `age`.

    Raises:
        DataError: a model has no forecast of a test row.
    """
    if forecast is None:
        return Forecasts()
    rows = join_rows(scores, feature_table, dataset, forecast, "test")
    test = scores.loc[rows.index]
    losses = {
        name: _losses(
            rows,
            test[name].to_numpy(np.float64),
            quantiles_of(name, scores, feature_table, forecast.levels),
            forecast.levels,
        )
        for name in measured_models(scores)
    }
    drawn = {name: _resample(rows, each, evaluation) for name, each in losses.items()}
    baselines = [name for name in losses if name not in OWN]
    # Boosting is a part of the model: one would not take it instead.
    others = [name for name in baselines if name != BOOSTING_BASELINE] or baselines
    measured = partial(_group, rows, losses, evaluation)
    unscaled = ~(rows["naive_error"] > 0)
    return Forecasts(
        series=rows["series"].nunique(),
        origins=rows["origin"].nunique(),
        rows=len(rows),
        horizon=forecast.horizon,
        frequency=forecast.frequency,
        levels=list(forecast.levels),
        without_mase=int(unscaled.groupby(rows["series"]).all().sum()),
        resamples=evaluation.resamples,
        figures={name: _estimates(found, rows) for name, found in drawn.items()},
        best={
            metric: min(known, key=lambda name: drawn[name][metric].value)
            for metric in COMPARED
            if (known := [name for name in others if metric in drawn[name]])
        },
        differences={
            name: {
                metric: estimate(drawn["model"][metric].combine(drawn[name][metric], np.subtract), rows)
                for metric in COMPARED
                if metric in drawn[name] and metric in drawn["model"]
            }
            for name in baselines
        },
        horizons=[measured(*each) for each in _horizons(rows["ahead"])],
        volumes=[measured(*each) for each in _volumes(rows)],
        ages=[measured(*each) for each in _ages(rows["age"], forecast.cold)],
    )


def estimate(drawn: Drawn, rows: pd.DataFrame, bounds: tuple[float, float] = (-inf, inf)) -> Estimate:
    """A figure with its interval inside `bounds`: none for few rows, `approximate` for few series or origins."""
    ends = drawn.interval(LEVEL) if len(rows) >= FEWEST_CASES else None
    if ends is None:
        return Estimate(drawn.value)
    series, origins = drawn.sizes
    few = len(rows) < MANY_CASES or series < MANY_UNITS or origins < _FEW_ORIGINS
    least, most = bounds
    return Estimate(drawn.value, max(ends[0], least), min(ends[1], most), approximate=few)


def _estimates(drawn: Mapping[str, Drawn], rows: pd.DataFrame) -> dict[str, Estimate]:
    return {metric: estimate(each, rows, _BOUNDS.get(metric, (-inf, inf))) for metric, each in drawn.items()}


def mean_scaled_errors(errors: Floats, naive_errors: Floats) -> Floats:
    """Absolute errors over those of the naive forecast in sample, [rows]; nan where these are 0 or unknown."""
    return divide(np.abs(errors), np.where(naive_errors > 0, naive_errors, 0.0))


def _losses(
    rows: pd.DataFrame, point: Floats, quantiles: Floats | None, levels: Sequence[float]
) -> pd.DataFrame:
    """What metrics are ratios of sums of, by row."""
    truth = rows["label"].to_numpy(np.float64)
    scaled = mean_scaled_errors(point - truth, rows["naive_error"].to_numpy(np.float64))
    known = np.isfinite(scaled)
    columns = {
        "scaled": np.where(known, scaled, 0.0),
        "known": known.astype(np.float64),
        "missed": np.abs(point - truth),
        "error": point - truth,
        "truth": truth,
        "size": np.abs(truth),
        "rows": np.ones(len(rows)),
    }
    if quantiles is not None:
        inside = (quantiles[:, 0] <= truth) & (truth <= quantiles[:, -1])
        columns |= {
            "pinball": 2 * pinball_losses(truth, quantiles, levels),
            "inside": inside.astype(np.float64),
        }
    return pd.DataFrame(columns, index=rows.index)


# Sums by metric, the part and the whole.
_RATIOS = {
    "wape": ("missed", "size"),
    "wql": ("pinball", "size"),
    "coverage": ("inside", "rows"),
    "bias": ("error", "truth"),
}


def _resample(rows: pd.DataFrame, losses: pd.DataFrame, evaluation: Evaluation) -> dict[str, Drawn]:
    """Metrics on the same resamples for all models of the same rows."""
    series, origins = (pd.factorize(rows[name], sort=True)[0] for name in ("series", "origin"))
    # The first two are those of a mean of ratios.
    cells = Cells.of(series, origins, losses.to_numpy(np.float64))
    drawn = resample_both(
        partial(_measure, cells, losses.columns.to_list()), cells.sizes, evaluation.resamples, evaluation.seed
    )
    return {metric: each for metric, each in drawn.items() if np.isfinite(each.value)}


def _measure(cells: Cells, names: list[str], first: Weights, second: Weights) -> dict[str, Floats]:
    sums = cells.weigh(first, second)
    ratios = {
        metric: divide(sums[:, names.index(part)], sums[:, names.index(whole)])
        for metric, (part, whole) in _RATIOS.items()
        if part in names
    }
    return {"mase": cells.mean_of_ratios(first, second), **ratios}


def _once(rows: pd.DataFrame, losses: pd.DataFrame) -> Figures:
    codes, _ = pd.factorize(rows["series"])
    cells = Cells.of(codes, np.zeros(len(rows), dtype=np.int64), losses.to_numpy(np.float64))
    figures = {
        metric: float(value[0])
        for metric, value in _measure(cells, losses.columns.to_list(), None, None).items()
    }
    return {metric: Estimate(value) for metric, value in figures.items() if np.isfinite(value)}


def _group(
    rows: pd.DataFrame,
    losses: Mapping[str, pd.DataFrame],
    evaluation: Evaluation,
    name: str,
    among: pd.Series,
) -> ForecastGroup:
    part = rows[among]
    figures = {model: _once(part, each[among]) for model, each in losses.items()}
    drawn = _resample(part, losses["model"][among], evaluation)
    figures["model"] = _estimates(drawn, part)
    return ForecastGroup(name, part["series"].nunique(), len(part), figures)


def _horizons(ahead: pd.Series) -> Iterator[tuple[str, pd.Series]]:
    """Periods ahead, several of them together where they are many."""
    for some in np.array_split(np.unique(ahead), min(_MOST_HORIZONS, ahead.nunique())):
        first, last = some[0], some[-1]
        yield f"{first}" if first == last else f"{first} to {last}", ahead.between(first, last)


def _volumes(rows: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    levels = rows.groupby("series")["level"].mean()
    if len(levels) < len(_CLASSES):
        return
    thirds = ((levels.rank(method="first") - 1) * len(_CLASSES) // len(levels)).astype(np.int64)
    of_rows = rows["series"].map(thirds)
    for place, name in enumerate(_CLASSES):
        yield name, of_rows == place


def _ages(age: pd.Series, cold: int) -> Iterator[tuple[str, pd.Series]]:
    young = age < cold
    if young.any():
        yield "cold start", young
    if young.any() and not young.all():
        yield "others", ~young
