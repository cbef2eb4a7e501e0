"""One case with other values: its prediction before and after, and over all values of a column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.errors import ConfigurationError, did_you_mean
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.attribution import MISSING
from lepton_pipeline.notebook.pictures import Picture
from lepton_pipeline.reporting.pictures.curves import around
from lepton_pipeline.reporting.pictures.page import EDGE, picture
from lepton_pipeline.reporting.pictures.quality import as_percent
from lepton_pipeline.reporting.pictures.svg import Axis, Chart, shorten, written_up_to
from lepton_pipeline.reporting.report.formats import percent, quantity

_SHOWN, _QUANTILES, _CATEGORIES, _NAMES = 8, 25, 12, 14
# Beyond these quantiles a column has few rows to say anything.
_ENDS = 0.01, 0.99
_SIZE = 620, 250


@dataclass(frozen=True)
class WhatIf:
    """A case, what it would be with other values, and why it is what it is.

    `predictions` are two rows, "as it is" and "changed". `values` are the changed columns, then those that move the
    prediction most: the value, the typical value, and what their difference adds, see `Task.explained`.
    """

    title: str
    predictions: pd.DataFrame
    values: pd.DataFrame
    picture: Picture

    def _repr_html_(self) -> str:
        predictions, values = (_written(table) for table in (self.predictions, self.values))
        return (
            f"<p><strong>{escape(self.title)}</strong></p>{predictions}{self.picture._repr_html_()}{values}"
        )


def ask_what_if(
    artefact: Artefact, table: pd.DataFrame, case: Any, change: Mapping[str, Any] | None, version: str
) -> WhatIf:
    """Predict the row `case` of `table` as it is, and with the values of `change`; see `OpenVertical.what_if`.

    Raises ConfigurationError if the model does not read a column of `change`, DataError if it cannot use a value.
    """
    inputs = list(artefact.inputs)
    if unknown := [name for name in change or () if name not in inputs]:
        hint = did_you_mean(unknown[0], inputs)
        raise ConfigurationError(
            f"the model reads no column {unknown[0]!r}; {hint}it reads {', '.join(inputs)}."
        )
    row = table.loc[[case], inputs]
    effects = artefact.effects(row).iloc[0].sort_values(key=abs, ascending=False, kind="stable")
    first = str(effects.index[0])
    change = dict(change or {first: artefact.reference[first]})
    changed = row.assign(**{name: [value] for name, value in change.items()})
    predictions = pd.concat([artefact.predict(row), artefact.predict(changed)])
    predictions.index = pd.Index(["as it is", "changed"])
    shown = list(dict.fromkeys([*change, *effects.index[:_SHOWN]]))
    values = pd.DataFrame(
        {
            "value": [artefact.shown(name, row[name].iloc[0]) for name in shown],
            "changed to": [artefact.shown(name, change[name]) if name in change else "" for name in shown],
            "typical": [artefact.shown(name, artefact.reference[name]) for name in shown],
            "effect in log-odds" if artefact.task.explains_probability else "effect": effects[
                shown
            ].to_numpy(),
        },
        index=pd.Index(shown),
    )
    place = int(artefact.task.explained_place(artefact.scores(row))[0])
    asked = ", ".join(f"{name} = {artefact.shown(name, value)}" for name, value in change.items())
    title = f"{version}: row {case}, and what if {asked}?"
    return WhatIf(title, predictions, values, _draw(artefact, row, table, next(iter(change)), place))


def _written(table: pd.DataFrame) -> str:
    names = table.style.format_index(escape="html").format_index(escape="html", axis=1)
    return str(names.format(_cell).to_html())


def _cell(value: object) -> str:
    if isinstance(value, float):
        return quantity(value) if isfinite(value) else MISSING
    return escape(str(value))


def _draw(artefact: Artefact, row: pd.DataFrame, table: pd.DataFrame, column: str, place: int) -> Picture:
    """The prediction of the row with each of the values that a column has, and the row's own."""
    tried, named = _values(artefact, table[column], row[column].iloc[0])
    rows = pd.concat([row] * len(tried), ignore_index=True).assign(**{column: tried})
    levels, own = _levels(artefact, rows, place), _levels(artefact, row, place)[0]
    task = artefact.task
    of = task.effect_names[place] if task.outputs > 1 and task.explains_probability else ""
    if task.explains_probability:
        what, written = f"Probability of {shorten(of, 30)}" if of else "Probability", as_percent
        up = Axis(0.0, 1.05 * max(own, *levels), what, written=written, most=4)
        said = percent(own)
    else:
        low, high = around([own, *levels])
        up = Axis(low, high, task.level_name.capitalize(), written=written_up_to(max(-low, high)), most=4)
        said = quantity(own)
    if named:
        ticks = tuple((at + 0.5, shorten(name, _NAMES)) for at, name in enumerate(named))
        chart = Chart(Axis(0, len(named), ticks=ticks, slanted=True), up, *_SIZE)
        places = [at for at, _ in ticks]
    else:
        places = [float(value) for value in tried]
        low, high = min(places), max(places)
        chart = Chart(Axis(low, high, column, written=written_up_to(max(-low, high))), up, *_SIZE)
        chart.line(places, levels, "s0")
    chart.level(own, "limit")
    chart.dots(places, levels, "s0")
    title = f"The same row with other values of {shorten(column, 40)}"
    subtitle = (
        f"All other columns stay as they are; dashed: the row as it is, {said}; associations, not causes"
    )
    return Picture(title, picture(title, subtitle, "", _SIZE[1], [chart.placed(EDGE, 0, _SIZE[0])]))


def _values(artefact: Artefact, column: pd.Series, own: Any) -> tuple[list[Any], list[str]]:
    """Values to try: quantiles of numbers and the row's `own`, else the most frequent values with their names."""
    known = column.dropna()
    distinct = known.nunique()
    if str(column.name) in artefact.numbers and distinct > _CATEGORIES:
        low, high = known.quantile(_ENDS)
        inside = known[known.between(low, high)]
        quantiles = inside.quantile(np.linspace(0, 1, _QUANTILES), interpolation="nearest")
        return np.unique([*quantiles, *([] if pd.isna(own) else [own])]).tolist(), []
    tried = known.value_counts().index[:_CATEGORIES].tolist()
    if str(column.name) in artefact.numbers:
        tried = sorted(tried)
    return tried, [artefact.shown(str(column.name), value) for value in tried]


def _levels(artefact: Artefact, rows: pd.DataFrame, place: int) -> list[float]:
    scores = artefact.scores(rows)
    return [float(each) for each in (scores if scores.ndim == 1 else scores[:, place])]
