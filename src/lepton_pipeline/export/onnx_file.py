"""Write a model as one ONNX file, if that file says what the model says."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from lepton_pipeline import __version__
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.export.assemble import assemble_graph
from lepton_pipeline.export.parity import Parity, check_parity
from lepton_pipeline.export.refusals import (
    computed_elsewhere,
    exportable_task,
    input_names,
    refuse_windows_and_dates,
)
from lepton_pipeline.features.column_encoders import CategoricalColumn
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.system.files import write_bytes
from lepton_pipeline.tasks.graph_outputs import named_classes, output_units

_LIBRARIES = ("onnx", "onnxruntime")


@dataclass(frozen=True)
class Source:
    """The version of a registered model that a file is made of."""

    vertical: str
    version: int
    run_id: str
    artefact_sha256: str  # of its artefact, "" in old versions
    target: str  # name of the column that it predicts
    windows: Collection[str] = ()  # names of the columns that are windows over earlier rows


@dataclass(frozen=True)
class Exported:
    """A file that was written."""

    path: Path
    size: int  # bytes
    numbers: int  # inputs of float64
    categories: int  # inputs of texts
    computed: dict[str, str]  # inputs that whoever calls it computes, see `computed_elsewhere`
    parity: Parity


def require_libraries() -> None:
    """Raise ConfigurationError where the libraries of the extra `onnx` are not installed."""
    if missing := [name for name in _LIBRARIES if find_spec(name) is None]:
        raise ConfigurationError(
            f"--to onnx needs {' and '.join(missing)}, not installed here: pip install -e '.[onnx]'"
        )


def refuse_unexportable(artefact: Artefact, windows: Collection[str], *, precomputed: bool) -> None:
    """Raise ConfigurationError where a model cannot be in a file, with reason and column.

    `precomputed` says that whoever calls it computes windows and what is made of dates.
    """
    exportable_task(artefact)
    if not precomputed:
        refuse_windows_and_dates(artefact, windows)


def export_onnx(
    artefact: Artefact, source: Source, table: pd.DataFrame, spread: float, path: Path
) -> Exported:
    """Write a model to `path`, whole or not at all, after `check_parity` on the rows of `table`.

    Raises ConfigurationError where the model cannot be in a file, see `exportable_task`; LeptonError where the file
    would differ from the model.
    """
    content = assemble_graph(artefact, describe(artefact, source)).SerializeToString()
    parity = check_parity(artefact, content, table, spread)
    write_bytes(path, content)
    categories = sum(isinstance(column, CategoricalColumn) for column in artefact.encoder.columns)
    names = input_names(artefact)
    computed = computed_elsewhere(artefact, source.windows)
    return Exported(path, len(content), len(names) - categories, categories, computed, parity)


def describe(artefact: Artefact, source: Source) -> dict[str, str]:
    """Metadata of the file: where it comes from, and what goes in and comes out, as texts and JSON."""
    task = exportable_task(artefact)
    computed = computed_elsewhere(artefact, source.windows)
    columns = {column.name: column for column in artefact.encoder.columns}
    inputs = []
    for name in input_names(artefact):
        kind = "category" if isinstance(columns.get(name), CategoricalColumn) else "number"
        made = {"computed": computed[name]} if name in computed else {}
        inputs.append({"name": name, "kind": kind, "missing": "" if kind == "category" else "NaN"} | made)
    described = {
        "vertical": source.vertical,
        "version": str(source.version),
        "run_id": source.run_id,
        "artefact.sha256": source.artefact_sha256,
        "weights.sha256": artefact.predictor.weights_sha256,
        "lepton_pipeline": __version__,
        "task": task.task,
        "target": source.target,
        "inputs": json.dumps(inputs, ensure_ascii=False),
        "outputs": json.dumps(output_units(task, source.target), ensure_ascii=False),
    }
    if artefact.threshold is not None:
        described["threshold"] = repr(artefact.threshold)
    if classes := named_classes(task):
        described["classes"] = json.dumps(classes, ensure_ascii=False)
    return described
