"""The classifier the rest of the project sees: frames in, probabilities out; torch is imported when it computes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.features.column_encoders import UNSEEN
from lepton_pipeline.model.architecture import Architecture
from lepton_pipeline.model.device import choose_device, cpu_threads, reproducible
from lepton_pipeline.model.epoch import Epoch
from lepton_pipeline.parameters import Training

if TYPE_CHECKING:
    from lepton_pipeline.model.network import Network

FORMAT = 1
DESCRIPTION, WEIGHTS = "model.json", "weights.safetensors"
HISTORY = ["epoch", "train_loss", "validation_log_loss", "validation_auc"]

Weights = dict[str, npt.NDArray[Any]]


def train_model(
    encoded: pd.DataFrame, split: pd.DataFrame, training: Training, on_epoch: Callable[..., None] | None = None
) -> tuple[TorchClassifier, pd.DataFrame]:
    """Fit the network on the training rows, stopped by the validation rows.

    Args:
        encoded: float32 numbers and int32 codes, one row per clean row.
        split: `part` and `label` of every row, indexed as `encoded`.
        training: the network and how it is fitted.
        on_epoch: called with an `Epoch` after every epoch.

    Returns:
        The fitted classifier, and its history: one row per epoch with the losses and the validation AUC.

    Raises:
        LeptonError: training diverged.
        ConfigurationError: the declared device is not there.
    """
    train, validation = (split.index[split["part"] == part] for part in ("train", "validation"))
    model = TorchClassifier(training).fit(
        encoded.loc[train],
        split.loc[train, "label"].to_numpy(),
        encoded.loc[validation],
        split.loc[validation, "label"].to_numpy(),
        on_epoch,
    )
    return model, model.history


class TorchClassifier:
    """A binary classifier over encoded rows.

    What is fitted is held as arrays and plain values; the torch module is built from them to predict.

    Args:
        training: the network and how it is fitted.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        self.history = pd.DataFrame(columns=HISTORY)
        self.numeric: list[str] = []
        self.categorical: list[str] = []
        self.architecture: Architecture | None = None
        self.trained: dict[str, Any] = {}
        self._weights: Weights = {}
        self._network: Network | None = None

    def fit(
        self,
        features: pd.DataFrame,
        labels: np.ndarray,
        validation_features: pd.DataFrame,
        validation_labels: np.ndarray,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> TorchClassifier:
        """Fit weights on training rows; keep those of the epoch with the lowest validation log loss.

        Args:
            features: training rows, [n, features]: float32 columns are numbers, int32 columns are category codes.
            labels: 0 or 1 for each training row, [n].
            validation_features: validation rows, with the same columns.
            validation_labels: 0 or 1 for each validation row.
            on_epoch: called after every epoch.

        Raises:
            LeptonError: training diverged.
            ConfigurationError: the declared device is not there.
        """
        import torch

        from lepton_pipeline.model.fit import Rows, fit
        from lepton_pipeline.model.network import Network

        training = self.training
        self.numeric = [str(name) for name in features.columns if features[name].dtype.kind == "f"]
        self.categorical = [str(name) for name in features.columns if features[name].dtype.kind != "f"]
        levels = tuple(max(int(features[name].max()), UNSEEN) + 1 for name in self.categorical)
        self.architecture = Architecture(len(self.numeric), levels, training.layers, training.width, training.dropout)
        device = choose_device(training.device)

        def rows(frame: pd.DataFrame, truth: np.ndarray) -> Rows:
            arrays = (*self._arrays(frame), truth.astype(np.float32))
            return Rows(*(torch.from_numpy(array).to(device) for array in arrays))

        with reproducible(training.seed, training.threads, device):
            network = Network(self.architecture).to(device)
            epochs = fit(
                network, rows(features, labels), rows(validation_features, validation_labels), training, on_epoch
            )
        self._weights = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
        self._network = None
        self.history = pd.DataFrame([astuple(epoch)[:4] for epoch in epochs], columns=HISTORY)
        best_epoch = max(epoch.number for epoch in epochs if epoch.best)
        self.trained = {
            "best_epoch": best_epoch,
            "device": device,
            "torch": str(torch.__version__),
            "rows": len(features),
        }
        return self

    def predict_proba(
        self, features: pd.DataFrame, device: Literal["auto", "cpu", "cuda"] = "cpu"
    ) -> npt.NDArray[np.float64]:
        """Estimate the probability of both classes, float64 [n, 2].

        On a CPU by default, wherever the model was trained: there a row gets the same bits alone, among other rows,
        and after `save` and `load`.

        Args:
            features: encoded rows with the columns of training, in any order.
            device: where to compute.

        Raises:
            DataError: columns are missing or unknown; the message names them.
            ConfigurationError: the device is not there.
        """
        import torch

        from lepton_pipeline.model.network import block_probabilities

        arrays = self._arrays(features)
        if len(features) == 0:
            return np.empty((0, 2))
        where = choose_device(device)
        with cpu_threads(self.training.threads):
            network = self._built().to(where)
            tensors = (torch.from_numpy(array).to(where) for array in arrays)
            positive = block_probabilities(network, *tensors).cpu().numpy()
        return np.column_stack([1 - positive, positive])

    @property
    def weights_sha256(self) -> str:
        """Hash of names, shapes, types and little-endian bytes of all weights."""
        digest = hashlib.sha256()
        for name, value in sorted(self._weights.items()):
            digest.update(f"{name} {value.shape} {value.dtype.name}\n".encode())
            digest.update(value.astype(value.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write `weights.safetensors`, and `model.json` with everything else."""
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        description = {
            "format": FORMAT,
            "architecture": asdict(self._fitted()),
            "numeric": self.numeric,
            "categorical": self.categorical,
            "training": self.training.model_dump(),
            "trained": self.trained,
            "weights_sha256": self.weights_sha256,
            "history": self.history.to_dict("list"),
        }
        text = json.dumps(description, indent=2, ensure_ascii=False)
        (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
        save_file(self._weights, folder / WEIGHTS)

    @classmethod
    def load(cls, folder: Path) -> TorchClassifier:
        """Read what `save` wrote; nothing is unpickled.

        Raises:
            DataError: the files were written by a later version, or the weights are not those that were saved.
        """
        from safetensors.numpy import load_file

        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        if description["format"] != FORMAT:
            raise DataError(
                f"{folder / DESCRIPTION} has format {description['format']!r}, this version reads {FORMAT}; "
                "use the version of lepton_pipeline that wrote it, or train again."
            )
        model = cls(Training(**description["training"]))
        shape = description["architecture"]
        model.architecture = Architecture(**shape | {"category_levels": tuple(shape["category_levels"])})
        model.numeric, model.categorical = description["numeric"], description["categorical"]
        model.trained = description["trained"]
        model.history = pd.DataFrame(description["history"])
        model._weights = load_file(folder / WEIGHTS)
        if model.weights_sha256 != description["weights_sha256"]:
            raise DataError(
                f"{folder / WEIGHTS} has hash {model.weights_sha256}, but {DESCRIPTION} says "
                f"{description['weights_sha256']}; "
                "the files are not of one model: save or copy both again."
            )
        return model

    def _fitted(self) -> Architecture:
        if self.architecture is None:
            raise DataError("the classifier has no weights yet; call fit or load first.")
        return self.architecture

    def _built(self) -> Network:
        """Build the torch module once."""
        import torch

        from lepton_pipeline.model.network import Network

        if self._network is None:
            with torch.random.fork_rng(devices=[]):
                self._network = Network(self._fitted())
            self._network.load_state_dict(
                {name: torch.from_numpy(value.copy()) for name, value in self._weights.items()}
            )
        return self._network

    def _arrays(self, features: pd.DataFrame) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        """Split encoded rows into numbers [n, numeric] and codes [n, categorical]; unknown codes count as unseen."""
        expected = [*self.numeric, *self.categorical]
        missing = [name for name in expected if name not in features.columns]
        unknown = [str(name) for name in features.columns if name not in expected]
        if missing or unknown:
            raise DataError(
                f"the columns are not those of training: missing {missing}, unknown {unknown}; "
                "encode the rows with the encoder that was fitted with this model."
            )
        # One row after the other in memory, whatever the frame's layout: BLAS would take another kernel otherwise.
        numeric = np.array(features[self.numeric], dtype=np.float32, order="C")
        codes = np.array(features[self.categorical], dtype=np.int32, order="C")
        levels = np.array(self._fitted().category_levels, dtype=np.int32)
        return numeric, np.where(codes < levels, codes, np.int32(UNSEEN))
