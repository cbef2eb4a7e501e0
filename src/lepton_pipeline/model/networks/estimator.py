"""The networks as an estimator over frames; torch is imported on use."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median_high
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.features.column_encoders import UNSEEN
from lepton_pipeline.model.folds import Fold, Plan
from lepton_pipeline.model.networks import defaults
from lepton_pipeline.model.networks.shape import Epoch, Shape
from lepton_pipeline.parameters import MODELS, Training
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.system.descriptions import hash_arrays, read_description, write_arrays, write_description
from lepton_pipeline.system.device import choose_device, choose_precision, cpu_threads
from lepton_pipeline.system.records import from_plain
from lepton_pipeline.system.workers import Pool, Steps, run_steps
from lepton_pipeline.tasks.task import Task

if TYPE_CHECKING:
    from lepton_pipeline.model.networks.network import Network

FORMAT = 2
DESCRIPTION, WEIGHTS = "networks.json", "weights.safetensors"
Weights = dict[str, npt.NDArray[Any]]
# Of `Ranks`: how they meet, which changes nothing.
_WHERE = {"machines", "address", "max_restarts", "timeout"}


class TorchNetworks:
    """Networks over encoded rows, of which the mean is taken: of probabilities, or of predictions.

    The fitted state is arrays and plain values; the torch module is built from them to predict.
    """

    def __init__(self, training: Training, task: Task) -> None:
        self.training, self.task = training, task
        self.history = pd.DataFrame(columns=self._history)
        self.numeric: list[str] = []
        self.categorical: list[str] = []
        self.shape: Shape | None = None
        self.trained: dict[str, Any] = {}
        self._weights: Weights = {}
        self._network: Network | None = None

    def fit(
        self,
        features: pd.DataFrame,
        labels: np.ndarray,
        plan: Plan,
        on_epoch: Callable[[Epoch], None] | None = None,
        weights: np.ndarray | None = None,
    ) -> Floats:
        """Fit as `steps` does, one network after the other; `on_epoch` follows every epoch."""
        steps = self.steps(features, labels, plan, weights)
        found: Floats = run_steps(Pool(1), steps, report=on_epoch or (lambda epoch: None))[0]
        return found

    def steps(
        self, features: pd.DataFrame, labels: np.ndarray, plan: Plan, weights: np.ndarray | None = None
    ) -> Steps:
        """Fit networks by a plan; each keeps the epoch with the lowest loss of its held-out rows.

        Every `Epoch` is reported. `features` are float32 numbers and int32 codes, `labels` those of the task, [n];
        the plan's positions are those of `features`; `weights` [n] say how much rows count. Returns out-of-fold
        results of `Task.combine`, float64 [n] or [n, outputs], NaN for rows never held out. Raises LeptonError if
        training diverges, ConfigurationError if the declared device or precision is not available.
        """
        import torch

        from lepton_pipeline.model.networks.fit import Spec, network_steps
        from lepton_pipeline.model.networks.network import find_architecture
        from lepton_pipeline.model.networks.ranks import rank_steps
        from lepton_pipeline.model.networks.step import Rows

        training = self.training
        # By name: the order in which columns come changes nothing then.
        self.numeric = sorted(str(name) for name in features.columns if features[name].dtype.kind == "f")
        self.categorical = sorted(str(name) for name in features.columns if features[name].dtype.kind != "f")
        self.shape = self._shape(features, plan.everything)
        device = choose_device(training.device)
        precision = choose_precision(training.precision, device)
        resolved = training.model_copy(update={"precision": precision})
        arrays = [*self._arrays(features), self.task.targets(labels)]
        if weights is not None:
            arrays.append(weights.astype(np.float32))
        local = training.launcher == "local"
        # Ranks put them on cards of their own.
        rows = Rows(*(torch.from_numpy(array).to(device if local else "cpu") for array in arrays))
        fit = network_steps if local else partial(rank_steps, device=device)
        every = self.folds(plan)
        # How long to fit with averaged weights is much the same for all networks, so that half of them find it.
        folds = every[: -(-len(every) // 2)] if plan.refit and self.task.averaged else every
        fitted = yield from fit(Spec(self.shape, self.task, resolved), rows, folds)
        epochs, ranks = fitted.epochs, fitted.ranks
        self._keep(fitted.state, len(folds))
        scores = self._score_held_out(features, folds)
        # Epochs of a network come in order, so the latest best one remains.
        latest = {epoch.network: epoch.number for epoch in epochs if epoch.best}
        best = [latest[number] for number in range(1, len(folds) + 1)]
        if plan.refit:
            longer = resolved.model_copy(update={"epochs": median_high(best)})
            everything = [Fold(plan.everything, np.empty(0, dtype=np.int64))] * len(every)
            fitted = yield from fit(Spec(self.shape, self.task, longer), rows, everything)
            self._keep(fitted.state, len(every))
        # The fields of an `Epoch` but the last, `best`.
        self.history = pd.DataFrame(
            [tuple(vars(epoch).values())[:-1] for epoch in epochs], columns=self._history
        )
        self.trained |= {
            "best_epochs": best,
            "refit": plan.refit,
            "plan": plan.kind,
            "device": device,
            "precision": precision,
            "torch": str(torch.__version__),
            "rows": len(plan.everything),
        }
        if not local:
            self.trained["ranks"] = ranks
        if training.model not in MODELS:
            source = inspect.getsourcefile(find_architecture(training.model))
            self.trained["code_sha256"] = hashlib.sha256(Path(str(source)).read_bytes()).hexdigest()
        return scores

    def folds(self, plan: Plan) -> list[Fold]:
        """The fold of each network; several share a single one."""
        if len(plan.folds) > 1:
            return plan.folds
        usual = defaults.networks_by_time(len(plan.everything)) if plan.refit else 1
        return plan.folds * (self.training.networks or usual)

    def predict(self, features: pd.DataFrame) -> Floats:
        """Mean of the networks, float64 [n] or [n, outputs], for encoded rows with columns in any order.

        A row gets the same bits alone, among other rows, and after `save` and `load`. A `DataError` names
        missing or unknown columns.
        """
        self._network = self._network or self._build(slice(None))
        mean: Floats = self._combined(features, self._network).mean(axis=0)
        return mean

    @property
    def weights(self) -> Mapping[str, npt.NDArray[Any]]:
        """Parameters and buffers of the torch module by name, those of all networks; parameters networks first."""
        return self._weights

    @property
    def weights_sha256(self) -> str:
        """Hash of all weights, see `hash_arrays`."""
        return hash_arrays(self._weights)

    def save(self, folder: Path) -> None:
        """Write `weights.safetensors`, and `networks.json` with the rest."""
        description = {
            "format": FORMAT,
            "shape": asdict(self.fitted_shape),
            "numeric": self.numeric,
            "categorical": self.categorical,
            # No result depends on how many processes there were, but on how many ranks.
            "training": self.training.model_dump(exclude={"jobs": True, "ranks": _WHERE}),
            "trained": self.trained,
            "weights_sha256": self.weights_sha256,
            "history": self.history.to_dict("list"),
        }
        write_description(folder / DESCRIPTION, description)
        write_arrays(folder / WEIGHTS, self._weights)

    @classmethod
    def load(cls, folder: Path, task: Task) -> TorchNetworks:
        """Read what `save` wrote; `DataError` on another format, or on altered weights."""
        from safetensors.numpy import load_file

        description = read_description(folder / DESCRIPTION, FORMAT)
        model = cls(Training(**description["training"]), task)
        model.shape = from_plain(Shape, description["shape"], DESCRIPTION)
        model.numeric, model.categorical = description["numeric"], description["categorical"]
        model.trained = description["trained"]
        model.history = pd.DataFrame(description["history"])
        model._weights = load_file(folder / WEIGHTS)
        if model.weights_sha256 != description["weights_sha256"]:
            raise DataError(
                f"{folder / WEIGHTS} has hash {model.weights_sha256}, but {DESCRIPTION} says "
                f"{description['weights_sha256']}; the files are not of one model: save or copy both again."
            )
        return model

    @property
    def _history(self) -> list[str]:
        return ["network", "epoch", "train_loss", *(f"validation_{curve}" for curve in self.task.curves)]

    def _shape(self, features: pd.DataFrame, seen: npt.NDArray[np.intp]) -> Shape:
        training = self.training
        return Shape(
            numeric=len(self.numeric),
            category_levels=tuple(
                max(int(features[name].to_numpy()[seen].max()), UNSEEN) + 1 for name in self.categorical
            ),
            members=training.members,
            bins=training.bins,
            embedding=training.embedding or defaults.embedding(len(features.columns)),
            layers=training.layers,
            width=training.width,
            dropout=training.dropout,
            outputs=self.task.outputs,
            margins=self._margins(),
        )

    def _margins(self) -> tuple[int, ...]:
        """Places of columns that a text gave for every class, see `TextColumn.encoded_names`."""
        classes, places = self.task.score_names, {name: place for place, name in enumerate(self.numeric)}
        if self.task.outputs != len(classes) or len(classes) < 2:
            return ()
        ends = f": {classes[0]}"
        texts = [name.removesuffix(ends) for name in self.numeric if name.endswith(ends)]
        of_all = [[f"{text}: {each}" for each in classes] for text in texts]
        return tuple(
            places[name] for names in of_all if all(name in places for name in names) for name in names
        )

    def _keep(self, state: Weights, networks: int) -> None:
        self._weights, self._network = state, None
        self.trained = {"networks": networks}

    def _score_held_out(self, features: pd.DataFrame, folds: list[Fold]) -> Floats:
        several = (self.task.outputs,) if self.task.outputs > 1 else ()
        total, count = np.zeros((len(features), *several)), np.zeros(len(features))
        for index, fold in enumerate(folds):
            network = self._build(slice(index, index + 1))
            total[fold.held_out] += self._combined(features.iloc[fold.held_out], network)[0]
            count[fold.held_out] += 1
        scores: Floats = np.full(total.shape, np.nan)
        scores[count > 0] = total[count > 0] / count[count > 0].reshape(-1, *[1] * len(several))
        return scores

    def _combined(self, features: pd.DataFrame, network: Network) -> Floats:
        """The members' mean by each network, [networks, n] or [networks, n, outputs]."""
        import torch

        from lepton_pipeline.model.networks.network import combine_blocks

        numeric, codes = (torch.from_numpy(array)[None] for array in self._arrays(features))
        with cpu_threads(self.training.threads):
            return np.asarray(combine_blocks(network, numeric, codes, self.task.combine))

    @property
    def fitted_shape(self) -> Shape:
        """Shape of every network; DataError before they are fitted."""
        if self.shape is None:
            raise DataError("the networks have no weights yet; call fit or load first.")
        return self.shape

    def _build(self, chosen: slice) -> Network:
        """Build the torch module of the chosen networks."""
        import torch

        from lepton_pipeline.model.networks.network import find_architecture

        shape = self.fitted_shape
        count = len(range(self.trained["networks"])[chosen])
        with torch.random.fork_rng(devices=[]):
            network = find_architecture(self.training.model)(shape, count)
        own = dict(network.named_parameters())
        arrays = {name: value[chosen] if name in own else value for name, value in self._weights.items()}
        network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in arrays.items()})
        return network

    def _arrays(self, features: pd.DataFrame) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        """Split encoded rows into numbers and codes, [n, columns]; unknown codes count as unseen."""
        expected = [*self.numeric, *self.categorical]
        missing = [name for name in expected if name not in features.columns]
        unknown = [str(name) for name in features.columns if name not in expected]
        if missing or unknown:
            raise DataError(
                f"the columns are not those of training: missing {missing}, unknown {unknown}; "
                "encode the rows with the encoder that was fitted with this model."
            )
        # Row-major, whatever the frame's layout: BLAS chooses its kernel by it.
        numeric = np.array(features[self.numeric], dtype=np.float32, order="C")
        codes = np.array(features[self.categorical], dtype=np.int32, order="C")
        levels = np.array(self.fitted_shape.category_levels, dtype=np.int32)
        return numeric, np.where(codes < levels, codes, np.int32(UNSEEN))
