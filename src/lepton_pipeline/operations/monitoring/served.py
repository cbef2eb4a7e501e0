"""Served rows as new rows of monitoring: what a server was asked, with outcomes by id."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lepton_pipeline.data.answers import Answers
from lepton_pipeline.data.as_of import existing_rows, moment
from lepton_pipeline.data.expressions.dates import ISO, read_dates
from lepton_pipeline.data.training_rows import TrainingRows
from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.logged import hash_value
from lepton_pipeline.operations.monitoring.new_rows import mark_new
from lepton_pipeline.parameters import Dataset, code_text
from lepton_pipeline.serving.request_log import SUFFIX
from lepton_pipeline.tasks.find import known_labels

# Columns beside those of the model; no column of a table is called so.
_AT, _ID, _SENT, _KEY = "\0at", "\0id", "\0sent", "\0key"


@dataclass(frozen=True)
class ServedRows:
    """What the log of served rows held.

    Attributes:
        rows: served rows that are new, each id once, the latest.
        joined: those whose id stands in the table of today, from which they have their outcome.
        repeated: rows that were served again later, known to the training, or are dated after `dataset.as_of`.
        broken: lines that cannot be read, cut by a kill or a full disk.
    """

    rows: int
    joined: int
    repeated: int
    broken: int

    @property
    def note(self) -> str:
        """In one sentence."""
        found = (
            f"{self.rows:,} of the new rows were served, {self.joined:,} of them stand in the table of today"
        )
        if self.repeated:
            found += f"; {self.repeated:,} others were served again later, or known to the training"
        return found + (f"; {self.broken:,} broken lines of the log were skipped." if self.broken else ".")


def add_served(
    table: pd.DataFrame,
    model: Artefact,
    seen: TrainingRows,
    span: tuple[float, float] | None,
    dataset: Dataset,
    folder: Path,
) -> tuple[pd.DataFrame, ServedRows]:
    """Add the rows of a log to the table of today, with the values that the server read.

    A served row whose id stands in the table takes the place of that row and keeps its outcome; others are appended,
    and wait for theirs unless a person has answered (`dataset.answers`). Of an id that was served several times the
    latest row counts. Ids that the champion's training knew stay as they are in the table. Where a time is
    declared, an appended row has the one that was sent, else that of the request; what was served after
    `dataset.as_of` does not count. `seen` and `span` as in
    `score_new_rows`.

    Raises:
        ConfigurationError: there is no such folder.
        DataError: the log masks a column that the model reads, or the model cannot read its values.
    """
    logged = model.logged
    masked = [] if logged is None else [*logged.log.hashed, *logged.log.dropped]
    if hidden := [name for name in model.inputs if name in masked]:
        raise DataError(
            f"monitoring.served: the log masks {hidden[0]!r}, which the model reads, so served rows cannot be "
            "compared; take it out of dataset.served_log, or leave monitoring.served out."
        )
    found, broken = _read(folder)
    lines = _known(found, table, dataset)
    if not lines:
        return table, ServedRows(0, 0, 0, broken)
    hashed = logged is not None and dataset.id in logged.log.hashed
    served = _typed(lines, model)
    place = _places(served, table, dataset, hashed)
    old = mark_new(table, known_labels(table, dataset, model.task), seen, span, dataset).eq(False)
    joined, added = served[place.notna() & ~place.isin(table.index[old])], served[place.isna()]
    joined = joined.set_axis(place[joined.index].astype(table.index.dtype))
    read = [str(name) for name in joined if name in table]
    joined = table.loc[joined.index].assign(**{name: joined[name] for name in read})
    start = int(table.index.max()) + 1 if len(table) else 0
    added = added.assign(**_names(added, table, model, dataset, hashed))
    appended = added.reindex(columns=table.columns).set_axis(range(start, start + len(added)))
    appended = _as_in(appended, table)
    if (answers := Answers.read(dataset)) is not None and len(added):
        keyed = Answers(answers.of.rename(index=hash_value), dataset) if hashed else answers
        by_key = appended.assign(**{str(dataset.id): added[_KEY].to_numpy()})
        appended[dataset.target] = keyed.fill(by_key)[dataset.target]
    appended = existing_rows(appended, dataset)
    whole = pd.concat([table.drop(index=joined.index), _as_in(joined, table), appended]).sort_index()
    rows = len(joined) + len(appended)
    return whole, ServedRows(rows, len(joined), len(lines) - rows, broken)


@dataclass(frozen=True)
class _Line:
    at: str
    id: Any
    time: Any
    inputs: dict[str, object]


def _read(folder: Path) -> tuple[list[_Line], int]:
    """The lines of a log in order of time, and how many are broken."""
    if not folder.is_dir():
        raise ConfigurationError(
            f"monitoring.served: {folder} is no folder; name the one that a server was given as LEPTON_SERVED_LOG."
        )
    lines, broken = [], 0
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        for line in _lines(path):
            try:
                found = json.loads(line)
                lines.append(_Line(str(found["at"]), found["id"], found["time"], dict(found["inputs"])))
            except (ValueError, KeyError, TypeError):
                broken += 1
    return sorted(lines, key=lambda line: line.at), broken


def _known(lines: list[_Line], table: pd.DataFrame, dataset: Dataset) -> list[_Line]:
    """The lines of requests until `dataset.as_of`, where times are dates."""
    dated = dataset.time is not None and pd.api.types.is_datetime64_any_dtype(table[dataset.time])
    if dataset.as_of is None or not dated or not lines:
        return lines
    asked = pd.to_datetime(pd.Series([line.at for line in lines]), format="ISO8601", utc=True)
    known = asked <= moment(dataset.as_of, asked, "dataset.as_of")
    return [line for line, there in zip(lines, known, strict=True) if there]


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        # A server has made room since.
        return


def _typed(lines: list[_Line], model: Artefact) -> pd.DataFrame:
    """The latest row of each id: the columns of the model, those derived of them, and `at`, `sent`, `key`."""
    key = pd.Series([None if line.id is None else code_text(line.id) for line in lines], dtype=object)
    latest = [
        line for line, kept in zip(lines, key.isna() | ~key.duplicated(keep="last"), strict=True) if kept
    ]
    rows = model.read(pd.DataFrame([line.inputs for line in latest], dtype=object))
    made = model.derivation.apply(rows, model.encoder.inputs)
    named = {_ID: "id", _SENT: "time", _AT: "at"}
    beside = {to: pd.Series([getattr(line, of) for line in latest], dtype=object) for to, of in named.items()}
    return made.assign(**beside, **{_KEY: beside[_ID].map(code_text, na_action="ignore")})


def _places(served: pd.DataFrame, table: pd.DataFrame, dataset: Dataset, hashed: bool) -> pd.Series:
    """Label of the row of the table with the same id, the last of several; missing without one."""
    if dataset.id is None:
        return pd.Series(float("nan"), served.index)
    own = table[dataset.id].dropna().map(hash_value if hashed else code_text)
    return served[_KEY].map(pd.Series(own.index, index=own.to_numpy()).groupby(level=0).last())


def _names(
    added: pd.DataFrame, table: pd.DataFrame, model: Artefact, dataset: Dataset, hashed: bool
) -> dict[str, pd.Series]:
    """Id and time of rows that the table does not have; a hash is no id of the table's."""
    found: dict[str, pd.Series] = {}
    if dataset.id is not None:
        found[dataset.id] = added[_ID].where(pd.Series(not hashed, added.index))
    if (name := dataset.time) is None or name in added:
        return found
    sent: pd.Series = added[_SENT]
    if not pd.api.types.is_datetime64_any_dtype(table[name]):
        return {**found, name: pd.to_numeric(sent)}
    zone = table[name].dt.tz
    asked = pd.to_datetime(added[_AT], format="ISO8601", utc=True)
    times = asked.dt.tz_localize(None) if zone is None else asked.dt.tz_convert(zone)
    if (given := sent.notna()).any():
        layout = model.derivation.dates.get(name, ISO)
        read = read_dates(
            sent[given].astype("str"), layout, or_iso=True, zone=None if zone is None else str(zone)
        )
        times = times.astype(read.dtype)
        times.loc[given] = read
    return {**found, name: times}


def _as_in(rows: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Rows with the types of the table, or with wider ones where values are missing."""
    return pd.DataFrame({name: _typed_as(rows[name], table[name].dtype) for name in table}, rows.index)


def _typed_as(values: pd.Series, kind: Any) -> pd.Series:
    gaps = values.isna().any()
    if gaps and pd.api.types.is_bool_dtype(kind):
        return values.astype(object)
    return values.astype("float64" if gaps and pd.api.types.is_integer_dtype(kind) else kind)
