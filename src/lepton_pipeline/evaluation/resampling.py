"""Units of dependent rows that a bootstrap draws, and intervals from the draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf, sqrt

import numpy as np
import pandas as pd

from lepton_pipeline.data.labels import OUTSIDE
from lepton_pipeline.data.time_axis import axis
from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.interval_text import FEWEST_UNITS, MANY_CASES, MANY_UNITS
from lepton_pipeline.parameters import Dataset, Evaluation
from lepton_pipeline.parameters.durations import as_timedelta, before
from lepton_pipeline.statistics.estimates import FEWEST_CASES, Estimate
from lepton_pipeline.statistics.intervals import normal_deviate, percentile_interval, student_deviate
from lepton_pipeline.statistics.samples import sample_positions
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.task import Task

LEVEL = 0.95
GROUP, BLOCK, ROW = "group", "block", "row"
# Weights held at once: they fit a processor's cache, and memory stays small whatever the number of rows.
CELLS = 250_000
# Of more rows a bootstrap draws from a part, unless that has fewer units than this.
MOST_ROWS, FEWEST_DRAWN = 500_000, 1_000
# A block is as many label delays long, unless fewer blocks than that would fit.
_DELAYS, _FEWEST_BLOCKS = 2, 10
# Labels t apart share 1 - t / delay of their time: blocks of two delays miss a sixth of a mean's variance.
_SHARED_BY_NEIGHBOURS = sqrt(1 / (1 - 1 / (3 * _DELAYS)))


def find_units(feature_table: pd.DataFrame, split: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Find the resampling units of the test rows, also of those out of scope; see `resampling_units`."""
    tested = split["part"].isin(["test", OUTSIDE["test"]])
    return resampling_units(feature_table.loc[split.index[tested]], dataset)


