"""The declared policies, and how the scheduler notices a change."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

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

    def to_json(self) -> str:
        """As text that `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        content = json.loads(text)
        return cls({name: _policy(declared) for name, declared in content["good"].items()}, content["wrong"])


def fetch_policies(project: Path, env: str | None) -> Policies:
    """Read the policies in a subprocess, which frees the memory of Kedro when it ends.

    Raises:
        ConfigurationError: the policies cannot be read.
    """
    module = "lepton_pipeline.operations.schedule.read"
    command = [sys.executable, "-m", module, str(project), *([env] if env else [])]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise ConfigurationError(f"{project}: the policies cannot be read: {reason[0]}")
    return Policies.from_json(done.stdout.splitlines()[-1])


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


def _policy(declared: dict[str, Any]) -> Policy:
    cron = declared["cron"]
    return Policy(**(declared | {"cron": Cron(**cron) if cron else None}))
