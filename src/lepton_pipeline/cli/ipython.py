"""`kedro ipython`: Kedro's own, by this interpreter."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

import click

from lepton_pipeline.cli.options import in_project
from lepton_pipeline.errors import ConfigurationError


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@in_project
def ipython(arguments: tuple[str, ...], env: str | None) -> None:
    """Open IPython with the project's catalog and session.

    As `catalog`, `context`, `pipelines` and `session`; %reload_kedro reloads them. ARGUMENTS are IPython's.
    """
    if find_spec("IPython") is None:
        raise ConfigurationError('IPython is not installed; install it with: pip install ".[ipython]"')
    if env:
        os.environ["KEDRO_ENV"] = env
    sys.stdout.flush()
    command = [sys.executable, "-m", "IPython", "--ext", "kedro.ipython", *arguments]
    os.execv(sys.executable, command)  # noqa: S606  # this interpreter
