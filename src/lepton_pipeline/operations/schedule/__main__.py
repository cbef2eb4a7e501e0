"""The scheduler's process, which imports neither Kedro nor pandas to keep its memory small."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
from click import FloatRange, IntRange, option

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.operations.schedule.policies import fetch_policies
from lepton_pipeline.operations.schedule.scheduler import Options, Scheduler, alert_sender, retrain_command
from lepton_pipeline.operations.schedule.state import FOLDER, only_scheduler
from lepton_pipeline.system.permissions import refused
from lepton_pipeline.system.readable import say
from lepton_pipeline.system.signals import stop_on_signals


@click.command()
@click.argument("action", type=click.Choice(["run", "once"]))
@option(
    "--project", type=click.Path(exists=True, path_type=Path), default=Path(), help="Root of the project."
)
@option("--env", "-e", help="Configuration environment.")
@option("--parallel", type=IntRange(1), default=1, help="Jobs at once, at most.")
@option("--grace", type=FloatRange(0), default=60.0, help="Seconds that a job has to end.")
@option("--poll", type=FloatRange(0.05), default=5.0, help="Seconds between looks at the configuration.")
@option("--vertical", "verticals", multiple=True, help="With once: start this one, due or not.")
@option("--job", help="Command to start instead of `kedro retrain`; {vertical} stands for the vertical.")
def main(
    action: str, project: Path, env: str | None, verticals: tuple[str, ...], job: str | None, **limits: Any
) -> None:
    """Start the retraining jobs of a project when they are due."""
    project = project.resolve()
    try:
        with only_scheduler(project / FOLDER):
            options = Options(**limits)
            command = _custom(job) if job else retrain_command(env)
            tell, fetch = alert_sender(project, env, _say), partial(fetch_policies, project, env)
            scheduler = Scheduler(project, command, _say, options, fetch, tell=tell)
            # The next start waits for jobs that a second signal leaves running.
            stop_on_signals(scheduler.stop.set)
            if action == "run":
                scheduler.run()
                return
            results = scheduler.once(list(verticals))
    except (LeptonError, OSError) as error:
        known = error if isinstance(error, LeptonError) else refused(error)
        if known is None:
            raise
        say(f"error: {known}", to_stderr=True)
        sys.exit(known.exit_code)
    if not results:
        _say("nothing is due")
    sys.exit(0 if all(result.outcome == "done" for result in results) else 1)


def _say(line: str) -> None:
    say(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {line}", to_stderr=True)


def _custom(job: str) -> Callable[[str], list[str]]:
    words = shlex.split(job)
    return lambda vertical: [word.replace("{vertical}", vertical) for word in words]


if __name__ == "__main__":
    main()
