"""Export of the schedules to Airflow, cron, systemd and Kubernetes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.operations.schedule.export.airflow import airflow_files
from lepton_pipeline.operations.schedule.export.kubernetes import kubernetes_files
from lepton_pipeline.operations.schedule.export.place import Place
from lepton_pipeline.operations.schedule.export.scripts import cron_files, systemd_files
from lepton_pipeline.operations.schedule.policies import Policies, Policy
from lepton_pipeline.system.files import write_text

__all__ = ["Place", "write_export"]

_TARGETS: dict[str, Callable[[list[Policy], Place], dict[str, str]]] = {
    "airflow": airflow_files,
    "cron": cron_files,
    "systemd": systemd_files,
    "kubernetes": kubernetes_files,
}


def write_export(target: str, policies: Policies, place: Place, verticals: list[str]) -> list[Path]:
    """Write the schedules of a project for another scheduler into `place.out`, and return the files.

    `verticals` are all with a schedule if empty. Raises ConfigurationError about what cannot be exported,
    once the valid policies are written; or if a vertical is unknown, the environment has no plain name, or
    there is no schedule.
    """
    if place.env is not None and not re.fullmatch(r"[A-Za-z0-9_.-]+", place.env):
        raise ConfigurationError(f"--env: {place.env!r} is no name of a folder in conf.")
    known = {**policies.good, **policies.wrong}
    for vertical in verticals:
        if vertical not in known:
            raise ConfigurationError(
                f"--vertical: no vertical {vertical!r}; there are {', '.join(sorted(known))}."
            )
    scheduled = [name for name, policy in policies.good.items() if policy.cron]
    asked = verticals or [*scheduled, *policies.wrong]
    good, problems = [], [policies.wrong[name] for name in asked if name in policies.wrong]
    for policy in (policies.good[name] for name in asked if name in policies.good):
        try:
            _TARGETS[target]([policy], place)
            good.append(policy)
        except ConfigurationError as error:
            problems.append(str(error))
    if not good and not problems:
        raise ConfigurationError("no vertical declares retraining.schedule, so there is nothing to export.")
    files = _TARGETS[target](good, place) if good else {}
    written = [place.out / name for name in files]
    for path in written:
        write_text(path, files[path.name])
        if path.suffix == ".sh":
            path.chmod(0o755)
    if problems:
        done = f"\nWritten all the same: {', '.join(map(str, written))}." if written else ""
        raise ConfigurationError("\n".join(problems) + done)
    return written
