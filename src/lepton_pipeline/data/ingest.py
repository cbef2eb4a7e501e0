"""Raw files or a raw table -> one typed table."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.data.answers import Answers
from lepton_pipeline.data.as_of import existing_rows, label_known, present_of
from lepton_pipeline.data.columns import declared_columns
from lepton_pipeline.data.fingerprint import Fingerprint, TableIdentity
from lepton_pipeline.data.kinds import Wanted
from lepton_pipeline.data.labels import label_columns
from lepton_pipeline.data.reading import IngestionRecord, Reading
from lepton_pipeline.data.rows import Rows
from lepton_pipeline.data.source import Known, Raw, Source, Survey
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Contract, Dataset, Features, Ingestion

# Expectations about what tells rows apart.
_OF_KEYS = ("column_values_to_be_unique", "compound_columns_to_be_unique", "keys_to_exist_in_table")


def ingest_table(
    raw: Raw, dataset: Dataset, ingestion: Ingestion, contract: Contract, features: Features
) -> tuple[Rows, IngestionRecord]:
    """Read the raw data of a vertical into one typed table; `raw` are files or a table from the catalog.

    Declared columns are looked for as soon as the header is read; for the types see `read_table`. Rows are
    numbered 0 .. rows - 1 in the order of the raw data. Declared answers stand where a target is missing.

    Raises:
        DataError: a file is empty, cannot be decoded, has only a header or a repeated column; files differ in
            their columns or repeat another file's rows; a declared column is absent; too many records are
            broken; a declared date cannot be read.
    """
    needed = declared_columns(dataset, contract, features) | {"ingestion.dates": list(ingestion.dates)}
    needed |= _masked(ingestion, "ingestion.mask.columns")
    source = Source.open(raw, ingestion, needed)
    # A window that declares when labels are known may use one before all are.
    declared = any(window.known is not None for window in features.windows.values())
    known = _known(source, dataset, None if declared else dataset.target)
    prints, late = Fingerprint(), _LaterDates(dataset, ingestion)
    keys = key_columns(dataset, contract, features)
    answers = Answers.read(dataset)

    def pass_on(rows: pd.DataFrame) -> pd.DataFrame:
        return late.add(rows if answers is None else answers.fill(rows))

    table, survey = _read(source, known, contract, keys, "contract", prints, pass_on)
    reading = survey.record()
    said = late.said(len(table))
    later = {name: [*reading.notes.get(name, []), sentence] for name, sentence in said.items()}
    files = [] if isinstance(raw, pd.DataFrame) else [file.name for file in raw]
    record = record_table(table.frame(label_columns(table.names, dataset)), prints.found(), dataset, files)
    return table, replace(record, reading=replace(reading, notes=reading.notes | later))


def read_table(
    raw: Raw,
    ingestion: Ingestion,
    contract: Contract,
    name: str,
    dataset: Dataset | None = None,
    features: Features | None = None,
) -> tuple[Rows, Reading]:
    """Read the raw table `tables.<name>` with a type for every column.

    A text column becomes numbers where every value is one, dates where a format is declared, and stays text
    otherwise. Ids, groups and categories become numbers only where their text can be restored. As of
    `dataset.as_of`, rows with a later `contract.time` are left out; a table without a declared time keeps all
    its rows. Columns named as the vertical's ids, groups and categories have these roles here, too.

    Raises:
        DataError: as `ingest_table`.
    """
    key = f"tables.{name}"
    mask = None if ingestion.mask is None else ingestion.mask.of_table(name)
    ingestion = ingestion.model_copy(update={"mask": mask})
    needed = declared_columns(None, contract, Features(), key)
    source = Source.open(raw, ingestion, needed | _masked(ingestion, f"ingestion.mask.columns.{name}"))
    own = None if dataset is None else dataset.model_copy(update={"time": contract.time})
    keys = key_columns(dataset, contract, features or Features())
    table, survey = _read(source, None if own is None else _known(source, own, None), contract, keys, key)
    return table, survey.record()


def record_table(
    labels: pd.DataFrame, prints: TableIdentity, dataset: Dataset, files: list[str]
) -> IngestionRecord:
    """Identify the table that a model is trained on; `labels` holds `label_columns` at least."""
    present = present_of(labels, dataset)
    return IngestionRecord(**vars(prints), base_rate=None, present=present, since=dataset.since, files=files)


def key_columns(dataset: Dataset | None, contract: Contract, features: Features) -> set[str]:
    """Columns that identify rows or things: ids, groups, categories, keys of windows and of the contract."""
    keys = {name for each in contract.expectations if each.expect in _OF_KEYS for name in each.columns()}
    keys |= {name for window in features.windows.values() for name in window.by}
    if dataset is None:
        return keys
    roles = dataset.roles()
    keys |= {name for role in ("id", "group", "categorical") for name in roles[role]}
    keys |= set(dataset.keys_excluded)
    return keys - {dataset.target, dataset.time, *dataset.numeric}


def _read(
    source: Source,
    known: Known | None,
    contract: Contract,
    keys: Collection[str],
    key: str,
    prints: Fingerprint | None = None,
    pass_on: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
) -> tuple[Rows, Survey]:
    survey = source.survey(Wanted(keys=keys), known=known)
    survey.require_whole(contract.max_quarantined, f"{key}.max_quarantined")
    _require_texts(source.ingestion, survey.kinds.of)
    kinds, copies = survey.kinds.of, survey.copies(None if known is None else known.rows)
    typed = (chunk.typed(kinds, source.ingestion) for chunk in source.chunks(known=known))
    table = Rows.spooled(copies.watch(typed if pass_on is None else map(pass_on, typed), prints))
    copies.check()
    return table, survey


def _masked(ingestion: Ingestion, key: str) -> dict[str, list[str]]:
    """The masked columns by the key that declares them."""
    return {} if ingestion.mask is None else {key: ingestion.mask.names()}


def _require_texts(ingestion: Ingestion, kinds: dict[str, str]) -> None:
    """Refuse to mask a column whose texts are all numbers, where nothing is found."""
    for name in () if ingestion.mask is None else ingestion.mask.names():
        if kinds[name] not in ("text", "empty"):
            raise DataError(
                f"column {name!r} is masked (ingestion.mask), but holds numbers only, in which nothing is found; "
                "take it out of ingestion.mask.columns, or declare a pattern for it."
            )


def _known(source: Source, dataset: Dataset, target: str | None) -> Known | None:
    """What was known at `dataset.as_of`; kinds are inferred without later texts."""
    if dataset.as_of is None or dataset.time not in source.names:
        return None
    only = [dataset.time]
    kinds = source.survey(only=only).kinds.of
    times = pd.concat([chunk.typed(kinds, source.ingestion) for chunk in source.chunks(only=only)])
    there = np.asarray(times.index.isin(existing_rows(times, dataset).index))
    return Known(there, target, label_known(times, dataset).to_numpy(bool))


class _LaterDates:
    """Counts dates that are later than the row's own time, or than the present where it has none."""

    def __init__(self, dataset: Dataset, ingestion: Ingestion) -> None:
        self._time, self._ingestion = dataset.time, ingestion
        self._now = pd.Timestamp.now("UTC")
        # By column: how many, with what they were compared, the first one and its row.
        self._found: dict[str, tuple[int, str, Any, int]] = {}

    def add(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Count the later dates of some rows, which are returned."""
        dates = [str(name) for name in rows.select_dtypes(["datetime", "datetimetz"])]
        own = rows[self._time] if self._time in dates else None
        for name in dates:
            values, zone = rows[name], rows[name].dt.tz
            comparable = own is not None and (zone is None) == (own.dt.tz is None)
            now = self._now.tz_convert(zone) if zone is not None else pd.Timestamp.now()
            later = np.flatnonzero(values > (own if comparable else now))
            if len(later):
                what = f"the row's own time ({self._time})" if comparable else "today"
                first = what, values.iloc[later[0]], int(rows.index[later[0]])
                count, *known = self._found.get(name, (0, *first))
                self._found[name] = (count + len(later), *known)
        return rows

    def said(self, rows: int) -> dict[str, str]:
        """A sentence by column."""
        said = {}
        for name, (count, what, value, row) in self._found.items():
            said[name] = f"later than {what} in {count:,} of {rows:,} rows, such as {value} (row {row:,})"
            if "%y" in self._ingestion.dates.get(name, "") and name not in self._ingestion.two_digit_years:
                year = pd.Timestamp.now().year
                said[name] += f"; say what two digits mean: ingestion.two_digit_years: {{{name}: {year}}}"
        return said
