"""`kedro adopt`: make a copied project independent."""

from __future__ import annotations

import click

from lepton_pipeline.cli.options import in_project, project_folder, tracking
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.system.readable import say


@click.command()
@click.option("--if-moved", is_flag=True, help="Only if the original folder is gone; say so if it is not.")
@in_project
def adopt(if_moved: bool, env: str | None) -> None:
    """Let a copied project use its own runs and models.

    Until then they refer to the original's artefacts, which stay unchanged. A moved project needs this only
    before MLflow is used without kedro.
    """
    from lepton_pipeline.system.locks import FileLock
    from lepton_pipeline.tracking.local_store import local_store

    declared = tracking(env)
    store = local_store(declared.tracking_uri, declared.artifact_root, project_folder())
    if store is None:
        if if_moved:
            return
        raise ConfigurationError(
            "mlflow.yml: the store is no SQLite file with artefacts below the project, so a copy of the project shares "
            "it; to have another, change tracking_uri and artifact_root."
        )
    with FileLock(store.database.with_name(f"{store.database.name}.lock")):
        if if_moved:
            store.settle()
            return
        former = store.former()
        if missing := store.missing(former):
            shown = ", ".join(map(str, missing))
            raise ConfigurationError(
                f"{store.artifacts} lacks what runs have stored in {shown}; copy it there, or, to begin without those "
                f"runs, remove {store.database}."
            )
        store.rewrite(former)
    if not former:
        say(f"nothing to do: the runs of {store.database.name} are in {store.artifacts}")
        return
    left = ", ".join(map(str, former))
    say(f"the runs of {store.database.name} are in {store.artifacts} now, no longer in {left}")
