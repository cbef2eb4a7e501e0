"""Hold an exported file to the model: the same rows through both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.export.columns import NO_TEXT
from lepton_pipeline.export.refusals import exportable_task, input_names
from lepton_pipeline.features.column_encoders import LARGEST, CategoricalColumn, NumericColumn, as_numbers
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.tasks.graph_outputs import DECISION, PROBABILITIES, EveryTask, output_names

# Largest difference of a probability, or of a number in spreads of the target.
TOLERANCE = 1e-5
# Rows of the table that are compared, and made rows that lie on quantiles.
ROWS, ON_QUANTILES = 1_000, 64
_UNSEEN = "\N{REPLACEMENT CHARACTER} no category"

Feed = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Parity:
    """How far an exported file is from the model at most."""

    rows: int  # of the table
    made: int  # rows at the edges of what a column can hold
    difference: float  # the largest, of a probability or in spreads of the target


@dataclass(frozen=True)
class Held:
    """Rows of encoder inputs, each with a name for messages, and what the model says of them."""

    rows: pd.DataFrame
    names: list[str]
    scores: Floats  # [n], or [n, K]


def check_parity(artefact: Artefact, content: bytes, table: pd.DataFrame, spread: float = 1.0) -> Parity:
    """Compare a file with the model on rows of its table and on made ones.

    `table` has the rows to compare, with the columns of `Artefact.inputs` and windows; `spread` is what differences
    of scores are divided by. Raises LeptonError with the worst row where they differ by more than `TOLERANCE`, or
    where a decision does not follow from the scores.
    """
    held = _of_table(artefact, table)
    if len(table):
        made = _made(artefact, held.rows)
        held = Held(
            pd.concat([held.rows, made.rows]),
            [*held.names, *made.names],
            np.concatenate([held.scores, made.scores]),
        )
    found = run_file(content, feed_of(artefact, held.rows))
    task = exportable_task(artefact)
    scores = _scores(found, task)
    largest = _largest_difference(scores, held, spread, task)
    _compare_decisions(found, scores, artefact, task, held.names)
    return Parity(len(table), len(held.names) - len(table), largest)


def feed_of(artefact: Artefact, rows: pd.DataFrame) -> Feed:
    """Tensors of the file's inputs for rows of derived columns, [n, 1] each: float64, or texts."""
    columns = {column.name: column for column in artefact.encoder.columns}
    feed: Feed = {}
    for name in input_names(artefact):
        column = columns.get(name)
        if isinstance(column, CategoricalColumn):
            texts = column.texts(rows[name])
            feed[name] = np.array([NO_TEXT if text is None else text for text in texts], dtype=object)[
                :, None
            ]
        else:
            feed[name] = as_numbers(rows[name])[:, None]
    return feed


def run_file(content: bytes, feed: Feed) -> Feed:
    """Outputs of an ONNX file for some rows, on one thread, by name."""
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def _scores(found: Feed, task: EveryTask) -> Floats:
    """What the file says of the rows, as the model's `scores`."""
    if PROBABILITIES in found:
        return found[PROBABILITIES]
    names = [name for name in output_names(task) if name in found and name != DECISION]
    scores = np.concatenate([found[name] for name in names], axis=1)
    return scores[:, 0] if len(names) == 1 else scores


def _of_table(artefact: Artefact, table: pd.DataFrame) -> Held:
    derived = artefact.derivation.apply(table, artefact.encoder.inputs)[input_names(artefact)]
    return Held(derived, [f"row {index}" for index in table.index], artefact.scores(table))


def _made(artefact: Artefact, rows: pd.DataFrame) -> Held:
    """Rows like the first one, with values that tables seldom have."""
    columns = artefact.encoder.columns
    numbers = [column for column in columns if isinstance(column, NumericColumn)]
    texts = [column.name for column in columns if isinstance(column, CategoricalColumn)]
    base = rows.iloc[[0]].astype(
        dict.fromkeys(texts, object) | {column.name: "float64" for column in numbers}
    )
    changes: dict[str, dict[str, float | str | None]] = {"of first values": {}}
    for name in texts:
        changes |= {f"with {name!r} missing": {name: None}, f"with {name!r} unseen": {name: _UNSEEN}}
    for column in numbers:
        edges = {"missing": np.nan, "lowest": -LARGEST, "highest": LARGEST}
        changes |= {f"with {column.name!r} {edge}": {column.name: value} for edge, value in edges.items()}
    every: list[tuple[str, float, str | None]] = [
        ("missing", np.nan, None),
        ("lowest", -LARGEST, _UNSEEN),
        ("highest", LARGEST, _UNSEEN),
    ]
    for edge, number, text in every:
        changes[f"with every column {edge}"] = {
            **{column.name: number for column in numbers},
            **dict.fromkeys(texts, text),
        }
    for place in range(ON_QUANTILES if numbers else 0):
        changes[f"on quantile {place}"] = {
            column.name: column.quantiles[place * 4 % len(column.quantiles)] for column in numbers
        }
    made = pd.concat([base.assign(**change) for change in changes.values()], ignore_index=True)
    made = made.astype(dict.fromkeys(texts, object))
    scale = None if artefact.scale is None else as_numbers(made[artefact.scale])
    scores = artefact.predictor.predict(artefact.encoder.transform(made), scale)
    return Held(made, [f"a made row {name}" for name in changes], scores)


def _largest_difference(scores: Floats, held: Held, spread: float, task: EveryTask) -> float:
    """The largest difference of a score; raises LeptonError above the tolerance, or where only one is a number."""
    ours, theirs = (each.reshape(len(held.names), -1) for each in (held.scores, scores))
    same = (np.isnan(ours) & np.isnan(theirs)) | (ours == theirs)
    with np.errstate(invalid="ignore"):
        differences = np.where(same, 0.0, np.abs(ours - theirs) / spread)
    differences[np.isnan(differences)] = np.inf
    row, place = np.unravel_index(differences.argmax(), differences.shape)
    largest = float(differences[row, place])
    if largest > TOLERANCE:
        names = task.score_names if ours.shape[1] > 1 else output_names(task)
        raise LeptonError(
            f"the file would not be the model: for {held.names[row]} it says {names[place]} {theirs[row, place]:.8g} "
            f"instead of {ours[row, place]:.8g}, which differ by {largest:.2g}{' spreads' * (spread != 1)}, and "
            f"{TOLERANCE:g} is allowed; {int((differences > TOLERANCE).any(axis=1).sum()):,} of {len(ours):,} rows "
            "differ. No file was written: report this with the version of onnxruntime, and serve the model by MLflow."
        )
    return largest


def _compare_decisions(
    found: Feed, scores: Floats, artefact: Artefact, task: EveryTask, names: list[str]
) -> None:
    """Decisions of the file must be those that the project takes from the file's scores."""
    if DECISION not in found:
        return
    wanted = np.asarray(task.predictions(scores, artefact.threshold)[DECISION])
    decided = found[DECISION][:, 0]
    wrong = decided != wanted
    if decided.dtype.kind == "f":
        wrong = ~np.isclose(decided, wanted, rtol=TOLERANCE, atol=0, equal_nan=True)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise LeptonError(
            f"the file would not be the model: for {names[row]} it decides {decided[row]} instead of {wanted[row]}. No "
            "file was written: report this with the version of onnxruntime, and serve the model by MLflow."
        )
