"""Decide how the records of a table become series to forecast, and try it on them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lepton_pipeline.errors import ConfigurationError, DataError, SplitError
from lepton_pipeline.features.forecast_rows import forecast_rows, made_columns
from lepton_pipeline.features.series_grid import Grid, make_grid
from lepton_pipeline.onboarding.names import Reasons
from lepton_pipeline.onboarding.new.covariates import Covariates, choose_covariates
from lepton_pipeline.onboarding.new.frequency import NAMES, counted, infer_frequency
from lepton_pipeline.onboarding.new.plan import Wanted
from lepton_pipeline.onboarding.new.records import refuse_made
from lepton_pipeline.onboarding.new.series_periods import choose_periods
from lepton_pipeline.onboarding.new.series_records import Records, find_records
from lepton_pipeline.onboarding.profile import Profile
from lepton_pipeline.parameters import Dataset, Forecast, Vertical
from lepton_pipeline.tasks.find import Target, find_task
from lepton_pipeline.tasks.split import split_rows

# Origins that are wanted at least, and rows at most.
_ORIGINS, _ROWS = 24, 2_000_000
# Longer seasons than that of the frequency, and how much closer they must come.
_LONGER_SEASONS = {"15min": 672, "30min": 336, "h": 168}
_SEASONS_HELD, _CLOSER = 4, 0.95
_TRIED = 200
# A test and a validation of a fifth of the rows each, with a horizon between them.
_PARTS = 6


@dataclass(frozen=True)
class SeriesPlan:
    """What was decided about records of series, with the reasons.

    Attributes:
        covariates: other columns by what they serve as.
        forecast: what is declared of the series.
        grid: all series by period, as a run lays them out.
        notes: reasons, by key of `forecast`.
        asked: what to review, by key of `forecast`, or `season`.
    """

    records: Records
    covariates: Covariates
    forecast: Forecast
    grid: Grid
    notes: Reasons
    asked: Reasons

    @property
    def target(self) -> str:
        """Column that is forecast."""
        return self.records.target

    @property
    def examples(self) -> int:
        """Rows to forecast from that a run makes of all series that are long enough, at most."""
        return _examples(self.forecast, self.grid)

    @property
    def periods(self) -> str:
        """Name of the periods, such as weeks."""
        return NAMES[self.forecast.frequency]

    def counted(self, number: int) -> str:
        """So many periods, in words."""
        return counted(number, self.forecast.frequency)


def plan_series(profile: Profile, wanted: Wanted) -> SeriesPlan:
    """Decide how records become series, as wanted.

    Raises:
        ConfigurationError: no horizon is given, a column does not exist or has two roles, or one cannot be inferred.
        DataError: the records cannot be laid out by series and period.
    """
    if wanted.horizon is None:
        raise ConfigurationError("--horizon: say how many periods are to be forecast, such as --horizon 4.")
    records = find_records(profile, wanted)
    frequency, why = wanted.frequency, "as asked for"
    if frequency is None:
        frequency, why = infer_frequency(records.times, records.series)
    periods = choose_periods(records, frequency)
    forecast = Forecast(
        series=records.keys,
        frequency=frequency,
        horizon=wanted.horizon,
        aggregate=periods.aggregate,
        fill=periods.fill,
        negative=periods.negative,
    )
    made = made_columns(forecast)
    refuse_made((*records.keys, records.time, records.target), made)
    covariates = choose_covariates(records, made)
    found = {
        "past_covariates": covariates.past,
        "future_covariates": covariates.future,
        "static_covariates": covariates.static,
    }
    forecast = forecast.model_copy(update={key: names for key, names in found.items() if names})
    dataset = Dataset(target=records.target, time=records.time, task="forecast")
    grid = make_grid(pd.concat([records.rows, records.to_come]), forecast, dataset)
    plan = SeriesPlan(records, covariates, forecast, grid, {"frequency": why, **periods.notes}, periods.asked)
    return _with_step(_with_season(plan))


def require_rows(plan: SeriesPlan, vertical: Vertical) -> None:
    """Refuse, by a DataError, a horizon for which the history is too short.

    `vertical` is what the plan declares. Rows are made of some of the series, and divided as a run does it.
    """
    periods, forecast = plan.grid.amounts.shape[1], plan.forecast
    try:
        made = forecast_rows(_some(plan.grid), forecast, vertical.dataset)
        task = Target(find_task(made, vertical.dataset, evaluation=vertical.evaluation))
        split_rows(made, task, vertical.dataset, vertical.split)
    except (DataError, SplitError) as error:
        most = max(1, (periods - forecast.shortest) // _PARTS)
        remedy = "Bring a longer history."
        if most < forecast.horizon:
            remedy = f"Give a shorter one, {most} perhaps, or bring a longer history."
        raise DataError(
            f"--horizon: {plan.counted(forecast.horizon)} ahead are too many for a history of {periods}, since "
            f"training, validation and test rows need as many between them: {error} {remedy}"
        ) from error


def _with_season(plan: SeriesPlan) -> SeriesPlan:
    """With a season that comes closer than that of the frequency, and a word on one that is not held twice."""
    forecast, grid, asked, notes = plan.forecast, plan.grid, dict(plan.asked), dict(plan.notes)
    periods, season = grid.amounts.shape[1], plan.forecast.season
    longer = _LONGER_SEASONS.get(forecast.frequency)
    if longer is not None and periods >= _SEASONS_HELD * longer:
        own, other = (_seasonal_error(grid, each, longer) for each in (season, longer))
        if other < _CLOSER * own:
            notes["season_length"] = (
                f"a week before comes closer than a day before, by {1 - other / own:.0%} of the error"
            )
            forecast = forecast.model_copy(update={"season_length": longer})
            season = longer
    if season > 1 and periods < 2 * season:
        held = "less than one" if periods < season else "one, and not two"
        asked["season"] = (
            f"a season is {season} {plan.periods}, and the history of {periods} holds {held}: what comes again in each "
            "cannot be learnt from it" + (", and every series is a cold start" if periods < season else "")
        )
    return replace(plan, forecast=forecast, asked=asked, notes=notes)


def _seasonal_error(grid: Grid, season: int, start: int) -> float:
    amounts = _some(grid).amounts
    errors = np.abs(amounts[:, start:] - amounts[:, start - season : amounts.shape[1] - season])
    return float(np.nanmean(errors)) if np.isfinite(errors).any() else np.inf


def _with_step(plan: SeriesPlan) -> SeriesPlan:
    """With more origins where the horizon leaves few of them, and fewer where rows would be too many."""
    forecast, grid, notes = plan.forecast, plan.grid, dict(plan.notes)
    span = grid.amounts.shape[1] - forecast.shortest - forecast.horizon
    every = max(1, min(forecast.horizon, span // _ORIGINS))
    if every < forecast.horizon:
        notes["every"] = f"the history is short, so origins are closer than the horizon of {forecast.horizon}"
    many = _examples(forecast, grid)
    if many > _ROWS:
        every = forecast.horizon * -(-many // _ROWS)
        notes["every"] = f"every horizon would make {many:,} rows to learn from"
    if every == forecast.horizon:
        return plan
    return replace(plan, forecast=forecast.model_copy(update={"every": every}), notes=notes)


def _examples(forecast: Forecast, grid: Grid) -> int:
    """Rows that a run makes, of all series that are long enough."""
    ages = grid.amounts.shape[1] - grid.begins - forecast.shortest - forecast.horizon
    return int((np.maximum(ages + 1, 0) // forecast.step).sum()) * forecast.horizon


def _some(grid: Grid) -> Grid:
    """At most so many of the series as an attempt takes, evenly."""
    places = np.unique(np.linspace(0, len(grid.keys) - 1, _TRIED).round().astype(np.int64))
    return Grid(
        grid.keys.iloc[places].reset_index(drop=True),
        grid.first,
        grid.amounts[places],
        {name: values[places] for name, values in grid.past.items()},
        {name: values[places] for name, values in grid.future.items()},
    )
