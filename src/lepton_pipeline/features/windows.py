"""Window statistics of earlier rows, as known at the time of each row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.columns import check_columns
from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.features.column_encoders import as_numbers
from lepton_pipeline.parameters import Dataset, Duration, Window
from lepton_pipeline.parameters.durations import before
from lepton_pipeline.statistics.losses import Floats

Ints = npt.NDArray[np.int64]
# Combines what is known of two runs of rows, the earlier one first; both are float64 [k, runs].
Merge = Callable[[Floats, Floats], Floats]


def window_feature(
    table: pd.DataFrame, name: str, window: Window, dataset: Dataset, delay: Duration
) -> pd.Series:
    """Compute a statistic of the rows that were known before each row's own time.

    Another row counts if it has the same values in `window.by` (missing equals missing) and was known
    strictly before the row's time: at `window.known`, or else `delay` after its own time. Simultaneous rows
    do not count, nor does the row itself. Missing and infinite values of `window.of` are left out of every
    statistic, but are rows to `window.rows` and `lag`. Rows known at the same moment are in the order of the
    index, which is unique.

    The result depends only on the counted rows and, by rounding, on how many rows of the group were known
    before them: it keeps every bit whatever happens to later rows.

    Returns float64, indexed as `table`. Without a counted row 0 for count and sum, else NaN; `std` is the
    sample's, NaN below two values; NaN also where the row's own time is missing.

    Raises DataError if a column is absent, `of` holds no numbers, times are neither dates nor numbers, or
    times and durations of different kinds are compared.
    """
    key = f"features.windows.{name}"
    times, known = _compared_times(table, key, window, dataset)
    values = np.ones(len(table)) if window.of is None else _values(table[window.of], key)
    # Known times are not moved forward, but the times that they are compared with are moved back.
    until = before(times, delay if window.known is None else 0, "dataset.label_delay")
    since = None if window.within is None else before(until, window.within, f"{key}.within")

    history = _History.of(_groups(table, window.by), known, table.index)
    spans = history.spans(until, since, window.rows)
    if window.statistic == "lag":
        result = np.full(len(table), np.nan)
        result[spans.whole] = history.laid_out(values)[spans.start[spans.whole]]
    else:
        result = _aggregated(window.statistic, history.laid_out(values), spans)
    return pd.Series(np.where(times.isna(), np.nan, result), index=table.index, name=name, dtype=np.float64)


def _compared_times(
    table: pd.DataFrame, key: str, window: Window, dataset: Dataset
) -> tuple[pd.Series, pd.Series]:
    """Time and known time of each row, as dates without a zone or as numbers."""
    if dataset.time is None:
        raise ConfigurationError(f"{key}: it needs dataset.time, to know which rows are earlier; declare it.")
    named = {"dataset.time": [dataset.time], f"{key}.by": window.by}
    roles = {"of": window.of, "known": window.known}
    named |= {f"{key}.{role}": [column] for role, column in roles.items() if column}
    check_columns([str(column) for column in table.columns], named, "the table")
    times, kind = _times(table[dataset.time], "dataset.time")
    if window.known is None:
        return times, times
    known, known_kind = _times(table[window.known], f"{key}.known")
    if known_kind != kind:
        raise DataError(
            f"{key}.known: column {window.known!r} holds {known_kind}, but column {dataset.time!r} (dataset.time) "
            f"holds {kind}; times are compared, so name a column that holds {kind}, too."
        )
    return times, known


def _times(column: pd.Series, key: str) -> tuple[pd.Series, str]:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.dt.tz_convert(None), "dates with a time zone"
    if pd.api.types.is_datetime64_any_dtype(column):
        return column, "dates"
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        raise DataError(
            f"{key}: column {column.name!r} holds {column.dtype} values, neither dates nor numbers, so they have no "
            "order in time; declare the format of its dates in ingestion.dates, or another column."
        )
    # Small and unsigned integers would overflow where a duration is taken off.
    whole = pd.api.types.is_integer_dtype(column) and not column.hasnans
    numbers = column.to_numpy(np.int64) if whole else column.to_numpy(np.float64, na_value=np.nan)
    return pd.Series(numbers, index=column.index, name=column.name), "numbers"


def _values(column: pd.Series, key: str) -> Floats:
    if not pd.api.types.is_numeric_dtype(column):
        raise DataError(
            f"{key}.of: column {column.name!r} holds {column.dtype} values, of which there is no statistic; "
            "name a column of numbers, or derive one in features.derive."
        )
    values = as_numbers(column)
    return np.where(np.isfinite(values), values, np.nan)


def _groups(table: pd.DataFrame, by: list[str]) -> Ints:
    if not by:
        return np.zeros(len(table), np.int64)
    return np.asarray(table.groupby(by, dropna=False, sort=False, observed=True).ngroup(), np.int64)


@dataclass(frozen=True)
class _Spans:
    """The rows that count for each row: positions `start` to before `stop` in `_History.laid_out`."""

    whole: npt.NDArray[np.bool_]  # whether the row's group has as many rows as were asked for
    start: Ints
    stop: Ints
    own: Ints  # position of the row itself
    inside: npt.NDArray[np.bool_]  # whether `own` lies in the span, where it is skipped


@dataclass(frozen=True)
class _History:
    """The rows with a known time, by group, then known time, then index."""

    groups: Ints  # group number of every row of the table
    rows: Ints  # positions in the table, in that order
    moments: npt.NDArray[Any]  # distinct known times, ascending
    keys: Ints  # of `rows`, ascending: group number * (moments + 1) + number of the moment
    firsts: Ints  # place in `rows` where each group begins
    shifts: Ints  # of each group, from a place to the position in `laid_out`
    length: int  # of `laid_out`

    @classmethod
    def of(cls, groups: Ints, known: pd.Series, index: pd.Index) -> _History:
        rows = np.flatnonzero(known.notna().to_numpy())
        moments, numbers = np.unique(known.to_numpy()[rows], return_inverse=True)
        keys = groups[rows] * (len(moments) + 1) + numbers
        order = np.lexsort((index.to_numpy()[rows], keys))
        sizes = np.bincount(groups[rows], minlength=int(groups.max(initial=-1)) + 1)
        # The exponent of size - 1 is that of the next power of two.
        room = np.where(sizes > 0, np.left_shift(1, np.frexp(sizes - 1)[1].astype(np.int64)), 0)
        # From large to small, each begins at a multiple of its own room.
        falling = np.argsort(-room, kind="stable")
        bases = np.empty_like(room)
        bases[falling] = np.cumsum(room[falling]) - room[falling]
        firsts = np.cumsum(sizes) - sizes
        return cls(groups, rows[order], moments, keys[order], firsts, bases - firsts, int(room.sum()))

    def spans(self, until: pd.Series, since: pd.Series | None, rows: int | None) -> _Spans:
        """Find the rows known before `until` and not before `since`, or the last `rows` of them."""
        first = self.firsts[self.groups]
        stop = self._place(until)
        own = np.full(len(self.groups), -1)
        own[self.rows] = np.arange(len(self.rows))
        start = first if since is None else self._place(since)
        if rows is not None:
            start = stop - min(rows, len(self.groups) + 1)
        inside = (own >= np.maximum(start, first)) & (own < stop)
        if rows is not None:
            start = start - inside
        shift = self.shifts[self.groups]
        return _Spans(start >= first, np.maximum(start, first) + shift, stop + shift, own + shift, inside)

    def laid_out(self, values: Floats) -> Floats:
        """Align each group to a power of two with NaN between, so that blocks of `_fold` stay its own."""
        laid = np.full(self.length, np.nan)
        laid[np.arange(len(self.rows)) + self.shifts[self.groups[self.rows]]] = values[self.rows]
        return laid

    def _place(self, moment: pd.Series) -> Ints:
        numbers = np.searchsorted(self.moments, moment.to_numpy())
        return np.searchsorted(self.keys, self.groups * (len(self.moments) + 1) + numbers)


def _aggregated(statistic: str, values: Floats, spans: _Spans) -> Floats:
    # Sums beyond the range of float64 are infinite, as in pandas.
    with np.errstate(over="ignore", invalid="ignore"):
        if statistic in ("min", "max"):
            merge: Merge = np.fmin if statistic == "min" else np.fmax
            (extreme,) = _over_spans(values[None], spans, merge, np.nan)
            return np.asarray(extreme)
        there = (~np.isnan(values)).astype(np.float64)
        leaves = np.stack([there, np.nan_to_num(values), np.zeros(len(values))])
        if statistic == "std":
            count, _, squares = _over_spans(leaves, spans, _merge_moments, 0.0)
            return np.sqrt(_quotient(squares, count - 1))
        count, total = _over_spans(leaves[:2], spans, np.add, 0.0)
    aggregated: dict[str, Floats] = {"count": count, "sum": total, "mean": _quotient(total, count)}
    return aggregated[statistic]


def _quotient(total: Floats, count: Floats) -> Floats:
    quotient: Floats = np.full(len(total), np.nan)
    return np.divide(total, count, out=quotient, where=count > 0)


def _merge_moments(first: Floats, second: Floats) -> Floats:
    """Combine counts, means and sums of squares without cancellation (Chan, Golub, LeVeque 1979)."""
    (count, mean, squares), (more, its_mean, its_squares) = first, second
    total = count + more
    share = more / np.maximum(total, 1)
    apart = its_mean - mean
    # Multiplied in this order, an empty side adds an exact zero, however large the numbers are.
    return np.stack([total, mean + apart * share, squares + its_squares + apart * (count * share) * apart])


def _over_spans(leaves: Floats, spans: _Spans, merge: Merge, empty: float) -> Floats:
    """Merge the leaves [k, positions] of every span except the row itself, [k, rows]."""
    before, after = (np.where(spans.inside, spans.own + step, spans.stop) for step in (0, 1))
    merged = _fold(leaves, spans.start, before, merge, empty)
    return merge(merged, _fold(leaves, after, spans.stop, merge, empty)) if spans.inside.any() else merged


def _fold(leaves: Floats, start: Ints, stop: Ints, merge: Merge, empty: float) -> Floats:
    """Merge the leaves [k, positions] of many ranges by a segment tree, one level at a time, [k, ranges].

    Each range is cut into at most two blocks of each power of two; unlike differences of prefix sums, this
    loses no digits to rows outside the range. `empty` is the neutral element of `merge`.
    """
    left, right = (np.full((len(leaves), len(start)), empty) for _ in range(2))
    asking = np.flatnonzero(start < stop)
    low, high = start[asking], stop[asking]
    while len(asking):
        odd = low % 2 == 1
        left[:, asking[odd]] = merge(left[:, asking[odd]], leaves[:, low[odd]])
        low = (low + 1) // 2
        odd = high % 2 == 1
        right[:, asking[odd]] = merge(leaves[:, high[odd] - 1], right[:, asking[odd]])
        high = high // 2
        more = low < high
        asking, low, high = asking[more], low[more], high[more]
        if leaves.shape[1] % 2:
            leaves = np.pad(leaves, ((0, 0), (0, 1)), constant_values=empty)
        leaves = merge(leaves[:, ::2], leaves[:, 1::2])
    return merge(left, right)
