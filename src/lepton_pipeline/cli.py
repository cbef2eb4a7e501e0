"""`kedro run` of this project: Kedro's own, one vertical after the other, with errors said in one message."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from copy import copy
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import Any

import click
import yaml
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.project import LOGGING, pipelines, settings
from kedro.utils import find_kedro_project

from lepton_pipeline.cli_errors import report_error
from lepton_pipeline.cli_vertical import vertical as vertical_commands
from lepton_pipeline.errors import ConfigurationError, GateRefusedError

_NODE_OPTIONS = ("node_names", "from_nodes", "to_nodes", "from_inputs", "to_outputs")
_INTERRUPTED = 130


@click.group(name="lepton_pipeline")
def cli() -> None:
    """Commands of lepton_pipeline."""


def run(debug: bool, fail_on_refusal: bool, **options: Any) -> None:
    """Run verticals: those given by --pipelines, or all, one after the other.

    A vertical that fails does not keep the others from running. Exit codes: 0 done, 2 bad configuration or usage,
    3 data that break the contract, 4 gate refused (with --fail-on-refusal), 130 interrupted, 1 anything else.
    """
    _configure_logging()
    try:
        verticals = _selected(options)
        _check_declarations(verticals, options)
    except Exception as error:
        sys.exit(report_error(error, debug))
    codes = [_run_one(vertical, options, debug, fail_on_refusal) for vertical in verticals]
    failed = {vertical: code for vertical, code in zip(verticals, codes, strict=True) if code}
    if failed and len(verticals) > 1:
        shown = ", ".join(f"{vertical} (exit code {code})" for vertical, code in failed.items())
        click.echo(f"\n{len(failed)} of {len(verticals)} verticals failed: {shown}", err=True)
    # Without it, the interpreter spends two seconds at its end on walking through the libraries' objects.
    gc.freeze()
    sys.exit(next(iter(failed.values()), 0))


def _configure_logging() -> None:
    """Log as the project declares, also below its root, where Kedro does not find the file."""
    project = find_kedro_project(Path.cwd())
    if project is not None and project != Path.cwd():
        LOGGING.configure(yaml.safe_load((project / settings.CONF_SOURCE / "logging.yml").read_text(encoding="utf-8")))


def _run_one(vertical: str, options: dict[str, Any], debug: bool, fail_on_refusal: bool) -> int:
    """Run one vertical in a session of its own and return its exit code."""
    try:
        outputs = kedro_run.callback(**options | {"pipeline": None, "pipelines": [vertical]})  # type: ignore[misc]  # it has one
        if fail_on_refusal:
            _require_promotion(vertical, outputs)
    except (KeyboardInterrupt, SystemExit) as stop:
        click.echo(
            f"\n{vertical}: told to stop; go on with: kedro run --pipelines {vertical} --only-missing-outputs", err=True
        )
        sys.exit(stop.code if isinstance(stop, SystemExit) else _INTERRUPTED)
    except Exception as error:
        return report_error(error, debug, vertical)
    return 0


def _require_promotion(vertical: str, outputs: dict[str, Any]) -> None:
    decision = outputs[f"{vertical}.decision"].load() if f"{vertical}.decision" in outputs else {"promoted": True}
    if not decision["promoted"]:
        raise GateRefusedError(f"{vertical}: the gate refused the model: {decision['reason']}")


def _selected(options: dict[str, Any]) -> list[str]:
    """The verticals to run.

    Raises:
        ConfigurationError: one is unknown, or a node or data set is in none of them.
    """
    known = [name for name in pipelines if name != "__default__"]
    asked = [options["pipeline"]] if options["pipeline"] else list(dict.fromkeys(options["pipelines"]))
    unknown = [name for name in asked if name not in pipelines]
    if unknown:
        close = get_close_matches(unknown[0], known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigurationError(f"--pipelines: no pipeline {unknown[0]!r}; {hint}there are {', '.join(known)}.")
    if str(options["runner"]).endswith("ParallelRunner"):
        raise ConfigurationError(
            "--runner: ParallelRunner hides its nodes from hooks, so nothing would be recorded in MLflow; "
            "leave the option out, and run several verticals in a process each."
        )
    if asked and "__default__" not in asked:
        return asked
    # The names that Kedro suggests to resume from say which vertical they belong to.
    named: Iterable[str] = (name for option in _NODE_OPTIONS for name in options[option])
    namespaces = {name.partition(".")[0] for name in named}
    return [name for name in known if not namespaces or name in namespaces] or known


def _check_declarations(verticals: list[str], options: dict[str, Any]) -> None:
    """Check all that is to run before any of it does.

    Raises:
        ConfigurationError: what is wrong, one line a key.
    """
    pipelines.set_requested(verticals)
    session = settings.SESSION_CLASS.create(
        env=options["env"], conf_source=options["conf_source"], runtime_params=options["params"]
    )
    with session:
        session.load_context()
    for vertical in verticals:
        try:
            pipelines[vertical].filter(
                tags=options["tags"],
                node_names=options["node_names"],
                node_namespaces=options["namespaces"],
                **{name: options[name] for name in ("from_nodes", "to_nodes", "from_inputs", "to_outputs")},
            )
        except ValueError as error:
            raise ConfigurationError(f"{vertical}: {error}") from error


def _explained(option: click.Parameter) -> click.Parameter:
    """An option of Kedro's whose value, where it cannot be read, is a usage error: `--params` is YAML, say."""
    if option.callback is None:
        return option
    read = option.callback

    @wraps(read)
    def read_explained(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        try:
            return read(context, parameter, value)
        except click.ClickException:
            raise
        except Exception as error:
            raise click.BadParameter(f"{value!r} cannot be read: {error}", context, parameter) from error

    explained = copy(option)
    explained.callback = read_explained
    return explained


cli.add_command(
    click.Command(
        "run",
        callback=run,
        help=run.__doc__,
        params=[
            *map(_explained, kedro_run.params),
            click.Option(["--debug"], is_flag=True, help="Show the traceback of an error, too."),
            click.Option(["--fail-on-refusal"], is_flag=True, help="End with exit code 4 if the gate refuses a model."),
        ],
    )
)
cli.add_command(vertical_commands)
