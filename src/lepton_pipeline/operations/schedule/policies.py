"""The declared policies, and how the scheduler notices a change."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.operations.schedule.ticks import Cron


@dataclass(frozen=True)
class Policy:
    """When the job of a vertical starts."""

    vertical: str
    cron: Cron | None  # None: never by the clock
    retries: int = 1  # after a failure
    timeout: float = 12 * 3600.0  # in seconds


@dataclass(frozen=True)
class Policies:
    """The valid policies by vertical, and the errors of the others."""

    good: dict[str, Policy] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)


def fetch_policies(project: Path, env: str | None) -> Policies:
    """Read the policies in a subprocess, which frees the memory of Kedro when it ends.

    Raises ConfigurationError if the policies cannot be read.
    """
    done, reason = run_module("schedule.read", project, env)
    if reason:
        raise ConfigurationError(f"{project}: the policies cannot be read: {reason}")
    found = json.loads(done.stdout.splitlines()[-1])
    for declared in found["good"].values():
        declared["cron"] = declared["cron"] and Cron(**declared["cron"])
    return Policies({name: Policy(**declared) for name, declared in found["good"].items()}, found["wrong"])


def run_module(
    module: str, project: Path, env: str | None, **options: Any
) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run a module of `operations` in a process; return it, and in a line why it failed, or ""."""
    command = [sys.executable, "-m", f"lepton_pipeline.operations.{module}", str(project)]
    command += [env] if env else []
    options |= {"cwd": project, "capture_output": True, "text": True, "check": False}
    done = subprocess.run(command, **options)  # noqa: S603  # ours
    last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
    return done, last[0] if done.returncode else ""


def fingerprint(project: Path) -> frozenset[tuple[str, int, int]]:
    """Names, sizes and times of all configuration files, to detect changes."""
    found = set()
    for path in (project / "conf").rglob("*.y*ml"):
        try:
            status = path.stat()
        except OSError:
            # An editor may be replacing the file.
            continue
        found.add((str(path), status.st_mtime_ns, status.st_size))
    return frozenset(found)
