"""Raw files or a raw table -> one typed table."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pandas as pd

from lepton_pipeline.data.as_of import label_known, present_of, rows_there
from lepton_pipeline.data.column_facts import Wanted
from lepton_pipeline.data.columns import declared_columns
from lepton_pipeline.data.fingerprint import fingerprint
from lepton_pipeline.data.labels import positive_labels
from lepton_pipeline.data.reading import IngestionRecord, Reading
from lepton_pipeline.data.source import Known, Raw, Source
from lepton_pipeline.data.survey import Survey
from lepton_pipeline.parameters import Contract, Dataset, Features, Ingestion

# Expectations about what tells rows apart.
_OF_KEYS = ("column_values_to_be_unique", "compound_columns_to_be_unique", "keys_to_exist_in_table")


def ingest_table(
    raw: Raw, dataset: Dataset, ingestion: Ingestion, contract: Contract, features: Features
) -> tuple[pd.DataFrame, IngestionRecord]:
    """Read the raw data of a vertical into one table with a type for every column.

    Declared columns are looked for as soon as the header is read; for the types see `read_table`.

    Args:
        raw: table files, whose rows are put one below the other; or a table that a catalog entry has loaded (SQL, say).
        dataset: declared roles of columns, and the date of which the table is (`as_of`).
        ingestion: how text becomes values.
        contract: expectations, for the columns they name, and the largest fraction of records that may be broken.
        features: columns that are made later and so need not be there.

    Returns:
        The table, indexed 0 .. rows - 1 in the order of the raw data, and its record.

    Raises:
        DataError: a file is empty, has only a header, a column twice or bytes that cannot be decoded; files differ in
            their columns; a declared column is absent; too many records are broken; all rows of a file stand in
            another one; a declared date cannot be read as a date; the target cannot be learnt.
    """
    needed = declared_columns(dataset, contract, features) | {"ingestion.dates": list(ingestion.dates)}
    source = Source.open(raw, ingestion, needed)
    # A window that is told when labels are known may use one before all are.
    told = any(window.known is not None for window in features.windows.values())
    known = _known(source, dataset, None if told else dataset.target)
    table, survey = _read(source, known, contract, key_columns(dataset, contract, features), "contract")
    reading = survey.record()
    later = {
        name: [*reading.notes.get(name, []), said] for name, said in _later_dates(table, dataset, ingestion).items()
    }
    files = [] if isinstance(raw, pd.DataFrame) else [file.name for file in raw]
    return table, replace(record_table(table, dataset, files), reading=replace(reading, notes=reading.notes | later))


def read_table(
    raw: Raw,
    ingestion: Ingestion,
    contract: Contract,
    name: str,
    dataset: Dataset | None = None,
    features: Features | None = None,
) -> tuple[pd.DataFrame, Reading]:
    """Read one raw table with a type for every column.

    A text column becomes numbers where every value in it is one, dates where a format is declared, and stays text
    otherwise. What tells rows apart (ids, groups, categories) becomes numbers only where its text can be had back.

    Args:
        raw: table files, whose rows are put one below the other; or a table that a catalog entry has loaded.
        ingestion: how text becomes values.
        contract: expectations on this table, for the columns they name.
        name: of the table, as `tables.<name>` declares it.
        dataset: of the vertical; as of its date (`as_of`), rows whose `contract.time` is later are left out. A table
            without a declared time keeps all its rows: nobody can tell which were there. Columns named as the
            vertical's ids, groups and categories have these roles here, too.
        features: of the vertical, for the keys of its windows.

    Returns:
        Typed rows, indexed 0 .. rows - 1, and what `Survey.record` says of them.

    Raises:
        DataError: as `ingest_table`, but for the target.
    """
    key = f"tables.{name}"
    source = Source.open(raw, ingestion, declared_columns(None, contract, Features(), key))
    own = None if dataset is None else dataset.model_copy(update={"time": contract.time})
    keys = key_columns(dataset, contract, features or Features())
    table, survey = _read(source, None if own is None else _known(source, own, None), contract, keys, key)
    return table, survey.record()


def record_table(table: pd.DataFrame, dataset: Dataset, files: list[str]) -> IngestionRecord:
    """Identify the table that a model is made from.

    Args:
        table: typed rows with the target.
        dataset: names the target and its positive class.
        files: names of the files it was read from.

    Raises:
        DataError: the target holds one class only, or a value that is in neither.
    """
    known = table[label_known(table, dataset)]
    base_rate = round(float(positive_labels(known, dataset).mean()), 6) if len(known) else None
    content = fingerprint(table)
    present = present_of(table, dataset)
    return IngestionRecord(
        content.rows, content.columns, content.sha256, base_rate, present, dataset.since, files=files
    )


def key_columns(dataset: Dataset | None, contract: Contract, features: Features) -> set[str]:
    """Columns whose text is what they are: ids, groups, categories, and the keys of windows and of the contract."""
    keys = {name for each in contract.expectations if each.expect in _OF_KEYS for name in each.columns()}
    keys |= {name for window in features.windows.values() for name in window.by}
    if dataset is None:
        return keys
    roles = dataset.roles()
    keys |= {name for role in ("id", "group", "categorical") for name in roles[role]}
    return keys - {dataset.target, dataset.time, *dataset.numeric}


def _read(
    source: Source, known: Known | None, contract: Contract, keys: Collection[str], key: str
) -> tuple[pd.DataFrame, Survey]:
    """Read all rows that were there, with the values that were known."""
    wanted = Wanted(keys=keys)
    survey = source.survey(wanted, known=known)
    survey.require_whole(contract.max_quarantined, f"{key}.max_quarantined")
    kinds, copies = survey.kinds.of, survey.copies(None if known is None else known.rows)
    typed = (chunk.typed(kinds, source.ingestion) for chunk in source.chunks(known=known))
    parts = list(copies.watch(typed))
    copies.check()
    return (pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]), survey


def _known(source: Source, dataset: Dataset, target: str | None) -> Known | None:
    """What was known at `dataset.as_of`, before types are told: a later text would make a column text."""
    if dataset.as_of is None or dataset.time not in source.names:
        return None
    only = [dataset.time]
    kinds = source.survey(only=only).kinds.of
    times = pd.concat([chunk.typed(kinds, source.ingestion) for chunk in source.chunks(only=only)])
    there = np.asarray(times.index.isin(rows_there(times, dataset).index))
    return Known(there, target, label_known(times, dataset).to_numpy(bool))


def _later_dates(table: pd.DataFrame, dataset: Dataset, ingestion: Ingestion) -> dict[str, str]:
    """By column of dates, how many are later than the row's own time, or than the present where it has none."""
    dates = [str(name) for name in table.select_dtypes(["datetime", "datetimetz"])]
    said = {}
    own = table[dataset.time] if dataset.time in dates else None
    for name in dates:
        values = table[name]
        comparable = own is not None and (values.dt.tz is None) == (own.dt.tz is None)
        later = values > (own if comparable else pd.Timestamp.now(values.dt.tz))
        if later.any():
            what = f"the row's own time ({dataset.time})" if comparable else "today"
            first = int(np.flatnonzero(later)[0])
            counted = f"{int(later.sum()):,} of {len(table):,} rows"
            said[name] = f"later than {what} in {counted}, such as {values.iloc[first]} (row {first:,})"
            if "%y" in ingestion.dates.get(name, "") and name not in ingestion.two_digit_years:
                year = pd.Timestamp.now().year
                said[name] += f"; say what two digits mean: ingestion.two_digit_years: {{{name}: {year}}}"
    return said
