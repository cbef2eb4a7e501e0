"""The space of a search: which keys of `training` are tried, and within which bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lepton_pipeline.errors import ConfigurationError, did_you_mean
from lepton_pipeline.model.networks import defaults
from lepton_pipeline.parameters import Training

if TYPE_CHECKING:
    from optuna.trial import Trial

Value = float | int | bool
_DIGITS = 3  # of what is suggested and written; more are noise
# What each network of `MODELS` reads; a class of one's own may read all.
_KEYS = {
    "mlp": ("learning_rate", "weight_decay", "dropout", "layers", "width", "embedding"),
    "linear": ("learning_rate", "weight_decay"),
}
USUAL = ("learning_rate", "weight_decay", "dropout", "layers", "width", "bins", "embedding")
# Only on request: they change the cost of a training more than its quality, or leave out a part of the model.
OTHERS = ("members", "batch_size", "boosting")
_OF_ALL = ("batch_size", "boosting")


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones in steps, others by their logarithm if asked for."""

    low: float
    high: float
    step: int | None = None
    log: bool = False

    def holding(self, declared: float) -> Range:
        """The range moved or widened so that a declared value is one of its own."""
        if self.step is None:
            return Range(min(self.low, declared), max(self.high, declared), None, self.log)
        down, up = max(declared - self.low, 0) // self.step, max(self.high - declared, 0) // self.step
        return Range(declared - down * self.step, declared + up * self.step, self.step)

    def suggest(self, trial: Trial, key: str) -> None:
        """Let a trial take a value."""
        if self.step is None:
            trial.suggest_float(key, self.low, self.high, log=self.log)
        else:
            trial.suggest_int(key, int(self.low), int(self.high), step=self.step)


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    values: tuple[int, ...]

    def suggest(self, trial: Trial, key: str) -> None:
        """Let a trial take a value."""
        trial.suggest_categorical(key, self.values)


@dataclass(frozen=True)
class Space:
    """Keys that are tried, each with its bounds, and the value that each has as declared."""

    bounds: Mapping[str, Range | Choice]
    declared: Mapping[str, Value]

    def suggest(self, trial: Trial) -> dict[str, Value]:
        """Let a trial take a value of every key; returns the `changes`."""
        for key, each in self.bounds.items():
            each.suggest(trial, key)
        return self.changes(trial.params)

    def changes(self, suggested: Mapping[str, Value]) -> dict[str, Value]:
        """What is suggested, of three digits, where it differs from what is declared."""
        found = {key: rounded(suggested[key]) for key in self.bounds}
        return {key: value for key, value in found.items() if value != rounded(self.declared[key])}


def make_space(
    training: Training, keys: Sequence[str], *, columns: int, rows: int, averaged: bool = False
) -> Space:
    """Bounds of `keys`, or of the usual ones, around the declared values.

    `columns` are those of the encoded table, `rows` those that a network learns from; with `Task.averaged` they
    decide what is meant by a key left open. Raises ConfigurationError for a key that cannot be tried, or that the
    declared model does not read.
    """
    usual = _KEYS.get(training.model, USUAL)
    read = (*usual, *(key for key in OTHERS if key in _OF_ALL or training.model not in _KEYS))
    for key in keys:
        if key not in read:
            raise ConfigurationError(
                f"--keys: {key!r} cannot be tuned for training.model {training.model!r}; "
                f"{did_you_mean(key, read)}choose among {', '.join(read)}."
            )
    chosen = tuple(dict.fromkeys(keys)) or usual
    declared = _resolved(training, columns, rows, averaged=averaged)
    all_bounds = _bounds(declared)
    return Space({key: all_bounds[key] for key in chosen}, {key: declared[key] for key in chosen})


def rounded(value: Value) -> Value:
    """A number with three significant digits; whole numbers and truth values as they are.

    >>> rounded(0.00123456), rounded(192), rounded(True)
    (0.00123, 192, True)
    """
    return value if isinstance(value, int) else float(f"{value:.{_DIGITS}g}")


def apply_changes(training: Training, changes: Mapping[str, Value]) -> Training:
    """The training with some keys changed, validated as a declaration is."""
    return Training.model_validate(training.model_dump() | dict(changes))


def _resolved(training: Training, columns: int, rows: int, *, averaged: bool) -> dict[str, Value]:
    """Values as they are used: what is left open is chosen by task, columns and rows."""
    batch = training.batch_size or defaults.batch_size(rows)
    return {
        "learning_rate": training.learning_rate or defaults.learning_rate(batch, averaged=averaged),
        "weight_decay": training.weight_decay,
        "dropout": training.dropout,
        "layers": training.layers,
        "width": training.width,
        "bins": training.bins,
        "embedding": training.embedding or defaults.embedding(columns),
        "members": training.members,
        "batch_size": batch,
        "boosting": training.model == "default" if training.boosting is None else training.boosting,
    }


def _bounds(declared: Mapping[str, Value]) -> dict[str, Range | Choice]:
    embedding, batch = int(declared["embedding"]), int(declared["batch_size"])
    ranges = {
        "learning_rate": Range(3e-4, 1e-2, log=True),
        # A logarithm has no 0.
        "weight_decay": Range(1e-5, 1e-1, log=declared["weight_decay"] > 0),
        "dropout": Range(0.0, 0.5),
        "layers": Range(1, 4, step=1),
        "width": Range(64, 256, step=64),
        "bins": Range(8, 48, step=8),
        "embedding": Range(1, 4 * embedding, step=1),
        "members": Range(2, 8, step=2),
    }
    return {
        **{key: each.holding(declared[key]) for key, each in ranges.items()},
        "batch_size": Choice(tuple(sorted({max(2, batch // 2), batch, 2 * batch}))),
        "boosting": Choice((False, True)),
    }
