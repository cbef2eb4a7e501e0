"""Where a run comes from: code, environment and configuration, each as a value that two runs can be compared by."""

from __future__ import annotations

import hashlib
import json
import subprocess
from importlib.metadata import distributions
from pathlib import Path
from typing import Any


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


def _git(project: Path, *arguments: str) -> str | None:
    try:
        # The user's own git, with arguments of this module.
        done = subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True, check=True)  # noqa: S603, S607
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
