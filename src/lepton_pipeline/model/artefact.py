"""A model as it is registered and served: encoder, network and threshold in one folder, no pickle among its files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.model.estimator import TorchClassifier

FORMAT = 1


@dataclass(frozen=True)
class Artefact:
    """From raw rows to probability and decision.

    Attributes:
        encoder: fitted on the training rows.
        classifier: trained on them.
        threshold: smallest probability that is decided as positive, chosen on the validation rows.
    """

    encoder: Encoder
    classifier: TorchClassifier
    threshold: float

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Score raw rows.

        Args:
            rows: the columns of `encoder.inputs` as the vertical's table holds them; further ones are ignored.

        Returns:
            Indexed as `rows`: `probability` of the positive class (float64) and `decision` (bool).

        Raises:
            DataError: a column is missing or holds no numbers where it must; the message names it.
        """
        probability = self.classifier.predict_proba(self.encoder.transform(rows))[:, 1]
        return pd.DataFrame({"probability": probability, "decision": probability >= self.threshold}, index=rows.index)

    def save(self, folder: Path) -> None:
        """Write the parts below `folder`."""
        self.encoder.save(folder / "encoder")
        self.classifier.save(folder / "network")
        (folder / "artefact.json").write_text(
            json.dumps({"format": FORMAT, "threshold": self.threshold}, indent=2) + "\n"
        )

    @classmethod
    def load(cls, folder: Path) -> Artefact:
        """Read what `save` wrote."""
        threshold = json.loads((folder / "artefact.json").read_text())["threshold"]
        return cls(Encoder.load(folder / "encoder"), TorchClassifier.load(folder / "network"), threshold)
