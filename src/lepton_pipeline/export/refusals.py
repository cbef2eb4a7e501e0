"""What cannot be in an exported file, with the reason and the column."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.export.columns import NO_TEXT
from lepton_pipeline.features.column_encoders import CategoricalColumn
from lepton_pipeline.features.derive import Derivation
from lepton_pipeline.features.text import TextColumn
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.parameters import MODELS
from lepton_pipeline.tasks.graph_outputs import EveryTask, in_graph, output_names

_NAMED = 3


def exportable_task(artefact: Artefact) -> EveryTask:
    """The task of a model that can be exported.

    Raises ConfigurationError where a part of the model cannot be in the file: a forecast, a recommendation, a text,
    a network of one's own.
    """
    task = in_graph(artefact.task)
    if artefact.recommender is not None:
        raise _refused(
            "it ranks pairs of a customer and an item, whose columns are made of the whole history"
        )
    if task is None:
        raise _refused("a forecast is made of the whole history of a series, and a file scores single rows")
    for column in artefact.encoder.columns:
        if isinstance(column, TextColumn):
            raise _refused(
                f"column {column.name!r} is text (dataset.text), and words and sentences cannot be taken apart in "
                "the file"
            )
        if isinstance(column, CategoricalColumn) and NO_TEXT in column.categories:
            raise _refused(
                f"column {column.name!r} has an empty text among its categories, which in the file means missing"
            )
    if (model := artefact.predictor.network.training.model) not in MODELS:
        raise _refused(
            f"training.model is {model!r}, a network of one's own; only {', '.join(MODELS)} can be exported"
        )
    if taken := [name for name in output_names(task) if name in input_names(artefact)]:
        raise _refused(f"column {taken[0]!r} has the name of an output; rename it and train again")
    return task


def input_names(artefact: Artefact) -> list[str]:
    """Columns that the file takes: those that the encoder reads, and the scale of the target."""
    scale = [] if artefact.scale is None else [artefact.scale]
    return list(dict.fromkeys([*artefact.encoder.inputs, *scale]))


def computed_elsewhere(artefact: Artefact, windows: Collection[str]) -> dict[str, str]:
    """Inputs of the file that are no columns of the table, each with what it is: an expression, or a window."""
    derivation = artefact.derivation
    return {
        name: derivation.expressions.get(name, "window over earlier rows")
        for name in input_names(artefact)
        if name in derivation.expressions or name in windows
    }


def refuse_windows_and_dates(artefact: Artefact, windows: Collection[str]) -> None:
    """Raise ConfigurationError where an input is made of earlier rows or of dates, as one row of numbers cannot say."""
    found = dict(_of_rows_and_dates(artefact.derivation, computed_elsewhere(artefact, windows), windows))
    if found:
        named = "; ".join(f"column {name!r} is {what}" for name, what in list(found.items())[:_NAMED])
        more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise _refused(
            f"{named}{more}. The file reads no earlier rows and no dates; add --precomputed if whoever calls it "
            "computes these columns as the project does, and hands them in"
        )


def _of_rows_and_dates(
    derivation: Derivation, computed: Mapping[str, str], windows: Collection[str]
) -> Iterator[tuple[str, str]]:
    for name, what in computed.items():
        sources = derivation.inputs([name]) if name in derivation.expressions else []
        if name in windows:
            yield name, "a window over earlier rows (features.windows)"
        elif read := [each for each in sources if each in windows]:
            yield name, f"computed of the window {read[0]!r} ({what})"
        elif read := [each for each in sources if each in derivation.dates]:
            yield name, f"computed of the date {read[0]!r} ({what})"


def _refused(reason: str) -> ConfigurationError:
    return ConfigurationError(f"the model cannot be exported to ONNX: {reason}.")
