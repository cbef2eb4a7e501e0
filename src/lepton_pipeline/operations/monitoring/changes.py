"""All tests of new rows against a reference, and the columns that changed most in what the model relies on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.errors import ConfigurationError, DataError, nearest
from lepton_pipeline.features.encode import EncodedColumn, Encoder
from lepton_pipeline.features.text import TextColumn
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.operations.monitoring import drift, findings
from lepton_pipeline.operations.monitoring.before_after import describe_change
from lepton_pipeline.operations.monitoring.domain import classifier_test, one_per_group
from lepton_pipeline.operations.monitoring.drift import adjusted
from lepton_pipeline.operations.monitoring.new_rows import Champion, NewRows
from lepton_pipeline.operations.monitoring.reference import Reference
from lepton_pipeline.operations.monitoring.season import Before
from lepton_pipeline.parameters import Dataset, Monitoring
from lepton_pipeline.statistics.estimates import Estimate

_DRAWN_COLUMNS = 6
_SEED = 7


@dataclass(frozen=True)
class Changes:
    """What is found of new rows, and what could not be compared."""

    columns: list[findings.ColumnDrift] = field(default_factory=list)
    domain: findings.DomainDrift | None = None
    scores: findings.ColumnDrift | None = None
    volume: findings.VolumeDrift | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def drawn(self) -> list[findings.ColumnDrift]:
        """The columns that are drawn: those that matter most, of those that are not ignored."""
        return [each for each in findings.ranked(self.columns) if not each.ignored][:_DRAWN_COLUMNS]


def test_all(today: NewRows, champion: Champion, before: Before, monitoring: Monitoring) -> Changes:
    """Compare columns, scores, all columns together and the number of rows; see `compare_new_rows`."""
    model, rows, new = champion.model, today.own, today.new
    reference, notes = before.reference, list(before.notes)
    _check_ignored(model, monitoring)
    compared = [
        replace(each, importance=_importance(each.column, model, champion.version.importance))
        for each in drift.compare(rows, model.encoder, reference)
    ]
    tested = [replace(each, ignored=False) for each in compared if each.column not in monitoring.ignore]
    columns = adjusted(tested, monitoring, share=0.5)
    columns += [replace(each, ignored=True) for each in compared if each.column in monitoring.ignore]
    others: dict[str, Any] = {}
    if before.scores is not None:
        watched = model.task.watched(model.task.scores(new, "model"))
        others["scores"] = drift.compare_scores(before.scores, watched)
    if before.learnt is not None:
        others["domain"] = _compare_all(before.learnt, today, champion, reference, monitoring, notes)
    if reference.volume is not None and reference.span is not None:
        others["volume"] = drift.compare_volume(reference.volume, new["time"].to_numpy(), reference.span[1])
        if others["volume"] is None:
            notes.append("Too little time has passed to compare how many rows come.")
    done = {name: each for name, each in others.items() if each is not None}
    judged = dict(zip(done, adjusted(done.values(), monitoring, share=0.5), strict=True))
    found = Changes(columns, notes=notes, **judged)
    return replace(found, columns=_with_shares(found, rows, model, reference))


def _compare_all(
    learnt: pd.DataFrame,
    today: NewRows,
    champion: Champion,
    reference: Reference,
    monitoring: Monitoring,
    notes: list[str],
) -> findings.DomainDrift | None:
    """The classifier of all columns together; without one, `notes` say why."""
    model, dataset, dependence = champion.model, today.dataset, None
    try:
        encoded = [_encode(each, model, dataset, monitoring) for each in (learnt, today.own)]
    except DataError as error:
        notes.append(f"New rows as a whole were not compared with those of the training: {error}.")
        return None
    if dataset.time is not None:
        dependence = float(np.median([each.dependence for each in reference.columns]))
    found = classifier_test(encoded[0], encoded[1], monitoring.sample, _SEED, dependence)
    if found is None:
        notes.append(
            "Too few rows for the classifier that compares all columns, given their autocorrelation."
        )
    return found


def _importance(column: str, model: Artefact, measured: Mapping[str, Estimate]) -> Estimate | None:
    """Importance of a column, or the largest of those it is derived from, which were shuffled instead."""
    own = [measured[name] for name in model.derivation.inputs([column]) if name in measured]
    return max(own, key=lambda each: each.value, default=None)


def _with_shares(
    found: Changes, rows: pd.DataFrame, model: Artefact, reference: Reference
) -> list[findings.ColumnDrift]:
    """The columns, with shares of those that are drawn."""
    drawn = {each.column for each in found.drawn}
    encoded = {each.name: each for each in model.encoder.columns}
    kept = {each.name: each for each in reference.columns}
    return [
        replace(each, shares=describe_change(encoded[name], kept[name], rows[name]))
        if name in drawn
        else each
        for each in found.columns
        for name in [each.column]
    ]


def _check_ignored(model: Artefact, monitoring: Monitoring) -> None:
    known = [*model.encoder.inputs, *model.encoder.dropped]
    for name in monitoring.ignore:
        if name not in known:
            close = nearest(name, known)
            raise ConfigurationError(
                f"monitoring.ignore: {name!r} is no feature of the champion; "
                + (f"did you mean {close!r}?" if close else f"features are {', '.join(known[:10])}.")
            )


def _encode(rows: pd.DataFrame, model: Artefact, dataset: Dataset, monitoring: Monitoring) -> pd.DataFrame:
    """Input of the classifier: the compared columns in order of time, else one row of each group.

    Texts are left out: what they say of rows that were learnt from is surer than of new ones, so that a classifier
    tells both apart where nothing has changed. They are compared by their words.
    """
    if dataset.time is not None:
        rows = rows.sort_values(dataset.time, kind="stable")
    elif dataset.group is not None:
        rows = one_per_group(rows, dataset.group, _SEED)
    compared: list[EncodedColumn] = [
        column
        for column in model.encoder.columns
        if column.name not in monitoring.ignore and not isinstance(column, TextColumn)
    ]
    if not compared:
        raise DataError("the model reads nothing but texts, which are compared by their words")
    return Encoder(compared, {}).transform(rows)