def resampling_units(rows: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Assign dependent rows to units: one integer column `group` or `block`, no column for independent rows.

    Units are the declared groups, whatever the split. Else, labels that overlap in time are dependent: they
    are known `label_delay` after their rows. Blocks are two label delays long, counted from 1970 or 0, or ten
    shorter ones if fewer would fit. A row without a group or time is its own unit.

    Raises:
        DataError: the label delay does not fit the column of times.
    """
    if dataset.group is not None:
        return pd.DataFrame({GROUP: _number(rows[dataset.group])}, index=rows.index)
    if dataset.time is None or not dataset.label_delay or rows.empty:
        return pd.DataFrame(index=rows.index)
    times, delay = rows[dataset.time], dataset.label_delay
    if not pd.api.types.is_datetime64_any_dtype(times) and not pd.api.types.is_numeric_dtype(times):
        raise DataError(
            f"column {times.name!r} (dataset.time) holds neither dates nor numbers, so dataset.label_delay {delay!r} "
            "says nothing about it; declare the format of its dates in ingestion.dates, or leave out the delay."
        )
    before(times.iloc[:1], delay, "dataset.label_delay")
    on_axis = axis(times)
    span = float(np.nanmax(on_axis) - np.nanmin(on_axis)) if times.notna().any() else 0.0
    length = _DELAYS * (as_timedelta(delay).total_seconds() if isinstance(delay, str) else float(delay))
    length = min(length, span / _FEWEST_BLOCKS) or length
    return pd.DataFrame({BLOCK: _number(pd.Series(np.floor(on_axis / length)))}, index=rows.index)


def _number(values: pd.Series) -> np.ndarray:
    codes, names = pd.factorize(values)
    missing = codes < 0
    return np.where(missing, len(names) + np.cumsum(missing), codes).astype(np.int64)


@dataclass(frozen=True)
class Sample:
    """Labelled rows as a bootstrap draws them."""

    labels: np.ndarray  # of the task, [rows]
    codes: np.ndarray | None  # unit of each row, from 0 on without a gap, [rows]; None for independent rows
    kind: str  # "group", "block" or "row"
    task: Task = field(default_factory=Binary)
    row_weights: np.ndarray | None = None  # how much each row counts, [rows]; None for equal ones

    @classmethod
    def of(
        cls,
        labels: pd.Series,
        units: pd.DataFrame | None = None,
        task: Task | None = None,
        weights: pd.Series | None = None,
    ) -> Sample:
        """Take rows; `units` (see `resampling_units`) may have further rows, None means independent rows."""
        task, counts = task or Binary(), None if weights is None else weights.to_numpy(np.float64)
        if units is None or units.columns.empty:
            return cls(labels.to_numpy(), None, ROW, task, counts)
        kind = str(units.columns[0])
        return cls(labels.to_numpy(), pd.factorize(units.loc[labels.index, kind])[0], kind, task, counts)

    def where(self, mask: np.ndarray) -> Sample:
        """Select rows; those of a single group count as independent."""
        counts = None if self.row_weights is None else self.row_weights[mask]
        some = Sample(self.labels[mask], None, ROW, self.task, counts)
        if self.codes is None or (self.kind == GROUP and len(np.unique(self.codes[mask])) == 1):
            return some
        return replace(some, codes=pd.factorize(self.codes[mask])[0], kind=self.kind)

    @cached_property
    def cases(self) -> int:
        """Rows that intervals rest on, see `Task.cases`."""
        return self.task.cases(self.labels)

    @cached_property
    def units(self) -> int:
        """Number of groups, blocks or rows."""
        return len(self.labels) if self.codes is None else int(self.codes.max(initial=-1)) + 1

    @property
    def enough(self) -> bool:
        """Whether cases and units suffice for an interval."""
        return self.cases >= FEWEST_CASES and self.units >= FEWEST_UNITS

    @property
    def few_units(self) -> bool:
        """Whether the groups or blocks are too few to estimate their variance well."""
        return self.codes is not None and self.units < MANY_UNITS

    @property
    def approximate(self) -> bool:
        """Whether cases or units are so few that an interval may undercover."""
        return self.cases < MANY_CASES or self.few_units

    @cached_property
    def drawn_from(self) -> np.ndarray | None:
        """Mark the rows of a sample of units, some `MOST_ROWS` rows, that a bootstrap draws from; None: all rows."""
        rows = len(self.labels)
        count = self.units * MOST_ROWS // max(rows, 1)
        if rows <= MOST_ROWS or count < FEWEST_DRAWN:
            return None
        marked = np.zeros(self.units, dtype=bool)
        marked[sample_positions(self.units, count)] = True
        part: np.ndarray = marked if self.codes is None else marked[self.codes]
        return part if self.where(part).cases >= MANY_CASES else None

    def deviate(self, level: float) -> float:
        """Deviate of a two-sided interval: normal for independent rows, else Student's."""
        if self.codes is None:
            return normal_deviate(level)
        return student_deviate(level, self.units) * self._shared

    @property
    def _shared(self) -> float:
        return _SHARED_BY_NEIGHBOURS if self.kind == BLOCK else 1.0

    @cached_property
    def _stretch(self) -> float:
        """Factor of `spread`, by the units that hold the rarer class."""
        few, classes = self.cases, self.task.classes_drawn(self.labels)
        if self.codes is not None:
            few = self.units
            if classes is not None:
                few = min(len(np.unique(self.codes[classes == label])) for label in (0, 1))
        few = max(few, FEWEST_UNITS)
        return student_deviate(LEVEL, few) / normal_deviate(LEVEL) * sqrt(few / (few - 1)) * self._shared

    def weights(self, evaluation: Evaluation, parts: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Draw units with replacement, each with all its rows (Davison and Hinkley 1997, section 3.8).

        Classes are not stratified, so the base rate varies; a draw that lacks a class that the task needs, or
        has no row, in any of the `parts` [rows] measured apart, is repeated. Yields how often each row counts,
        float64 [some resamples, rows].
        """
        size, rows = self.units, len(self.labels)
        codes = np.arange(rows) if self.codes is None else self.codes
        drawn = self.task.classes_drawn(self.labels)
        if drawn is None:
            drawn, several = np.zeros(rows, dtype=np.int64), 1
        else:
            several = 2
        classes = drawn if parts is None else drawn + several * parts
        labels = range(max(several, classes.max() + 1))
        by_class = np.stack([np.bincount(codes[classes == each], minlength=size) for each in labels], axis=1)
        # Repeated draws have their own generator: results do not depend on the size of a chunk.
        generator, again = map(np.random.default_rng, np.random.SeedSequence(evaluation.seed).spawn(2))
        most = max(1, CELLS // rows)
        for start in range(0, evaluation.resamples, most):
            counts = _count(generator, min(most, evaluation.resamples - start), size)
            for lacking in np.flatnonzero(~(counts @ by_class.astype(np.float64)).all(axis=1)):
                while not (counts[lacking] @ by_class).all():
                    counts[lacking] = _count(again, 1, size)
            drawn_rows = counts if self.codes is None else counts[:, codes]
            yield drawn_rows if self.row_weights is None else drawn_rows * self.row_weights

    @property
    def once(self) -> np.ndarray:
        """How much each row counts without resampling, [1, rows]."""
        return np.ones((1, len(self.labels))) if self.row_weights is None else self.row_weights[None]

    def figure(self, value: float, drawn: np.ndarray, least: float = 0.0, most: float = inf) -> Estimate:
        """Estimate with the 95 % interval of `drawn`, clipped to [least, most]; none with too few cases."""
        # A metric that a resample does not have, such as a share of a target of nought.
        if not self.enough or not np.isfinite(drawn).all():
            return Estimate(float(value))
        ends = percentile_interval(self.spread(value, drawn), LEVEL)
        return self.marked(value, *(min(max(end, least), most) for end in ends))

    def exact(self, scores: np.ndarray) -> dict[str, Estimate]:
        """Metrics of the scores whose 95 % interval needs no resample, see `Task.exact_intervals`."""
        if self.row_weights is not None:
            # The formulas are of rows that count alike.
            return {}
        found = self.task.exact_intervals(self.labels, scores, self.deviate(LEVEL), self.codes)
        return {metric: self.marked(*interval) for metric, interval in found.items()}

    def spread(self, value: float, drawn: np.ndarray) -> np.ndarray:
        """Stretch draws [resamples] for few units by Student's factor (Hesterberg 2015, on narrowness)."""
        moved: np.ndarray = value + (drawn - value) * self._stretch
        return moved

    def marked(self, value: float, low: float, high: float) -> Estimate:
        """Estimate with the given interval, marked `approximate` with few rows; none with too few."""
        if not self.enough:
            return Estimate(float(value))
        return Estimate(float(value), float(low), float(high), self.approximate)


def _count(generator: np.random.Generator, resamples: int, units: int) -> np.ndarray:
    """How often each unit is drawn, float64 [resamples, units]."""
    drawn = generator.integers(units, size=(resamples, units))
    drawn += np.arange(resamples)[:, None] * units
    return np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape).astype(np.float64)
