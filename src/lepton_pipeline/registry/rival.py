"""Compare a challenger with the champion, both scored now on rows that neither has learnt from."""

from __future__ import annotations

from typing import Any

import pandas as pd

from lepton_pipeline.data.training_rows import again_advice, unseen_rows
from lepton_pipeline.errors import LeptonError
from lepton_pipeline.evaluation.gate_checks import NEW, NEW_BY_VALUES, Check, check_champion, incomparable
from lepton_pipeline.evaluation.resampling import resampling_units
from lepton_pipeline.parameters import Dataset, Evaluation, Gate, Split
from lepton_pipeline.registry.versions import load_artefact, load_training_rows


def compare_with_champion(
    client: Any,
    registration: dict[str, Any],
    champion: int,
    scores: pd.DataFrame,
    threshold: float,
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    dataset: Dataset,
    declared: Split,
    evaluation: Evaluation,
    gate: Gate,
) -> Check:
    """Check a challenger against the champion.

    The test rows are the challenger's, so it has learnt from none of them; those that the champion has learnt from are
    left out. The champion is scored by its own artefact: its columns, encoder, weights and threshold.

    Args:
        client: of the registry.
        registration: what `register_model` returns.
        champion: version that has the alias now.
        scores: of the challenger; see `evaluate`.
        threshold: of the challenger.
        feature_table: rows of the vertical.
        split: their `part` and `label`.
        dataset: names id, time and group.
        declared: how rows are divided.
        evaluation: resamples.
        gate: metric and margin.

    Returns:
        See `check_champion`; a champion that cannot be compared is a check that failed.
    """
    name = registration["name"]
    way_past = (
        f"to replace it all the same: kedro champion promote {name} {registration['version']} --force --reason TEXT"
    )
    try:
        artefact = load_artefact(client, name, champion)
        unseen = unseen_rows(load_training_rows(client, name, champion), feature_table, split, dataset, declared)
        rows = unseen.index[unseen]
        theirs = artefact.predict(feature_table.loc[rows])["probability"]
    except LeptonError as error:
        return incomparable(champion, str(error).rstrip(".")) | {"next": way_past}
    compared = pd.DataFrame(
        {"label": split.loc[rows, "label"], "challenger": scores.loc[rows, "model"], "champion": theirs}
    )
    thresholds = {"challenger": threshold, "champion": artefact.threshold}
    units = resampling_units(feature_table.loc[rows], dataset)
    new = NEW if dataset.id is not None else NEW_BY_VALUES
    check = check_champion(compared, thresholds, champion, gate, evaluation, units, new)
    if check["passed"]:
        return check
    if "value" in check:
        advice = (
            f"declare gate.margin if as good is good enough; compare: kedro champion diff {name} champion challenger"
        )
        return check | {"next": advice}
    advice = again_advice(dataset) if len(rows) < len(unseen) else ""
    return check | {"next": f"{advice}{advice and '; '}{way_past}"}
