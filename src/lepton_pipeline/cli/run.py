"""`kedro run`: Kedro's own, one pipeline after the other, with short error messages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import yaml
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.project import LOGGING, pipelines, settings
from kedro.utils import find_kedro_project

from lepton_pipeline.cli.errors import end, end_stopped, report_error
from lepton_pipeline.cli.options import readable
from lepton_pipeline.cli.selection import check_stages, selected_pipelines
from lepton_pipeline.errors import GateRefusedError
from lepton_pipeline.hooks import ProjectHooks
from lepton_pipeline.parameters.jobs import TRAINING, Job
from lepton_pipeline.project.user_errors import KedroHint, kedro_hint, resume_advice
from lepton_pipeline.system.readable import readable_output, say


def run(debug: bool, fail_on_refusal: bool, **options: Any) -> None:
    """Run training, scoring or monitoring.

    Those of --pipelines, or the training of all verticals, one after the other: `finance` trains the vertical
    finance, `finance_scoring` scores new rows with its champion, `finance_monitoring` monitors it. After a
    failure the others still run. Exit codes: 0 done, 2 bad configuration or usage, 3 data
    that break the contract, 4 gate refused (with --fail-on-refusal), 130 interrupted, 1 anything else, also
    where another process, such as kedro retrain, is at work on the same pipeline.
    """
    readable_output()
    project = find_kedro_project(Path.cwd())
    if project not in (None, Path.cwd()):
        # Kedro does not find it below the project's root.
        declared = Path(project, settings.CONF_SOURCE, "logging.yml").read_text(encoding="utf-8")
        LOGGING.configure(yaml.safe_load(declared))
    try:
        names = selected_pipelines(options)
        _check_declarations(names, options)
    except Exception as error:
        sys.exit(report_error(error, debug))
    codes = [_run_one(name, options, debug, fail_on_refusal) for name in names]
    failed = {name: code for name, code in zip(names, codes, strict=True) if code}
    if failed and len(names) > 1:
        shown = ", ".join(f"{name} (exit code {code})" for name, code in failed.items())
        what = "verticals" if all(Job.named(name).purpose == TRAINING for name in names) else "pipelines"
        say(f"\n{len(failed)} of {len(names)} {what} failed: {shown}", to_stderr=True)
    end(next(iter(failed.values()), 0))


def _run_one(name: str, options: dict[str, Any], debug: bool, fail_on_refusal: bool) -> int:
    hint = KedroHint()
    try:
        with kedro_hint() as hint:
            kedro_run.callback(**options | {"pipeline": None, "pipelines": [name]})  # type: ignore[misc]  # it has one
        if fail_on_refusal:
            _require_promotion(Job.named(name).vertical)
    except (KeyboardInterrupt, SystemExit) as stop:
        end_stopped(
            stop, f"{name}: stopped; resume with: kedro run --pipelines {name} --only-missing-outputs"
        )
    except Exception as error:
        code = report_error(error, debug, name)
        if go_on := resume_advice(error, name, hint):
            say(go_on, to_stderr=True)
        return code
    return 0


def _require_promotion(vertical: str) -> None:
    # Kedro returns only what no later stage reads; the gate's decision is read by the report.
    decisions = next(hook.decisions for hook in settings.HOOKS if isinstance(hook, ProjectHooks))
    decision = decisions.get(vertical)
    if decision is not None and decision.promoted is False:
        raise GateRefusedError(f"{vertical}: the gate refused the model: {decision.reason}")


def _check_declarations(names: list[str], options: dict[str, Any]) -> None:
    """Validate everything that is to run before any of it does."""
    pipelines.set_requested(names)
    session = settings.SESSION_CLASS.create(
        env=options["env"], conf_source=options["conf_source"], runtime_params=options["params"]
    )
    with session:
        session.load_context()
    for name in names:
        check_stages(name, options)


class _Run(click.Command):
    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        """Read the options; a name without one is taken for that of a pipeline."""
        try:
            return super().parse_args(context, arguments)
        except click.UsageError as error:
            if not error.message.startswith("Got unexpected extra argument"):
                raise
            advice = "pipelines are named by an option: kedro run --pipelines finance"
            raise click.UsageError(f"{error.message}; {advice}", context) from error


run_command = _Run(
    "run",
    callback=run,
    help=run.__doc__,
    params=[
        *map(readable, kedro_run.params),
        click.Option(["--debug"], is_flag=True, help="Show the traceback of an error, too."),
        click.Option(
            ["--fail-on-refusal"], is_flag=True, help="End with exit code 4 if the gate refuses a model."
        ),
    ],
)
