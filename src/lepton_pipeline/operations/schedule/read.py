"""Read every vertical's policy through the project's configuration loader."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.operations.schedule.policies import Cron, Policies, Policy
from lepton_pipeline.parameters import Retraining
from lepton_pipeline.parameters.durations import as_timedelta
from lepton_pipeline.project.declaration import find_verticals, read_vertical


def read_policies(project: Path, env: str | None = None) -> Policies:
    """Read the policies of all verticals, and the errors of some; ConfigurationError without a vertical."""
    good, wrong = {}, {}
    for vertical in find_verticals(project / _settings(project).CONF_SOURCE / "base"):
        try:
            declared = read_vertical(vertical, read_own(project, env, vertical))
            good[vertical] = _to_policy(vertical, declared.retraining)
        # Libraries raise errors of many types; the other verticals go on.
        except Exception as error:
            text = str(error) or type(error).__name__
            wrong[vertical] = text if text.startswith(f"{vertical}.") else f"{vertical}: {text}"
    return Policies(good, wrong)


def read_own(project: Path, env: str | None, vertical: str) -> Any:
    """Read what is declared for a vertical from its own files only.

    Raises ConfigurationError if a file is no YAML mapping, or its content cannot be resolved.
    """
    settings = _settings(project)
    patterns = {"parameters": ["parameters*", "parameters*/**", f"**/{vertical}/parameters*"]}
    arguments: dict[str, Any] = dict(settings.CONFIG_LOADER_ARGS)
    arguments["config_patterns"] = {**arguments.get("config_patterns", {}), **patterns}
    loader = settings.CONFIG_LOADER_CLASS(str(project / settings.CONF_SOURCE), env=env, **arguments)
    return loader["parameters"].get(vertical)


def _to_policy(vertical: str, declared: Retraining) -> Policy:
    if isinstance(declared.timeout, int):
        raise ConfigurationError(
            f"{vertical}.retraining.timeout: {declared.timeout} has no unit; write 12h or 90min."
        )
    cron = None if declared.schedule is None else Cron(declared.schedule, declared.zone)
    return Policy(vertical, cron, declared.retries, as_timedelta(declared.timeout).total_seconds())


def _settings(project: Path) -> Any:
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(project)
    from kedro.framework.project import settings

    return settings


if __name__ == "__main__":
    try:
        found = read_policies(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
    except ConfigurationError as error:
        sys.exit(str(error))
    sys.stdout.write(f"{json.dumps(asdict(found))}\n")
