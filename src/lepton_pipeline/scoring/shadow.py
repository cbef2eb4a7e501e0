"""A second version that scores the same rows unseen, and how its scores differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.version import ModelVersion
from lepton_pipeline.scoring.chunk import SHADOW
from lepton_pipeline.scoring.result import ShadowInterval, ShadowRecord
from lepton_pipeline.tasks.task import Task

_INTERVALS = 10


@dataclass(frozen=True)
class Shadow:
    """A version that scores beside the one in use; nothing is decided by it."""

    model: Artefact
    version: ModelVersion


def require_readable(shadow: Shadow, model: Artefact, kinds: Mapping[str, str]) -> None:
    """Refuse a shadow whose columns are absent, or read as another kind than it learnt them.

    `kinds` are those that `model`, the one in use, has the rows read as. Raises DataError.
    """
    name, number = shadow.version.name, shadow.version.version
    problem = ""
    for column, kind in shadow.model.inputs.items():
        # The one in use could not score, either.
        if model.inputs.get(column) == kind:
            continue
        if (found := kinds.get(column)) is None:
            problem = f"needs column {column!r}, which the rows do not have"
        elif {kind, found} == {"number", "text"}:
            problem = f"learnt column {column!r} as {kind}, but it is read as {found}"
        if problem:
            raise DataError(
                f"{name}.scoring.shadow: version {number} {problem}; score without it: "
                f"--params {name}.scoring.shadow=null"
            )


def compare_shadow(scored: Iterable[pd.DataFrame], shadow: Shadow, task: Task) -> ShadowRecord:
    """Compare the scores of both versions over all rows, and by intervals of those in use.

    `scored` are the chunks of `score_input`; some 17 bytes a row are held. A score is the column
    `Task.compared_by` of a prediction.
    """
    parts = [pd.DataFrame({"score": np.empty(0), "other": np.empty(0), "changed": np.empty(0, bool)})]
    for rows in scored:
        others = rows[[name for name in rows if str(name).startswith(SHADOW)]]
        others = others.rename(columns=lambda name: str(name).removeprefix(SHADOW))
        made = {"score": rows[task.compared_by], "other": others[task.compared_by]}
        parts.append(pd.DataFrame({**made, "changed": task.changed(rows, others)}))
    held = pd.concat(parts, ignore_index=True)
    held["difference"] = held["other"] - held["score"]
    whole = None if held.empty else _figures(held)
    constant = held[["score", "other"]].nunique().min() < 2
    return ShadowRecord(
        version=shadow.version,
        compares=task.compared_by,
        changes=task.changes,
        rows=len(held),
        correlation=None if constant else float(np.corrcoef(held["score"], held["other"])[0, 1]),
        mean_difference=None if whole is None else whole.mean_difference,
        largest_difference=None if whole is None else whole.largest_difference,
        changed=int(held["changed"].sum()),
        share_changed=None if whole is None else whole.changed / whole.rows,
        intervals=[] if whole is None else _by_interval(held),
    )


def _by_interval(held: pd.DataFrame) -> list[ShadowInterval]:
    scores = held["score"].to_numpy()
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, _INTERVALS + 1)[1:-1]))
    places = np.searchsorted(edges, scores, side="right")
    return [_figures(rows) for _, rows in held.groupby(places)]


def _figures(rows: pd.DataFrame) -> ShadowInterval:
    return ShadowInterval(
        low=float(rows["score"].min()),
        high=float(rows["score"].max()),
        rows=len(rows),
        mean_difference=float(rows["difference"].mean()),
        largest_difference=float(rows["difference"].abs().max()),
        changed=int(rows["changed"].sum()),
    )
