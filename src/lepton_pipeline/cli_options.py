"""What the commands of the project have in common."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from kedro.utils import find_kedro_project

from lepton_pipeline.cli_errors import report_error

debug_option = click.option("--debug", is_flag=True, help="Show the traceback of an error, too.")
env_option = click.option("--env", "-e", help="Configuration environment, as of `kedro run`.")


def explained(command: Callable[..., None]) -> Callable[..., None]:
    """End with one message and the exit code of the error."""

    @wraps(command)
    def explained_command(debug: bool, **options: Any) -> None:
        try:
            command(**options)
        except Exception as error:
            sys.exit(report_error(error, debug))

    return explained_command


def project_folder() -> Path:
    """The project that the command is given in, also from below its root."""
    return find_kedro_project(Path.cwd()) or Path.cwd()
