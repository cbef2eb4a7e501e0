"""The reference that new rows are compared with: counts of the training rows, without any row."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pandas as pd

from lepton_pipeline.data.time_axis import axis
from lepton_pipeline.data.training_rows import LEARNT_FROM
from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.drift import bins_of_words
from lepton_pipeline.evaluation.resampling import GROUP, resampling_units
from lepton_pipeline.features.column_encoders import LARGEST, NumericColumn, as_numbers, enough_rows
from lepton_pipeline.features.embedding_cache import Halves
from lepton_pipeline.features.encode import EncodedColumn, Encoder
from lepton_pipeline.features.row_words import FEWEST_ROWS, RowWords
from lepton_pipeline.features.text import TextColumn
from lepton_pipeline.model.predictor import Predictor
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.registry.versions import StoredReference
from lepton_pipeline.statistics.prediction_powered import FEWEST_ROWS as FEWEST_JUDGED
from lepton_pipeline.statistics.prediction_powered import MOST_PARTS, Judged
from lepton_pipeline.system.records import from_plain
from lepton_pipeline.tasks.find import Target

FORMAT = 1
_BINS = 10
_GRID = 100
# Fewest rows between two quantiles, so that no value identifies a row.
_ROWS_A_CELL = 20
_MOST_HASHES = 5000
# Batches of the design effect.
_BATCHES, _FEWEST_IN_A_BATCH = 30, 10
# Units of time; the longest that the rows cover often enough is used.
_UNITS = (28 * 86400.0, 7 * 86400.0, 86400.0, 3600.0, 600.0, 60.0, 1.0)
_FEWEST_UNITS = 24


@dataclass(frozen=True)
class Numbers:
    """Counts of a numeric column."""

    name: str
    missing: int  # rows without a value
    edges: list[float]  # upper ends of all bins but the last: tenths, ascending
    counts: list[int]  # rows by bin, one more than `edges`
    grid: list[float]  # quantiles, ascending
    below: list[int]  # rows below each quantile
    through: list[int]  # rows up to and including each quantile
    dependence: float = 1.0  # see `design_effect`; 1 where no time is declared
    missing_dependence: float = 1.0  # the same of whether a value is missing

    @property
    def known(self) -> int:
        """Rows with a value."""
        return sum(self.counts)


@dataclass(frozen=True)
class Categories:
    """Counts of a categorical column."""

    name: str
    missing: int  # rows without a value
    levels: dict[str, int]  # rows of each level that is not rare
    rare: int  # rows of all other levels together
    rare_hashes: list[str] | None  # of rare levels; None where there are too many
    dependence: float = 1.0
    missing_dependence: float = 1.0


@dataclass(frozen=True)
class Distances:
    """Cosine distances of the embeddings of texts from the mean of some rows, counted over other rows."""

    centre: list[float]
    counts: Numbers

    def of(self, vectors: Halves) -> np.ndarray:
        """Distances of embeddings [n, dimensions], [n]."""
        return _distances(vectors, np.array(self.centre))


@dataclass(frozen=True)
class Words(Categories):
    """Counts of a column of texts: `levels` are words, each counted once a row; a row without words is missing."""

    rows: int = field(kw_only=True)  # rows with words
    distances: Distances | None = field(default=None, kw_only=True)  # None without an encoder of sentences


@dataclass(frozen=True)
class Volume:
    """Rows by whole unit of time, from the first row on."""

    unit: float  # seconds, or units of a numeric time column
    counts: list[int]


@dataclass(frozen=True)
class Reference:
    """The rows that a model has learnt from; time-dependent fields are None where no time is declared."""

    rows: int
    columns: list[Numbers | Words | Categories]
    scores: Numbers | Categories  # of the test rows, see `Task.watched`
    span: tuple[float, float] | None  # first and last time of all rows of the vertical then
    volume: Volume | None  # of all these rows; None where all have the same time
    step: float | None = None  # the longest time between two of these rows
    judged: Judged | None = None  # of the test rows, for an index; None of too many classes or few rows

    def to_dict(self) -> StoredReference:
        """The reference as JSON."""
        names = {Numbers: "number", Categories: "category", Words: "text"}
        columns = [{"kind": names[type(column)], **asdict(column)} for column in self.columns]
        return {"format": FORMAT, **asdict(self), "columns": columns}

    @classmethod
    def from_dict(cls, stored: StoredReference) -> Reference:
        """Read what `to_dict` returned; DataError if another version of the project wrote it."""
        if stored.get("format") != FORMAT:
            raise DataError(f"the reference has format {stored.get('format')!r}, this version reads {FORMAT}")
        return from_plain(cls, stored, "the reference")


def describe_reference(
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    scores: pd.DataFrame,
    model: Predictor | Target,
    encoder: Encoder,
    dataset: Dataset,
    outside: pd.DataFrame | None = None,
) -> StoredReference:
    """Count the rows that a model has learnt from, for later comparison with new ones.

    `split` has the `part` of every row, indexed as `feature_table`; `scores` have `part` and columns of scores
    of `model`, of which `Task.watched` is counted, together with those of test rows `outside` its classes.
    Returns `Reference.to_dict`: numbers by tenths and up to 100 quantiles, at least 20 rows in each cell; levels
    that at least 20 rows share and that are not rare (see `enough_rows`), and hashes of the others; of texts,
    words likewise, and the mean of embeddings with the quantiles of distances from it. Of the test rows of its
    classes also means of predictions and labels, see `Judged`.
    """
    learnt = split.index[split["part"].isin(LEARNT_FROM)]
    test = pd.concat([scores[scores["part"] == "test"], outside], join="inner")
    ordered = dataset.time is not None
    span, volume, step = None, None, None
    if dataset.time is not None:
        every = pd.Series(axis(feature_table[dataset.time]), feature_table.index)
        in_order = every.sort_values(kind="stable").index
        learnt = in_order.intersection(learnt)
        test = test.loc[in_order.intersection(test.index)]
        times = np.unique(every.to_numpy()[np.isfinite(every)])
        span = (float(times[0]), float(times[-1]))
        dates = pd.api.types.is_datetime64_any_dtype(feature_table[dataset.time])
        volume = _count_over_time(every[np.isfinite(every)].to_numpy(), span, dates)
        step = float(np.diff(times).max()) if len(times) > 1 else None
    # Column by column: these rows are most of the table.
    places = feature_table.index.get_indexer(learnt)
    columns = [
        count_column(column, feature_table[column.name].iloc[places], ordered=ordered)
        for column in encoder.columns
    ]
    predicted = model.task.scores(test, "model")
    watched = model.task.watched(predicted)
    scored = count_scores(watched, ordered=ordered)
    inside = (test["part"] == "test").to_numpy()
    test, judged, parts = test[inside], None, model.task.parts(predicted[inside])
    if len(test) >= FEWEST_JUDGED and parts.shape[1] <= MOST_PARTS:
        codes = groups_of(feature_table.loc[test.index], dataset)
        observed = model.task.parts_of(test["label"].to_numpy())
        judged = Judged.of(parts, observed, codes, scored.dependence)
    return Reference(len(learnt), columns, scored, span, volume, step, judged).to_dict()


def groups_of(rows: pd.DataFrame, dataset: Dataset) -> np.ndarray | None:
    """Codes of the declared groups [rows]; None where none are declared."""
    return None if dataset.group is None else resampling_units(rows, dataset)[GROUP].to_numpy()


def count_scores(watched: pd.Series, *, ordered: bool) -> Numbers | Categories:
    """Count what is watched of scores, see `count_numbers`."""
    if pd.api.types.is_numeric_dtype(watched):
        return count_numbers(str(watched.name), watched.to_numpy(np.float64), ordered=ordered)
    return count_categories(str(watched.name), watched, ordered=ordered)


def count_column(column: EncodedColumn, values: pd.Series, *, ordered: bool) -> Numbers | Words | Categories:
    """Count the values of a column by its kind, see `count_numbers`."""
    if isinstance(column, NumericColumn):
        return count_numbers(column.name, as_numbers(values), ordered=ordered)
    if isinstance(column, TextColumn):
        distances = count_distances(column.sentence_vectors(values), ordered=ordered)
        return replace(count_words(column.name, values, ordered=ordered), distances=distances)
    return count_categories(column.name, column.texts(values), ordered=ordered)


def count_numbers(name: str, values: np.ndarray, *, ordered: bool = False) -> Numbers:
    """Count numbers by tenths and by quantiles; NaN is missing; `ordered` values get a design effect."""
    there = ~np.isnan(values)
    clipped = np.clip(values[there], -LARGEST, LARGEST)
    known = np.sort(clipped)
    edges, grid = (_quantiles(known, min(most, len(known) // _ROWS_A_CELL)) for most in (_BINS, _GRID))
    cells = np.searchsorted(edges, clipped)
    counts = np.bincount(cells, minlength=len(edges) + 1)
    below, through = (np.searchsorted(known, grid, side=side) for side in ("left", "right"))
    lists = (each.tolist() for each in (edges, counts, grid, below, through))
    effects = (design_effect(cells, ascending=True), design_effect(there.astype(np.int64))) if ordered else ()
    return Numbers(name, len(values) - len(known), *lists, *effects)


def count_categories(name: str, texts: pd.Series, *, ordered: bool = False) -> Categories:
    """Count levels, see `count_numbers`."""
    counts = texts.value_counts()
    frequent = counts[counts >= max(enough_rows(len(texts)), _ROWS_A_CELL)]
    rare = counts.drop(frequent.index)
    hashes = _hashes(rare.index)
    levels = {str(level): int(count) for level, count in frequent.items()}
    codes = texts.map({level: code for code, level in enumerate(frequent.index)})
    codes = codes.fillna(len(frequent)).astype("int64").mask(texts.isna(), -1)
    measured = (codes.to_numpy(), texts.isna().to_numpy(np.int64)) if ordered else ()
    effects = map(design_effect, measured)
    return Categories(name, int(texts.isna().sum()), levels, int(rare.sum()), hashes, *effects)


def count_words(name: str, column: pd.Series, *, ordered: bool = False) -> Words:
    """Count the words of texts, each once a row, see `count_numbers`; for the design effect see `RowWords`."""
    words = RowWords.of(column)
    counts, wordless = words.counts, words.wordless
    frequent, rare = counts[counts >= FEWEST_ROWS], counts[counts < FEWEST_ROWS]
    bins = bins_of_words(words, frequent.index)
    effects = [words.dependence(bins)]
    if ordered:
        of_time = design_effect(words.in_order(bins))
        effects = [max(*effects, of_time), design_effect(wordless.astype(np.int64))]
    levels = {str(word): int(rows) for word, rows in frequent.items()}
    missing = int(wordless.sum())
    return Words(
        name, missing, levels, int(rare.sum()), _hashes(rare.index), *effects, rows=len(column) - missing
    )


def count_distances(vectors: Halves, *, ordered: bool = False) -> Distances | None:
    """Count how far embeddings [n, dimensions] lie from their mean, see `count_numbers`.

    Every other row makes the mean, and the rest are counted: rows lie nearer to a mean that they are part of. None
    of so few rows that the mean would be that of single texts.
    """
    if len(vectors) < 2 * _ROWS_A_CELL:
        return None
    centre = vectors[::2].mean(axis=0, dtype=np.float64)
    return Distances(
        centre.tolist(), count_numbers("distance", _distances(vectors[1::2], centre), ordered=ordered)
    )


def _distances(vectors: Halves, centre: np.ndarray) -> np.ndarray:
    return np.asarray(1 - vectors.astype(np.float64) @ (centre / (np.linalg.norm(centre) or 1.0)))


def _hashes(rare: pd.Index) -> list[str] | None:
    return sorted(hash_level(str(level)) for level in rare) if len(rare) <= _MOST_HASHES else None


def hash_level(text: str) -> str:
    """64 bits of a text, which recognise it without revealing it."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _quantiles(ordered: np.ndarray, parts: int) -> np.ndarray:
    if not len(ordered):
        return np.zeros(0)
    found = np.unique(np.quantile(ordered, np.arange(1, parts) / parts, method="inverted_cdf"))
    through = np.searchsorted(ordered, found, side="right")
    shared = through - np.searchsorted(ordered, found, side="left")
    # Few rows may identify a person, so cut half-way between values.
    following = ordered[np.minimum(through, len(ordered) - 1)]
    return np.where(shared >= _ROWS_A_CELL, found, found + (following - found) / 2)


