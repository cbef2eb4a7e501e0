"""Lineage of a run: hashes of code, environment and configuration."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lepton_pipeline
from lepton_pipeline.system.file_hashes import hash_files
from lepton_pipeline.tracking.artefacts import SECONDS, TRAINING_STAGE, Facts, read_facts, read_record

# What a run depends on, without private configuration, addresses and credentials.
_CODE = ("src", "conf", "pyproject.toml", "constraints.txt")
_PRIVATE = (":(exclude)conf/local", ":(exclude,glob)conf/**/credentials*", ":(exclude,glob)conf/**/mlflow*")
# Override the user's own configuration of git.
_OPTIONS = (
    *("--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames"),
    *("--unified=3", "--diff-algorithm=myers", "--src-prefix=a/", "--dst-prefix=b/"),
)


def code_facts(project: Path) -> Facts:
    """Commit of the project and whether its tree differs; "none" outside a git checkout."""
    commit = _git(project, "rev-parse", "HEAD") if _is_checkout(project) else None
    if commit is None:
        return {"git.commit": "none", "git.dirty": "unknown"}
    dirty = bool(_git(project, "status", "--porcelain", "--", "."))
    facts = {"git.commit": commit.decode(), "git.dirty": str(dirty).lower()}
    if dirty:
        facts["git.diff.sha256"] = hashlib.sha256(code_diff(project)).hexdigest()
    return facts


def code_diff(project: Path) -> bytes:
    """A patch (`git apply`) from the commit to the tree, new files included; empty without difference.

    Ignored files, `conf/local`, credentials and the addresses of MLflow are left out.
    """
    if not _is_checkout(project):
        return b""
    with TemporaryDirectory() as folder:
        # A temporary index, to leave the user's unchanged.
        own = {**os.environ, "GIT_INDEX_FILE": str(Path(folder) / "index")}
        if _git(project, "read-tree", "HEAD", environment=own) is None:
            return b""
        new = _git(project, "ls-files", "--others", "--exclude-standard", "-z", "--", *_CODE, *_PRIVATE)
        if new:
            literal = {**own, "GIT_LITERAL_PATHSPECS": "1"}
            names = ("--pathspec-from-file=-", "--pathspec-file-nul")
            _git(project, "add", "--intent-to-add", *names, environment=literal, given=new)
        scope = ("--relative", "HEAD", "--", *_CODE, *_PRIVATE)
        return _git(project, "diff", *_OPTIONS, *scope, environment=own, stripped=False) or b""


def package_sha256() -> str:
    """Hash of every file of the imported package."""
    hashes = hash_files(Path(lepton_pipeline.__file__).parent, "__pycache__")
    return sha256("".join(f"{name}\0{each}\n" for name, each in hashes.items()))


def environment() -> str:
    """Installed distributions, one `name==version` a line, sorted."""
    names = {f"{distribution.name.lower()}=={distribution.version}" for distribution in distributions()}
    return "\n".join(sorted(names)) + "\n"


def machine_facts() -> Facts:
    """Interpreter and processor, which may change the last bits."""
    try:
        found = re.search(r"(?m)^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:  # not Linux
        found = None
    processor = found[1] if found else platform.processor() or "unknown"
    return {"python": platform.python_version(), "processor": f"{processor}, {platform.machine()}"}


def sha256(content: str | dict[str, Any]) -> str:
    """Hash of a text, or of a JSON-able mapping regardless of key order."""
    text = content if isinstance(content, str) else json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Lineage:
    """Origin of a run."""

    run_id: str
    started: str  # UTC, ISO 8601, to the second
    facts: Facts  # of its lineage.json
    parameters: dict[str, Any]  # the declaration with all defaults
    packages: dict[str, str]  # version by name
    training_seconds: float | None = None  # of the stage that trains; None in runs of an earlier release


def read_run(run_id: str) -> Lineage:
    """The lineage of a run."""
    import mlflow

    client = mlflow.MlflowClient()
    run = client.get_run(run_id)
    installed = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/environment.txt")
    started = datetime.fromtimestamp(run.info.start_time // 1000, UTC)
    return Lineage(
        run_id,
        started.isoformat(),
        facts=read_facts(client, run),
        parameters=mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/parameters.json"),
        packages=dict(line.split("==", 1) for line in installed.split()),
        training_seconds=(read_record(client, run, SECONDS, dict[str, float]) or {}).get(TRAINING_STAGE),
    )


def _is_checkout(project: Path) -> bool:
    """Whether the project is a git repository or tracked in one, not only unpacked below one."""
    top = _git(project, "rev-parse", "--show-toplevel")
    if top is None:
        return False
    own = Path(os.fsdecode(top)).resolve() == project.resolve()
    return own or bool(_git(project, "ls-files", "--", *_CODE))


def _git(
    project: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    given: bytes | None = None,
    stripped: bool = True,
) -> bytes | None:
    """Output of git; None if it fails or is not installed."""
    try:
        done = subprocess.run(  # noqa: S603
            # A second user of a checkout already trusts its code.
            ["git", "-c", f"safe.directory={project.resolve()}", *arguments],  # noqa: S607
            cwd=project,
            env=environment,
            input=given,
            capture_output=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip() if stripped else done.stdout
