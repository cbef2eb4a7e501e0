"""`kedro adopt`: make a copy of a project a project of its own."""

from __future__ import annotations

import click
from kedro.framework.project import settings

from lepton_pipeline.cli.options import debug_option, env_option, explained, project_folder
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.system.readable import say


@click.command()
@click.option(
    "--if-moved", is_flag=True, help="Only where the folder of before is gone; say so if it is not."
)
@env_option
@debug_option
@explained
def adopt(if_moved: bool, env: str | None) -> None:
    """Let a copied project use its own runs and models.

    They keep the addresses of the original's artefacts, which is not touched, until this is done. A project
    that was moved needs this only before MLflow is used without kedro.
    """
    from lepton_pipeline.system.locks import FileLock
    from lepton_pipeline.tracking.local_store import local_store
    from lepton_pipeline.tracking.runs import read_tracking

    project = project_folder()
    loader = settings.CONFIG_LOADER_CLASS(
        str(project / settings.CONF_SOURCE), env=env, **settings.CONFIG_LOADER_ARGS
    )
    tracking = read_tracking(loader["mlflow"])
    store = local_store(tracking.tracking_uri, tracking.artifact_root, project)
    if store is None and if_moved:
        return
    if store is None:
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
        say(f"nothing to do: the runs of {store.database.name} lie in {store.artifacts}")
        return
    say(
        f"the runs of {store.database.name} lie in {store.artifacts} now, no longer in {', '.join(map(str, former))}"
    )
