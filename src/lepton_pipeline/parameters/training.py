"""The model, how it is fitted, and how it is used on new rows."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from lepton_pipeline.parameters.base import Declaration, Fraction

# Network class by `training.model`.
MODELS = {
    "default": "lepton_pipeline.model.networks.members:Members",
    "mlp": "lepton_pipeline.model.networks.perceptron:Perceptron",
    "linear": "lepton_pipeline.model.networks.perceptron:Linear",
}


_OWN = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def _require_model(value: str) -> str:
    if value not in MODELS and not _OWN.fullmatch(value):
        raise ValueError(
            f"{value!r} is no model; choose one of {', '.join(MODELS)}, or a class of your own, package.module:Class"
        )
    return value


def require_address(value: str) -> str:
    """The address itself; ValueError unless it is HOST:PORT."""
    host, _, port = value.rpartition(":")
    if not host or not (port.isdecimal() and 0 < int(port) < 2**16):
        raise ValueError(f"{value!r} is no address; write HOST:PORT, such as 10.0.0.5:29400")
    return value


Address = Annotated[str, AfterValidator(require_address)]


class Ranks(Declaration):
    """Processes that fit every network together, each on its part of a step's rows.

    The results depend on how many there are, not on where they run.
    """

    processes: int | None = Field(
        None, ge=1, le=1024, description="on each machine; None: one a CUDA card, on a CPU one a core"
    )
    machines: int = Field(1, ge=1, le=1024, description="machines, this one included")
    address: Address | None = Field(
        None, description="torchrun: where other machines join, at this one; ray: the head of the cluster"
    )
    max_restarts: int = Field(0, ge=0, le=100, description="starts from the beginning after one has ended")
    timeout: int = Field(
        600, ge=1, description="seconds to wait for other machines, and for another rank within a step"
    )


class Training(Declaration):
    """The model and how it is fitted.

    None means: chosen by task, rows and columns of the table, see `model.defaults`. Sources are in docs/model.md.
    """

    model: Annotated[str, AfterValidator(_require_model)] = Field(
        "default",
        description="default: members, boosting and calibration; mlp, linear, package.module:Class: that network alone",
    )
    networks: int | None = Field(None, ge=1, le=64, description="networks; with folds, one for each")
    members: int = Field(4, ge=1, le=64, description="predictors in one network, with shared weights")
    bins: int = Field(16, ge=1, le=128, description="pieces of the piecewise-linear embedding of a number")
    embedding: int | None = Field(None, ge=1, le=128, description="numbers for a column's value")
    layers: int = Field(2, ge=1, le=8, description="hidden layers")
    width: int = Field(128, ge=1, le=4096, description="units a hidden layer")
    dropout: float = Field(0.2, ge=0, lt=1, description="fraction of hidden units dropped while training")
    epochs: int = Field(200, ge=1, description="most passes over the training rows")
    patience: int | None = Field(None, ge=1, description="epochs without improvement before stopping")
    batch_size: int | None = Field(None, ge=2, description="rows a step")
    learning_rate: float | None = Field(None, gt=0, description="step size of AdamW")
    weight_decay: float = Field(3e-4, ge=0, description="weight decay of AdamW, except biases and embeddings")
    class_weight: Literal["none", "balanced"] = Field(
        "none",
        description="balanced gives both classes the same total weight; probabilities then overstate the rarer",
    )
    # Excluded if as usual, to keep recorded declarations of others.
    loss: Literal["squared", "robust"] = Field(
        "squared",
        exclude_if=lambda loss: loss == "squared",
        description="of a regression; robust: large errors count in proportion, not squared (Huber)",
    )
    quantiles: bool = Field(
        False,
        exclude_if=lambda quantiles: not quantiles,
        description="learn both ends of a regression's interval, for rows that are unsure to different degrees",
    )
    boosting: bool | None = Field(None, description="blend with boosting; None: only for model default")
    calibrate: bool = Field(True, description="calibrate if it lowers held-out log loss, not by time")
    precision: Literal["auto", "fp32", "tf32", "bf16"] = Field(
        "auto",
        description="of matrix products on a CUDA card; auto: bf16 where the card has it; a CPU takes fp32",
    )
    cuda_graph: bool = Field(True, description="capture the training step on a CUDA card and replay it")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a CUDA card if there is one")
    threads: int = Field(1, ge=1, description="CPU threads of torch and of boosting")
    jobs: int | None = Field(
        None,
        ge=1,
        exclude_if=lambda jobs: jobs is None,
        description="processes that fit folds and networks; None: by cores, memory and rows; no result depends on it",
    )
    launcher: Literal["local", "torchrun", "ray"] = Field(
        "local",
        exclude_if=lambda launcher: launcher == "local",
        description="what starts the ranks that fit networks together; local: none, each network in one process",
    )
    ranks: Ranks = Field(
        Ranks(),
        exclude_if=lambda ranks: ranks == Ranks(),
        description="how many ranks, and where; not for launcher local",
    )
    seed: int = Field(7, ge=0, description="seed of weights, batches, boosting and baselines")

    @model_validator(mode="after")
    def _require_what_the_launcher_needs(self) -> Self:
        if self.launcher == "local" and self.ranks != Ranks():
            raise ValueError("ranks says how launcher torchrun or ray works; declare one, or leave ranks out")
        if self.launcher == "torchrun" and self.ranks.machines > 1 and self.ranks.address is None:
            raise ValueError(
                f"{self.ranks.machines} machines need ranks.address, HOST:PORT at this one, where the others join"
            )
        if self.launcher == "ray" and self.ranks.processes is None:
            raise ValueError("launcher ray needs ranks.processes, the number of processes on each machine")
        return self


class Scoring(Declaration):
    """How `kedro run --pipelines <vertical>_scoring` scores new rows."""

    input: str | None = Field(None, description="file or folder of the rows; None: the entry scoring_input")
    version: int | None = Field(None, ge=1, description="model version; None: the champion")
    reasons: int = Field(3, ge=0, description="columns that speak most for a row's score, named beside it")
    reasons_for: Literal["positive", "all"] = Field(
        "positive", description="rows with reasons: those decided as positive, or all (slower)"
    )
    unseen: Literal["stop", "warn"] = Field("stop", description="what to do with a batch of unseen values")
    unseen_share: Fraction = Field(0.5, description="share of such values, in a batch of at least 50 rows")
    chunk_rows: int = Field(20_000, ge=1, description="rows held in memory at once; they change no result")
    # Excluded if absent, to keep recorded declarations of others.
    shadow: Annotated[int, Field(ge=1)] | Literal["challenger"] | None = Field(
        None,
        exclude_if=lambda shadow: shadow is None,
        description="version scored beside it and compared: challenger, or its number; None: none",
    )
    # Excluded if as usual: where rows are scored changes none of them.
    engine: Literal["local", "ray"] = Field(
        "local",
        exclude_if=lambda engine: engine == "local",
        description="where chunks are scored: in this process, or on the nodes of a Ray cluster",
    )
    address: str | None = Field(
        None,
        exclude_if=lambda address: address is None,
        description="host:port of the Ray cluster; None: the variable RAY_ADDRESS",
    )
