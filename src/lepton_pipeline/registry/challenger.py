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
    """A version at the gate: registration, test scores, threshold, and rows with their declared split."""

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
    """Check a challenger against the champion, both scored on its test rows, see `check_champion`.

    Rows that the champion was trained on are left out. The champion scores with its own columns, encoder,
    weights and threshold; where it cannot be compared, the check fails.
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
        diff = f"compare: kedro champion diff {name} champion challenger"
        return replace(check, next=f"declare gate.margin if as good is good enough; {diff}")
    advice = repeat_advice(dataset) if len(rows) < len(unseen) else ""
    return replace(check, next=f"{advice}{advice and '; '}{way_past}")
