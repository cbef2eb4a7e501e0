"""A project of one vertical in a temporary folder, to run it apart from the project's data and registry."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from kedro.config import MissingConfigException
from kedro.framework.project import settings
from kedro.io import DataCatalog

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.parameters.jobs import QUERY
from lepton_pipeline.system.signals import unwinding

STORE = "mlflow.db"
_OWN_CONF = ("parameters*", "mlflow*", "*.sql")
# Layers that runs write, and names that the scratch folder has itself; the rest may hold raw data.
_WRITTEN = re.compile(r"0[2-8]_.*")
_NOT_SHARED = {"conf", "data", "src", "mlruns", "pyproject.toml"}


@contextmanager
def scratch_project(
    project: Path,
    env: str | None,
    vertical: str,
    parameters: dict[str, Any],
    outputs: Iterable[str],
    *,
    keep: bool,
) -> Iterator[Path]:
    """Make a private folder with a project of one vertical and its store; removed at the end unless `keep`.

    Raw data, and secrets of the environment, are linked, not copied. `parameters` replace the vertical's
    declaration. Raises ConfigurationError if one of `outputs` (data set names) would be written elsewhere.
    """
    folder = Path(mkdtemp(prefix="kedro-reproduce-")).resolve()
    try:
        with unwinding():
            _furnish(folder, project, env, vertical, parameters)
            _refuse_outputs_elsewhere(folder, outputs)
            yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _furnish(folder: Path, project: Path, env: str | None, vertical: str, parameters: dict[str, Any]) -> None:
    (folder / "src").mkdir()
    for name in ("pyproject.toml", ".telemetry"):
        if (project / name).is_file():
            shutil.copy(project / name, folder / name)
    _furnish_conf(folder / settings.CONF_SOURCE, project / settings.CONF_SOURCE, env, vertical, parameters)
    (folder / "data").mkdir()
    inside = [path for path in (project / "data").iterdir() if not _WRITTEN.fullmatch(path.name)]
    beside = [path for path in project.iterdir() if not _left_out(path.name)]
    for path in inside + beside:
        (folder / path.relative_to(project)).symlink_to(path.resolve())


def _left_out(name: str) -> bool:
    return name in _NOT_SHARED or name.startswith((".", STORE))


def _furnish_conf(conf: Path, given: Path, env: str | None, vertical: str, declared: dict[str, Any]) -> None:
    others = {path.parent.name for path in (given / "base").glob("*/parameters*.yml")} - {vertical}
    shutil.copytree(given / "base", conf / "base", ignore=shutil.ignore_patterns(*_OWN_CONF, *others))
    if (given / "logging.yml").is_file():
        shutil.copy(given / "logging.yml", conf / "logging.yml")
    # The environment's catalog and credentials, but not its parameters; secrets are linked, never copied.
    (conf / "local").mkdir()
    chosen = given / (env or settings.CONFIG_LOADER_ARGS["default_run_env"])
    for path in sorted(chosen.rglob("*")) if chosen.is_dir() else []:
        if path.is_file() and not any(path.match(pattern) for pattern in _OWN_CONF):
            linked = conf / "local" / path.relative_to(chosen)
            linked.parent.mkdir(parents=True, exist_ok=True)
            linked.symlink_to(path.resolve())
    declaration = conf / "base" / vertical / "parameters.yml"
    declaration.parent.mkdir(parents=True, exist_ok=True)
    for copied in (declaration, conf / "base" / "mlflow.yml"):
        # The project's own may be read-only.
        copied.unlink(missing_ok=True)
    # In JSON a text that looks like a number or date stays a text.
    bare = {key: each for key, each in declared.items() if key != "sql"}
    declaration.write_text(json.dumps({vertical: _literal(bare)}, ensure_ascii=False), encoding="utf-8")
    if "sql" in declared:
        declaration.with_name(QUERY).write_text(declared["sql"], encoding="utf-8")
    (conf / "base" / "mlflow.yml").write_text(f"tracking_uri: sqlite:///{STORE}\nartifact_root: mlruns\n")


def _literal(value: Any) -> Any:
    """Escape "${" in values, so that it is no interpolation."""
    if isinstance(value, str):
        return value.replace("${", "\\${")
    if isinstance(value, list):
        return [_literal(each) for each in value]
    if isinstance(value, dict):
        return {key: _literal(each) for key, each in value.items()}
    return value


def _refuse_outputs_elsewhere(folder: Path, outputs: Iterable[str]) -> None:
    """Refuse a catalog by which the run would write outside the scratch folder."""
    loader = settings.CONFIG_LOADER_CLASS(str(folder / settings.CONF_SOURCE), **settings.CONFIG_LOADER_ARGS)
    try:
        credentials = loader["credentials"]
    except MissingConfigException:
        credentials = {}
    resolver = DataCatalog.from_config(loader["catalog"], credentials).config_resolver
    for name in sorted(outputs):
        path = str(resolver.resolve_pattern(name).get("filepath", ""))
        if not path or "://" in path or not (folder / path).resolve().is_relative_to(folder):
            raise ConfigurationError(
                f"{name} is written to {path or 'no file'!r}, outside the project's own layers below data/, so the run "
                "would change it when made again; give its catalog entry a path relative to the project."
            )