def _count_over_time(times: np.ndarray, span: tuple[float, float], dates: bool) -> Volume | None:
    length = span[1] - span[0]
    if length <= 0:
        return None
    units: Sequence[float] = _UNITS if dates else (length / (2 * _FEWEST_UNITS),)
    unit = next((unit for unit in units if length / unit >= _FEWEST_UNITS), units[-1])
    return Volume(unit, count_units(times, span[0], span[1], unit))


def count_units(times: np.ndarray, start: float, end: float, unit: float) -> list[int]:
    """Rows in each whole unit between two times."""
    whole = int((end - start) // unit)
    place = np.floor((times - start) / unit).astype(np.int64)
    counted: list[int] = np.bincount(place[(place >= 0) & (place < whole)], minlength=whole).tolist()
    return counted


def design_effect(cells: np.ndarray, *, ascending: bool = False) -> float:
    """How many rows in order of time carry as much information on the shares of cells as one independent row.

    The rows are cut into 30 batches of equal length. A cell's share varies between batches of independent
    rows by p (1 - p) / length, and more between batches of autocorrelated rows. The mean over cells of the
    two variances' ratio, weighted as by Rao and Scott (1981), "The Analysis of Categorical Data from Complex
    Sample Surveys", section 3, is the factor by which the chi-square statistic is too large on average.
    Autocorrelation longer than a batch is not seen.

    `cells` are integer [rows], below 0 for a row in no cell. `ascending` says that they are bins of a number:
    the indicator of being below a bound, on which the Kolmogorov-Smirnov test rests, is then autocorrelated
    for longer, and the larger effect is returned. Returns at least 1; 1 for fewer than 50 rows.
    """
    cells = cells[cells >= 0]
    batches = min(_BATCHES, len(cells) // _FEWEST_IN_A_BATCH)
    if batches < 5:
        return 1.0
    length = len(cells) // batches
    _, codes = np.unique(cells[: batches * length], return_inverse=True)
    number = int(codes.max()) + 1
    if number < 2:
        return 1.0
    batch = np.repeat(np.arange(batches), length)
    shares = np.bincount(batch * number + codes, minlength=batches * number).reshape(batches, number) / length
    effect = length * (shares.var(axis=0, ddof=1) / shares.mean(axis=0)).sum() / (number - 1)
    if ascending:
        below = shares.cumsum(axis=1)[:, :-1]
        mean = below.mean(axis=0)
        effect = max(effect, length * below.var(axis=0, ddof=1).sum() / (mean * (1 - mean)).sum())
    return float(max(effect, 1.0))
