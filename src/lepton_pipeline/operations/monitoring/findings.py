"""Records of a monitoring result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from operator import not_
from statistics import NormalDist
from typing import Annotated

from pydantic import Field

from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.system.records import Omitted
from lepton_pipeline.tracking.flat import flat_intervals

_VOLUME_FACTOR = 1.5


@dataclass(frozen=True)
class BeforeAfter:
    """Shares of the rows with a value, of training and new rows, by bins of numbers or by categories.

    Shares of categories of which only some are named, and of words, do not add up to 1.
    """

    edges: list[float]  # of bins, one more than shares; none of categories
    names: list[str]  # of categories; none of bins
    before: list[float]
    after: list[float]


@dataclass(frozen=True)
class ColumnDrift:
    """Comparison of the new values of a column, or of the scores, with those of the training.

    Attributes:
        test: the one with the smallest p-value; `p_value` is that times the number of tests of the column.
        missing_reference: share of rows without a value; likewise `missing_new`.
        new_levels: at most ten that five rows have each, of texts words of twenty rows each.
        p_adjusted: corrected for all tests of the result; `flagged` also needs a large effect.
        ignored: whether it is declared as a column that may change; None for the scores.
        importance: what the test metric lost where the column was shuffled; of a derived column, the most that one
            of those it is derived from cost; None where not measured.
        shares: how values were and are distributed; None of columns that are not drawn.
    """

    column: str
    test: str
    statistic: float
    p_value: float
    psi: float
    missing_reference: float
    missing_new: float
    new_levels: list[str]
    rows_of_new_levels: int
    change: str
    p_adjusted: float = 1.0
    flagged: bool = False
    ignored: Omitted[bool] = None
    importance: Omitted[Estimate] = None
    shares: Omitted[BeforeAfter] = None

    def is_large(self, psi: float) -> bool:
        """Whether the change is larger than the smallest PSI that counts."""
        return self.psi > psi

    @property
    def matters(self) -> bool:
        """Whether the model relies on the column beyond chance."""
        return self.importance is not None and (self.importance.low or 0.0) > 0

    @property
    def weight(self) -> float:
        """Importance times PSI; 0 where importance is not above 0, or not known."""
        return 0.0 if self.importance is None else max(self.importance.value, 0.0) * self.psi


def ranked(columns: Iterable[ColumnDrift]) -> list[ColumnDrift]:
    """Columns that differ, then the others that are judged, then the rest; each by `weight`, then by PSI."""
    return sorted(
        columns, key=lambda each: (not each.flagged, each.ignored or False, -each.weight, -each.psi)
    )


@dataclass(frozen=True)
class DomainDrift:
    """The classifier of all columns: its AUC on held-out rows, of `rows` that were taken."""

    auc: float
    p_value: float
    rows: int
    p_adjusted: float = 1.0
    flagged: bool = False

    def is_large(self, psi: float) -> bool:
        """Whether the AUC is above that between two normal samples of equal spread whose PSI is `psi`.

        For normals that lie d standard deviations apart the PSI is d squared and the AUC is the normal
        distribution function at d / sqrt(2).
        """
        return self.auc > NormalDist().cdf(sqrt(psi / 2))


@dataclass(frozen=True)
class VolumeDrift:
    """Mean rows in a unit of time of the reference and of `units` new ones; a unit is on the time axis."""

    unit: float
    reference: float
    new: float
    units: int
    p_value: float
    p_adjusted: float = 1.0
    flagged: bool = False

    def is_large(self, psi: float) -> bool:
        """Whether the mean has changed by the factor 1.5, whatever `psi`."""
        ratio = (self.new + 0.5) / (self.reference + 0.5)
        return max(ratio, 1 / ratio) >= _VOLUME_FACTOR


@dataclass(frozen=True)
class WatchedChampion:
    """The version that new rows are compared with."""

    name: str
    version: int
    run_id: str
    trained_until: str | None


@dataclass(frozen=True)
class _Metric:
    metric: str


@dataclass(frozen=True)
class MetricEstimate(Estimate, _Metric):
    """The gate's metric on the test rows."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """A window of the new rows, and realised quality in it; None is not known.

    Attributes:
        since: its start; None where no time is declared; likewise `until`.
        mature: rows with a known label, of which `positives` are positive, where there is a positive class.
        value: of `metric`; None for too few labels.
        below: whether the whole interval is worse than the bound, so above it where lower is better.
        coverage: share of targets within their prediction intervals, where there are any; likewise
            `coverage_below`.
        missing: share of missing values; `psi` is of the columns that have changed most.
    """

    since: Annotated[str | None, Field(alias="from")]
    until: Annotated[str | None, Field(alias="to")]
    rows: int
    mature: int
    positives: Omitted[int] = None
    metric: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    approximate: Annotated[bool, Field(exclude_if=not_)] = False
    below: bool
    coverage: Omitted[Estimate] = None
    coverage_below: Annotated[bool, Field(exclude_if=not_)] = False
    missing: float | None
    score_mean: float | None
    psi: Mapping[str, float | None]

    @property
    def estimate(self) -> Estimate | None:
        """Realised quality, if known."""
        if self.value is None:
            return None
        return Estimate(self.value, self.low, self.high, self.approximate)

    @property
    def figures(self) -> dict[str, float]:
        """For MLflow, what is known."""
        values = {
            "window.rows": self.rows,
            "window.missing": self.missing,
            "window.score_mean": self.score_mean,
            f"realised.{self.metric}": self.value,
            f"realised.{self.metric}.low": self.low,
            f"realised.{self.metric}.high": self.high,
        }
        known = {name: float(value) for name, value in values.items() if value is not None}
        covered = {} if self.coverage is None else {"coverage": self.coverage}
        return known | flat_intervals("realised", covered)


@dataclass(frozen=True)
class Coverage:
    """Whether prediction intervals still hold as many targets as on the test rows."""

    estimate: Estimate | None  # on the test rows
    bound: float | None  # the low end of that
    decayed: bool | None  # by the same rule as the gate's metric


@dataclass(frozen=True, kw_only=True)
class IndexPeriod:
    """The index of the rows of a period; None is not known of too few rows.

    Attributes:
        since: its start; None where all new rows are one period; likewise `until`.
        change: from the rows that the champion was judged on.
        p_adjusted: that there is none, corrected for all periods; `flagged` also needs a large change.
    """

    since: Annotated[str | None, Field(alias="from")]
    until: Annotated[str | None, Field(alias="to")]
    rows: int
    index: Estimate | None = None
    change: Estimate | None = None
    p_adjusted: float | None = None
    flagged: bool = False

    @property
    def figures(self) -> dict[str, float]:
        """For MLflow, what is known."""
        known = {"value": self.index, "change": self.change}
        figures = {name: each for name, each in known.items() if each is not None}
        return {"index.rows": float(self.rows)} | flat_intervals("index", figures)


@dataclass(frozen=True)
class IndexResult:
    """A mean of predictions, by period."""

    before: Estimate  # of the labels that the champion was judged on
    smallest: float  # change that counts
    shift: str  # see `parameters.Index`
    periods: list[IndexPeriod]  # the earliest first
    undated: Annotated[int, Field(exclude_if=not_)] = 0  # new rows in no period

    @property
    def last(self) -> IndexPeriod | None:
        """The latest period that is known."""
        return next((each for each in reversed(self.periods) if each.index is not None), None)

    @property
    def turned(self) -> bool | None:
        """Whether that differs from before."""
        return None if self.last is None else self.last.flagged


@dataclass(frozen=True, kw_only=True)
class OfferedCut:
    """What customers bought of what a champion would have offered them at a cut.

    Attributes:
        since: the cut; purchases before `until` count.
        customers: who were offered anything; `returned` of them bought a known item.
        bought: share of the offers that were bought; likewise `of_returned`, None if nobody came back.
    """

    since: Annotated[str, Field(alias="from")]
    until: Annotated[str, Field(alias="to")]
    customers: int
    returned: int
    offers: int
    bought: Estimate
    of_returned: Estimate | None

    @property
    def figures(self) -> dict[str, float]:
        """For MLflow."""
        return flat_intervals("offers", {"bought": self.bought})


@dataclass(frozen=True, kw_only=True)
class MonitoringResult:
    """What new rows say about a champion.

    Attributes:
        rows_mature_new: new rows with a known label.
        bound: of the gate's metric, worse than which quality has decayed.
        needed: `windows` worse than the bound among the last `of` are a decay.
        drifted: None where not known, and `notes` say why; likewise `decayed`, which is of the gate's metric.
        coverage: None where predictions have no intervals.
        offers: by cut, the latest of the training first; None where nothing is recommended.
        index: None where none is declared, or `notes` say why it is not known.
        score: what `score_mean` of windows is the mean of.
        level: probability of a false alarm in the whole result.
        missing_reference: share of missing values in the training rows.
        figures: for MLflow; `series` are those of each window.
    """

    as_of: str
    champion: WatchedChampion
    rows_new: int
    rows_mature_new: int
    columns: list[ColumnDrift]
    domain: DomainDrift | None
    scores: ColumnDrift | None
    volume: VolumeDrift | None
    windows: list[Window]
    estimate: MetricEstimate | None
    bound: float | None
    needed: dict[str, int]
    drifted: bool | None
    decayed: bool | None
    coverage: Omitted[Coverage] = None
    index: Omitted[IndexResult] = None
    offers: Omitted[list[OfferedCut]] = None
    score: Annotated[str, Field(exclude_if=lambda name: name == "probability")] = "probability"
    notes: list[str]
    level: float
    smallest_psi: float
    missing_reference: float | None
    figures: dict[str, float] = field(default_factory=dict)
    series: list[dict[str, float]] = field(default_factory=list)

    @property
    def flagged(self) -> list[ColumnDrift]:
        """The columns that have changed, those that matter most first."""
        return [each for each in ranked(self.columns) if each.flagged]

    @property
    def quality_decayed(self) -> bool | None:
        """Whether the gate's metric or the coverage of intervals has decayed."""
        return True if self.coverage is not None and self.coverage.decayed else self.decayed

    @property
    def turned(self) -> bool:
        """Whether the index is known to have turned."""
        return self.index is not None and self.index.turned is True
