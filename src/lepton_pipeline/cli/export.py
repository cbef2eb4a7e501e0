"""`kedro export`: a model as a file for another runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click import IntRange, option

from lepton_pipeline.cli.options import held_rows, in_project, project_folder, require_vertical, tracking
from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.system.readable import say


@click.command()
@click.argument("vertical")
@option("--to", "to", type=click.Choice(["onnx"]), required=True, help="What the file is read by.")
@option("--version", type=IntRange(min=1), help="Version of the model; the champion if not given.")
@option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file; data/08_reporting/VERTICAL/export/VERTICAL-VERSION.onnx if not given.",
)
@option(
    "--precomputed", is_flag=True, help="Take windows and what is computed of dates as inputs of the file."
)
@in_project
def export(
    vertical: str, to: str, version: int | None, out: Path | None, precomputed: bool, env: str | None
) -> None:
    """Write a model of VERTICAL as an ONNX file.

    From derived columns to scores and decisions; it is loaded by onnxruntime alone. Refused, without a file, where it
    would differ from the model, or a part of the model cannot be in it.
    """
    from lepton_pipeline.export.onnx_file import Source, export_onnx, refuse_unexportable, require_libraries
    from lepton_pipeline.export.parity import ROWS
    from lepton_pipeline.registry.champion import REPORTS, require_model
    from lepton_pipeline.registry.versions import CHECKSUM, load_artefact
    from lepton_pipeline.tracking.runs import existing_store

    require_libraries()
    require_vertical(vertical)
    client = existing_store(tracking(env), project_folder())
    require_model(client, vertical)
    registered = _registered(client, vertical, version)
    number = int(registered.version)
    artefact = load_artefact(client, vertical, number)
    held = held_rows(vertical, env)
    windows = () if held is None else tuple(held.declared.features.windows)
    refuse_unexportable(artefact, windows, precomputed=precomputed)
    if held is None:
        raise DataError(
            f"{vertical} has no table of features and split on disk, whose rows the file is compared on: "
            f"kedro run --pipelines {vertical}"
        )
    test = held.split.index[held.split["part"] == "test"]
    rows = held.table.loc[test.append(held.table.index.difference(test))[:ROWS]]
    spread = float(held.split["label"].std()) if artefact.task.has_intervals else 1.0
    checksum = registered.tags.get(CHECKSUM, "")
    target = held.declared.dataset.target
    source = Source(vertical, number, registered.run_id, checksum, target, windows)
    path = out or project_folder() / REPORTS / vertical / "export" / f"{vertical}-{number}.onnx"
    done = export_onnx(artefact, source, rows, spread, path)
    say(f"{vertical}: version {number} is in {_shown(done.path)} ({done.size / 1e6:.1f} MB)")
    say(f"inputs   {done.numbers} numbers, {done.categories} categories")
    if done.computed:
        say(f"computed by the caller: {', '.join(done.computed)}")
    say(
        f"parity   largest difference {done.parity.difference:.1e}, on {done.parity.rows:,} rows of the table and "
        f"{done.parity.made:,} made ones"
    )


def _registered(client: Any, vertical: str, version: int | None) -> Any:
    """The version that is asked for, or the champion."""
    from lepton_pipeline.registry.champion import champion_of
    from lepton_pipeline.registry.versions import find_version

    chosen = champion_of(client, vertical) if version is None else version
    if chosen is None:
        raise ConfigurationError(
            f"{vertical} has no champion: name a version with --version, or promote one (kedro champion promote)."
        )
    return find_version(client, vertical, chosen)


def _shown(path: Path) -> Path:
    """A path from the project's folder on, where it is below it."""
    return path.relative_to(project_folder()) if path.is_relative_to(project_folder()) else path
