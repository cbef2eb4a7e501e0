"""What a trained model is made of, and what it costs to run."""

from __future__ import annotations

from pathlib import Path
from time import process_time

import pandas as pd

from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.registry.registration import Composition

_ROWS = 1000


def describe_composition(artefact: Artefact, table: pd.DataFrame, rows: int, folder: Path) -> Composition:
    """Count the parts of a model that has learnt from so many rows and lies in `folder`.

    Its first 1,000 rows of `table` are predicted twice, and the second time is measured.
    """
    model = artefact.predictor
    network, calibration = model.network, model.calibration
    sample = table[list(artefact.inputs)].head(_ROWS)
    artefact.predict(sample)
    started = process_time()
    artefact.predict(sample)
    seconds = process_time() - started
    line = "line" if calibration.intercept else "temperature" if calibration.slope != 1 else "none"
    return Composition(
        numbers=len(network.numeric),
        categories=len(network.categorical),
        networks=network.trained["networks"],
        members=network.shape.members if network.shape else 1,
        weights=sum(array.size for array in network.weights.values()),
        trees=sum(len(trees.leaves) for trees in model.boosting),
        leaves=sum(len(trees.leaf_values) for trees in model.boosting),
        correction=line,
        rows=rows,
        bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        row_seconds=seconds / max(len(sample), 1),
    )
