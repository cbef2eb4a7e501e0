"""Options and decorators shared by the commands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from copy import copy
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.project import pipelines, settings
from kedro.utils import find_kedro_project

from lepton_pipeline.cli.errors import report_error
from lepton_pipeline.system.readable import readable_output, shown

if TYPE_CHECKING:
    from lepton_pipeline.registry.diff import HeldRows
    from lepton_pipeline.tracking.runs import Tracking

debug_option = click.option("--debug", is_flag=True, help="Show the traceback of an error, too.")
env_option = click.option("--env", "-e", help="Configuration environment, as of `kedro run`.")


def in_project(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--env` to what `reports_errors` does."""
    return env_option(reports_errors(command))


def reports_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--debug`, and end with one message and the exit code of the error."""

    @wraps(command)
    def guarded(debug: bool, **options: Any) -> None:
        readable_output()
        try:
            command(**options)
        except Exception as error:
            sys.exit(report_error(error, debug))

    return debug_option(guarded)


def project_folder() -> Path:
    """The current project's root, also from below it."""
    return find_kedro_project(Path.cwd()) or Path.cwd()


def base_folder() -> Path:
    """The project's configuration folder `conf/base`."""
    return Path(project_folder(), settings.CONF_SOURCE, "base")


def tracking(env: str | None) -> Tracking:
    """Addresses of runs and models as mlflow.yml declares them."""
    from lepton_pipeline.tracking.runs import read_tracking

    conf = str(project_folder() / settings.CONF_SOURCE)
    loader = settings.CONFIG_LOADER_CLASS(conf, env=env, **settings.CONFIG_LOADER_ARGS)
    return read_tracking(loader["mlflow"])


def readable(option: click.Parameter) -> click.Parameter:
    """A Kedro option that reports an unreadable value, such as invalid YAML, as a usage error."""
    if option.callback is None:
        return option
    read = option.callback

    @wraps(read)
    def read_explained(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        try:
            return read(context, parameter, value)
        except Exception as error:
            # What was given may be a secret.
            text = f"{value!r} cannot be read: {error}"
            if isinstance(error, click.ClickException):
                text = error.message
            raise click.BadParameter(shown(text), context, parameter) from error

    reports_errors = copy(option)
    reports_errors.callback = read_explained
    return reports_errors


def params_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add Kedro's `--params`."""
    option = next(readable(each) for each in kedro_run.params if each.name == "params")
    # As click's own decorator does, so that options keep their order.
    command.__click_params__ = [*getattr(command, "__click_params__", []), option]  # type: ignore[attr-defined]  # click adds it
    return command


def require_vertical(name: str) -> None:
    """Refuse an unknown vertical; see `declaration.require_vertical`."""
    from lepton_pipeline.project import declaration

    declaration.require_vertical(base_folder(), name)


def held_rows(vertical: str, env: str | None) -> HeldRows | None:
    """The table of features of a vertical, its split and its declaration; None if they are not on disk."""
    from lepton_pipeline.project.declaration import read_vertical
    from lepton_pipeline.registry.diff import HeldRows

    if vertical not in pipelines:
        return None
    pipelines.set_requested([vertical])
    session = settings.SESSION_CLASS.create(project_folder(), env=env)
    with session:
        context = session.load_context()
        datasets = [context.catalog.get(f"{vertical}.{name}") for name in ("feature_table", "split")]
        if not all(dataset is not None and dataset.exists() for dataset in datasets):
            return None
        table, split = (dataset.load() for dataset in datasets)
        return HeldRows(table, split, read_vertical(vertical, context.params[vertical]))
