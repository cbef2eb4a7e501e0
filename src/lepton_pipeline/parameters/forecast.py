"""What is forecast: series, periods and horizon, and what is ordered by it."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from lepton_pipeline.parameters.base import Declaration, Fraction

# Seasonal periods of a frequency; a year has none.
_SEASONS = {"15min": 96, "30min": 48, "h": 24, "D": 7, "W": 52, "MS": 12, "QS": 4, "YS": 1}
# One period as a duration; months, quarters and years have none of one length, so that the longest is taken.
_PERIODS = {"15min": 0.25, "30min": 0.5, "h": 1, "D": 24, "W": 168, "MS": 744, "QS": 2208, "YS": 8784}
_DAY = r"\d{2}-\d{2}"
_DATE = r"\d{4}-\d{2}-\d{2}"
_CLOSURE = re.compile(rf"({_DAY}|{_DATE})(/({_DAY}|{_DATE}))?")
POINT = 0.5
# Columns of rows to forecast from, see `features.forecast_rows`.
PERIOD, AHEAD, SCALE, LEVEL, AGE, SERIES = "period", "ahead", "scale", "level", "age", "series"
NAIVE, SEASONAL_NAIVE, MOVING_AVERAGE = "naive", "seasonal_naive", "moving_average"
NAIVE_ERROR = "naive_error"
FORECASTS = (NAIVE, SEASONAL_NAIVE, MOVING_AVERAGE)


def quantile_name(level: float) -> str:
    """Name of the column of a quantile.

    >>> quantile_name(0.1)
    'q0.1'
    """
    return f"q{level:g}"


def _require_day(value: str) -> str:
    if not re.fullmatch(_DAY, value) or _as_date(f"2000-{value}") is None:
        raise ValueError(f"{value!r} is no day of the year; write month and day, such as '12-25'")
    return value


def _require_closure(value: str) -> str:
    parts = value.split("/")
    dates = [_as_date(part if len(part) == len("2000-01-01") else f"2000-{part}") for part in parts]
    alike = len({len(part) for part in parts}) == 1
    if not _CLOSURE.fullmatch(value) or None in dates or not alike:
        raise ValueError(
            f"{value!r} is no closure; write a day ('12-25' of every year, or '2011-04-29'), or the first and the last "
            "of several ('12-24/01-02')"
        )
    return value


def _as_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


Frequency = Literal["15min", "30min", "h", "D", "W", "MS", "QS", "YS"]
Day = Annotated[str, AfterValidator(_require_day)]
Closure = Annotated[str, AfterValidator(_require_closure)]


class Order(Declaration):
    """What is ordered by the forecast: an order-up-to level that covers the demand over the lead time."""

    lead_time: int = Field(ge=1, description="periods until an order can be sold, the review period included")
    service_level: Fraction | None = Field(
        None, description="share of orders that shall cover the demand of their lead time"
    )
    under: float | None = Field(None, gt=0, description="cost of a unit that was asked for and not there")
    over: float | None = Field(None, gt=0, description="cost of a unit that was there and not asked for")
    unit: str = Field("", description="what costs are counted in, such as EUR")

    @property
    def level(self) -> float:
        """Share of orders that cover the demand: as declared, or the one of least expected cost."""
        if self.service_level is not None:
            return self.service_level
        under, over = self.under or 0.0, self.over or 0.0
        return under / (under + over)

    @model_validator(mode="after")
    def _says_how_much(self) -> Order:
        if (self.under is None) != (self.over is None):
            raise ValueError("declare both under and over, the costs of a unit too little and too much")
        if (self.service_level is None) == (self.under is None):
            raise ValueError("declare either service_level, or the costs under and over")
        return self


class Forecast(Declaration):
    """How series of records become rows to learn from, one a series, origin and period ahead."""

    series: list[str] = Field(min_length=1, description="columns that tell series apart, such as product")
    frequency: Frequency = Field(description="how long a period is, as pandas writes it; W begins on Monday")
    horizon: int = Field(ge=1, le=400, description="periods that are forecast from an origin")
    season_length: int | None = Field(None, ge=1, description="periods of a season; None: by the frequency")
    every: int | None = Field(None, ge=1, description="periods between two origins; None: the horizon")
    quantiles: list[Fraction] = Field(
        [0.1, 0.5, 0.9], min_length=3, description="quantiles that are forecast; 0.5 is the point forecast"
    )
    aggregate: Literal["sum", "mean", "last"] | None = Field(
        None, description="how several records of a series in a period become one; None: they stop the run"
    )
    fill: Literal["zero", "last"] = Field(
        "zero", description="what a period without a record holds: nothing was sold, or it is as before"
    )
    negative: Literal["stop", "zero", "keep"] = Field(
        "stop", description="what a period below 0 does: stops the run, counts as 0, or is as good as others"
    )
    past_covariates: list[str] = Field([], description="columns of numbers that are known up to the origin")
    future_covariates: list[str] = Field(
        [], description="columns of numbers that are known in advance, such as a planned price"
    )
    static_covariates: list[str] = Field([], description="columns that a series has once, such as a category")
    holidays: list[Day] = Field([], description="days of the year that demand moves with, such as 12-25")
    closures: list[Closure] = Field([], description="days without business: 12-25/01-01, or 2011-04-29")
    moving_average: int = Field(8, ge=1, description="periods of the moving average that is a baseline")
    history: int | None = Field(
        None, ge=1, description="periods below which a series is a cold start, measured apart; None: a season"
    )
    shortest: int = Field(
        4, ge=1, description="periods below which a series is not forecast at all, since its first record"
    )
    active: float = Field(
        0.0, ge=0, lt=1, description="least share of the last season's periods in which a series is not 0"
    )
    order: Order | None = Field(None, description="what is ordered by the forecast")

    @property
    def season(self) -> int:
        """Periods of a season."""
        return self.season_length or _SEASONS[self.frequency]

    @property
    def step(self) -> int:
        """Periods between two origins."""
        return self.every or self.horizon

    @property
    def cold(self) -> int:
        """Periods of history below which a series is a cold start."""
        return self.history or self.season

    @property
    def levels(self) -> tuple[float, ...]:
        """The quantiles, ascending."""
        return tuple(sorted(self.quantiles))

    @property
    def duration(self) -> str:
        """How long after the origin the last period of the horizon has ended, at the latest."""
        return f"{self.horizon * _PERIODS[self.frequency]:g}h"

    @model_validator(mode="after")
    def _agrees(self) -> Forecast:
        levels = self.levels
        if len(set(levels)) < len(levels) or POINT not in levels or levels[0] == POINT or levels[-1] == POINT:
            raise ValueError(
                f"quantiles: {self.quantiles} must hold 0.5, the point forecast, and others below and "
                "above it, each once"
            )
        if self.order is not None and self.order.lead_time > self.horizon:
            raise ValueError(
                f"order.lead_time: {self.order.lead_time} periods are beyond the horizon of {self.horizon}; "
                "forecast as far, or order sooner"
            )
        columns = [
            *self.series,
            *self.past_covariates,
            *self.future_covariates,
            *self.static_covariates,
        ]
        if twice := next((name for name in columns if columns.count(name) > 1), None):
            raise ValueError(f"{twice!r} is declared twice; keep it in one of series and covariates")
        return self
