"""Where a run comes from: code, environment and configuration, each as a value that two runs can be compared by."""

from __future__ import annotations

import hashlib
import json
import subprocess
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

# What says where a run comes from.
TAGS = (
    "git.commit",
    "git.dirty",
    "data.sha256",
    "data.rows",
    "configuration.sha256",
    "environment.sha256",
    "weights.sha256",
    "device",
    "seed",
)


def code_tags(project: Path) -> dict[str, str]:
    """Commit of the project and whether its tree differs from it; "none" outside a git checkout."""
    commit = _git(project, "rev-parse", "HEAD")
    if commit is None:
        return {"git.commit": "none", "git.dirty": "unknown"}
    dirty = bool(_git(project, "status", "--porcelain"))
    # The last one is the name under which the UI of MLflow shows a commit.
    return {"git.commit": commit, "git.dirty": str(dirty).lower(), "mlflow.source.git.commit": commit}


def environment() -> str:
    """The installed distributions, one `name==version` a line, sorted."""
    names = {f"{distribution.name.lower()}=={distribution.version}" for distribution in distributions()}
    return "\n".join(sorted(names)) + "\n"


def sha256(content: str | dict[str, Any]) -> str:
    """Hash of a text, or of a JSON-able mapping whatever the order of its keys."""
    text = content if isinstance(content, str) else json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_run(run_id: str) -> dict[str, Any]:
    """Read back where a run comes from.

    Args:
        run_id: MLflow run of this project.

    Returns:
        `run_id`, `started` (UTC, ISO 8601, to the second), `tags` (those of `TAGS` that it has), `parameters` (the
        vertical's declaration with all defaults) and `packages` (version by name).
    """
    import mlflow

    run = mlflow.MlflowClient().get_run(run_id)
    installed = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/environment.txt")
    started = datetime.fromtimestamp(run.info.start_time // 1000, UTC)
    return {
        "run_id": run_id,
        "started": started.isoformat(),
        "tags": {key: run.data.tags[key] for key in TAGS if key in run.data.tags},
        "parameters": mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/parameters.json"),
        "packages": dict(line.split("==", 1) for line in installed.split()),
    }


def _git(project: Path, *arguments: str) -> str | None:
    try:
        # The user's own git, with arguments of this module.
        done = subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True, check=True)  # noqa: S603, S607
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
