"""The made table of `scale.py`: numbers, categories, dates and gaps, with labels drawn from known probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow.csv import CSVWriter
from pyarrow.parquet import ParquetWriter

ID, OUTCOME = "row", "outcome"
CHUNK = 100_000
# Levels of the categories; those of the last two say nothing of the outcome.
LEVELS = (5, 12, 50, 200, 1_000, 5_000, 20_000, 100_000)
DATES = ("opened", "seen")
TELLING = 10
FEWEST_COLUMNS = TELLING + len(LEVELS) + len(DATES)
_SPREAD = 0.35
_MISSING = 0.08
_DAYS = 730

FloatArray = np.ndarray


def declaration(suffix: str, extra: str = "") -> str:
    """The vertical's parameters.yml for a file "parquet" or "csv"; `extra` are further lines below `made`."""
    if suffix == "csv":
        dates = ", ".join(f'{date}: "%Y-%m-%d"' for date in DATES)
        extra = f"  ingestion: {{dates: {{{dates}}}}}\n{extra}"
    return f"""made:
  about:
    question: Is the outcome of a made row positive?
    intended_use: To measure seconds and memory.
    out_of_scope: Everything else.
    limits: Made rows.
    licence: none
  dataset: {{target: {OUTCOME}, positive: 1, id: {ID}}}
  # Any model shall become the champion, or nothing could be scored.
  gate: {{metric: auc, at_least: 0.0, baseline_margin: 0.99}}
  features:
    derive:
      opened_month: month(opened)
      seen_weekday: weekday(seen)
{extra}"""


def chunks(rows: int, columns: int, seed: int) -> Iterator[tuple[pd.DataFrame, FloatArray]]:
    """Rows and the true probability of each, 100,000 at once; `columns` are beside id and outcome, at least 20.

    What a column tells depends on nothing but its place, the rows depend on `seed`: tables of another seed are of
    the same kind. The same number of rows gives the same table.
    """
    numbers = columns - len(LEVELS) - len(DATES)
    if numbers < TELLING:
        raise ValueError(f"{columns} columns are too few; take {FEWEST_COLUMNS} or more.")
    law = np.random.default_rng(11)
    slopes = law.choice([-1.0, 1.0], TELLING) * law.uniform(0.5, 1.0, TELLING) * _SPREAD
    effects = [law.normal(0.0, _SPREAD, levels) for levels in LEVELS]
    for place, start in enumerate(range(0, rows, CHUNK)):
        size = min(CHUNK, rows - start)
        drawn = np.random.default_rng([seed, place])
        made: dict[str, object] = {ID: np.arange(start, start + size) + 1 + seed * 1_000_000_000}
        logit = np.full(size, -1.0)
        for number in range(numbers):
            values = drawn.normal(size=size)
            if number < TELLING:
                missing = drawn.random(size) < _MISSING * (number % 3)
                bent = np.abs(values) - 0.8 if number % 4 == 3 else values
                logit += np.where(missing, 0.0, slopes[number] * bent)
                values[missing] = np.nan
            # Amounts are skewed, counts whole.
            kind = number % 3
            made[f"number_{number}"] = (
                np.exp(values) if kind == 1 else np.round(values * 10) if kind == 2 else values
            ).astype(np.float32)
        for levels, effect in zip(LEVELS, effects, strict=True):
            # Squared, so that some levels are frequent and most are rare; half as many as rows, or they would be ids.
            codes = (drawn.random(size) ** 2 * min(levels, max(rows // 2, 5))).astype(np.int64)
            if levels < LEVELS[-2]:
                logit += effect[codes]
            made[f"level_{levels}"] = np.char.add("v", codes.astype("U6"))
        for date in DATES:
            days = drawn.integers(_DAYS, size=size)
            made[date] = pd.Timestamp("2023-01-01") + pd.to_timedelta(days, unit="D")
        month = pd.DatetimeIndex(made["opened"]).month.to_numpy()  # type: ignore[arg-type]  # made above
        logit += _SPREAD * np.sin(month * np.pi / 6)
        truth = 1 / (1 + np.exp(-logit))
        made[OUTCOME] = (drawn.random(size) < truth).astype(np.int64)
        yield pd.DataFrame(made), truth


def write(path: Path, rows: int, columns: int, seed: int, *, labelled: bool = True) -> pd.DataFrame:
    """Write a table, Parquet or CSV by its suffix; returns id, outcome and true probability of every row."""
    writer = None
    known = []
    for chunk, truth in chunks(rows, columns, seed):
        known.append(pd.DataFrame({ID: chunk[ID], OUTCOME: chunk[OUTCOME], "truth": truth}))
        written = chunk if labelled else chunk.drop(columns=OUTCOME)
        if path.suffix == ".csv":
            written = written.assign(**{date: written[date].dt.strftime("%Y-%m-%d") for date in DATES})
        block = pa.Table.from_pandas(written, preserve_index=False)
        writer = writer or (CSVWriter if path.suffix == ".csv" else ParquetWriter)(path, block.schema)
        writer.write_table(block)
    if writer is not None:
        writer.close()
    return pd.concat(known, ignore_index=True)
