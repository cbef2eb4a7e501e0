"""Compare a challenger with the champion, both scored now on rows that neither has learnt from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from lepton_pipeline.data.training_rows import repeat_advice, unseen_rows
from lepton_pipeline.errors import LeptonError
from lepton_pipeline.evaluation.decision import Check
from lepton_pipeline.evaluation.gate_checks import NEW, NEW_BY_VALUES, check_champion, incomparable
from lepton_pipeline.evaluation.resampling import resampling_units
from lepton_pipeline.parameters import Dataset, Evaluation, Gate, Split
from lepton_pipeline.registry.registration import Registration
from lepton_pipeline.registry.versions import load_artefact, load_training_rows


@dataclass(frozen=True)
class Challenger:
    """A version at the gate.

    Attributes:
        registration: the version.
        scores: of its model, see `evaluate`.
        threshold: from which on it decides for the positive class.
        feature_table: rows of the vertical.
        split: their `part` and `label`.
        dataset: names id, time and group.
        declared_split: how rows are divided.
    """

    registration: Registration
    scores: pd.DataFrame
    threshold: float
    feature_table: pd.DataFrame
    split: pd.DataFrame
    dataset: Dataset
    declared_split: Split


def compare_with_champion(
    client: Any, challenger: Challenger, champion: int, evaluation: Evaluation, gate: Gate
) -> Check:
    """Check a challenger against the champion.

    The test rows are the challenger's, so it has learnt from none of them; those that the champion has learnt
    from are left out. The champion is scored by its own artefact: its columns, encoder, weights and
    threshold.

    Args:
        client: of the registry.
        challenger: the version at the gate.
        champion: version that has the alias now.
        evaluation: resamples.
        gate: metric and margin.

    Returns:
        See `check_champion`; a champion that cannot be compared is a check that failed.
    """
    name, dataset, table = challenger.registration.name, challenger.dataset, challenger.feature_table
    version = challenger.registration.version
    way_past = f"to replace it all the same: kedro champion promote {name} {version} --force --reason TEXT"
    try:
        artefact = load_artefact(client, name, champion)
        learnt = load_training_rows(client, name, champion)
        unseen = unseen_rows(learnt, table, challenger.split, dataset, challenger.declared_split)
        rows = unseen.index[unseen]
        theirs = artefact.predict(table.loc[rows])["probability"]
    except LeptonError as error:
        return replace(incomparable(champion, str(error).rstrip(".")), next=way_past)
    labels, ours = challenger.split.loc[rows, "label"], challenger.scores.loc[rows, "model"]
    compared = pd.DataFrame({"label": labels, "challenger": ours, "champion": theirs})
    thresholds = {"challenger": challenger.threshold, "champion": artefact.threshold}
    units = resampling_units(table.loc[rows], dataset)
    new = NEW if dataset.id is not None else NEW_BY_VALUES
    check = check_champion(compared, thresholds, champion, gate, evaluation, units, new)
    if check.passed:
        return check
    if check.value is not None:
        advice = "declare gate.margin if as good is good enough; "
        advice += f"compare: kedro champion diff {name} champion challenger"
        return replace(check, next=advice)
    advice = repeat_advice(dataset) if len(rows) < len(unseen) else ""
    return replace(check, next=f"{advice}{advice and '; '}{way_past}")
