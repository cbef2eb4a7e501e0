"""Rows of one source, in which some columns may change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.operations.monitoring.reference import Reference, describe_reference
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target

DATASET = Dataset(target="y", positive=1)


def draw(rows: int, seed: int, **changes: Callable[[pd.Series, np.random.Generator], Any]) -> pd.DataFrame:
    """Rows whose columns hang together, as those of real tables do."""
    random = np.random.default_rng(seed)
    size = random.normal(size=rows)
    table = pd.DataFrame(
        {
            "y": np.arange(rows) % 2,
            "size": size,
            "double": 2 * size + random.normal(scale=0.1, size=rows),
            "count": random.poisson(1.0, size=rows),
            "gappy": np.where(random.random(rows) < 0.2, np.nan, random.exponential(size=rows)),
            "heavy": random.standard_cauchy(size=rows),
            "city": random.choice(["Oslo", "Rome", "Bern"], size=rows, p=[0.6, 0.3, 0.1]),
            "code": [f"c{number}" for number in random.zipf(1.6, size=rows)],
        }
    )
    return table.assign(**{name: change(table[name], random) for name, change in changes.items()})


def learn(
    table: pd.DataFrame, dataset: Dataset = DATASET, scores: np.ndarray | None = None
) -> tuple[Encoder, Any]:
    """Encoder and reference of rows that a model would have learnt from, through JSON as they are kept."""
    import json

    encoder = Encoder.fit(table, dataset)
    split = pd.DataFrame({"part": "train"}, index=table.index)
    given = np.linspace(0.01, 0.99, 200) if scores is None else scores
    tested = pd.DataFrame({"part": "test", "label": 0, "model": given})
    stored = describe_reference(table, split, tested, Target(Binary()), encoder, dataset)
    return encoder, Reference.from_dict(json.loads(json.dumps(stored)))
