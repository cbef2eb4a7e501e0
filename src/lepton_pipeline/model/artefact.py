"""A model as it is registered and served: derived columns, encoder, model and threshold in one folder, no pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.features.derive import Derivation
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.model.classifier import Classifier

FORMAT = 3


@dataclass(frozen=True)
class Artefact:
    """From raw rows to probability and decision.

    Attributes:
        derivation: makes the derived columns that the encoder reads.
        encoder: fitted on the training rows.
        classifier: trained on them.
        threshold: smallest probability that is decided as positive, chosen on the validation rows.
    """

    derivation: Derivation
    encoder: Encoder
    classifier: Classifier
    threshold: float

    @property
    def inputs(self) -> dict[str, str]:
        """Columns needed by `predict`, in order: "number", "text", "boolean", or "any" for one only derived from."""
        return {name: self.encoder.inputs.get(name, "any") for name in self.derivation.inputs(self.encoder.inputs)}

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Score raw rows.

        Args:
            rows: the columns of `inputs` as the vertical's table holds them; further ones are ignored.

        Returns:
            Indexed as `rows`: `probability` of the positive class (float64) and `decision` (bool).

        Raises:
            DataError: a column is missing or holds no numbers where it must; the message names it.
        """
        derived = self.derivation.apply(rows, self.encoder.inputs)
        probability = self.classifier.predict_proba(self.encoder.transform(derived))[:, 1]
        return pd.DataFrame({"probability": probability, "decision": probability >= self.threshold}, index=rows.index)

    def save(self, folder: Path) -> None:
        """Write the parts below `folder`."""
        self.encoder.save(folder / "encoder")
        self.classifier.save(folder / "model")
        description = {"format": FORMAT, "threshold": self.threshold, "derivation": self.derivation.to_dict()}
        (folder / "artefact.json").write_text(json.dumps(description, indent=2, ensure_ascii=False) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Artefact:
        """Read what `save` wrote.

        Raises:
            DataError: the files were written by another version.
        """
        file = folder / "artefact.json"
        description = json.loads(file.read_text("utf-8"))
        if description["format"] != FORMAT:
            raise DataError(
                f"{file} has format {description['format']!r}, this version reads {FORMAT}; "
                "use the version of lepton_pipeline that wrote it, or train again."
            )
        return cls(
            Derivation.from_dict(description["derivation"]),
            Encoder.load(folder / "encoder"),
            Classifier.load(folder / "model"),
            description["threshold"],
        )
