"""Make a run again in a scratch folder, and compare."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from types import FrameType
from typing import Any

from kedro.config import MissingConfigException, OmegaConfigLoader
from kedro.framework.project import pipelines, settings
from kedro.io import DataCatalog

import lepton_pipeline
from lepton_pipeline.errors import ConfigurationError, NotReproducedError
from lepton_pipeline.registry import lineage
from lepton_pipeline.registry.reproduce import (
    Check,
    Value,
    check_code,
    check_data,
    check_device,
    check_environment,
    check_processor,
    check_run,
    compare_values,
    read_artifact,
    read_parameters,
)
from lepton_pipeline.registry.store import find_run

_STORE = "mlflow.db"
_OWN_CONF = ("parameters*", "mlflow*")
# What runs write, or what the scratch folder has of its own; all else of the project may hold raw data.
_WRITTEN = re.compile(r"0[2-8]_.*")
_NOT_SHARED = {"conf", "data", "src", "mlruns", "pyproject.toml"}
# Addresses of the caller's own store and run must not reach the process that works in the scratch folder.
_STRIPPED = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "KEDRO_ENV")


@dataclass(frozen=True)
class Reproduction:
    """What came of making a run again.

    Attributes:
        run_id: of the run.
        vertical: its experiment.
        values: every figure and hash, then and now.
        folder: the scratch folder, where it was kept.
    """

    run_id: str
    vertical: str
    values: list[Value]
    folder: Path | None

    @property
    def equal(self) -> bool:
        """Whether everything is the same to the last bit."""
        return all(value.equal for value in self.values)


def reproduce_run(
    client: Any,
    run_id: str,
    project: Path,
    env: str | None,
    show: Callable[[str, Sequence[Check]], None],
    *,
    anyway: bool = False,
    keep: bool = False,
) -> Reproduction:
    """Check what a run depends on, then make it again in a scratch folder with a store of its own.

    Args:
        client: of the store that holds the run.
        run_id: its id, or the beginning of it.
        project: root of the project, which is only read.
        env: configuration environment, for the catalog and credentials of the raw data.
        show: called with the run's id and the checks before anything is trained.
        anyway: train though a check has failed.
        keep: leave the scratch folder.

    Raises:
        ConfigurationError: there is no such run, or nothing to rebuild it from.
        NotReproducedError: a check has failed, or the pipeline has.
    """
    run = find_run(client, run_id)
    vertical = client.get_experiment(run.info.experiment_id).name
    if vertical not in pipelines:
        raise ConfigurationError(
            f"run {run.info.run_id} is of vertical {vertical!r}, which the project does not have; "
            f"restore conf/base/{vertical}/parameters.yml."
        )
    parameters = read_parameters(client, run)
    with _scratch(keep) as folder:
        _furnish(folder, project, env, vertical, parameters)
        _refuse_outputs_elsewhere(folder, vertical)
        checks = [
            check_run(run),
            *_check_origin(client, run, project, parameters),
            _check_data(folder, vertical, run),
        ]
        show(run.info.run_id, checks)
        differing = [check.name for check in checks if check.decisive and not check.same]
        if differing and not anyway:
            raise NotReproducedError(
                f"run {run.info.run_id} was not made again: {', '.join(differing)} not as then, see above; "
                "make it the same, or try with --anyway."
            )
        # The table that was just checked is taken over: raw data cannot change in between.
        _kedro_run(folder, vertical, "--only-missing-outputs", watched=True)
        again = _own_run(folder, vertical)
        if again is None or again.info.status != "FINISHED":
            why = "" if again is None else f": {again.data.tags.get('error', 'see above')}"
            raise NotReproducedError(
                f"run {run.info.run_id} could not be made again, the pipeline failed{why}. "
                "Look at the checks above: what is not as then?"
            )
        values = compare_values((client, run.info.run_id), (_own_client(folder), again.info.run_id))
    return Reproduction(run.info.run_id, vertical, values, folder if keep else None)


def _check_origin(client: Any, run: Any, project: Path, parameters: dict[str, Any]) -> list[Check]:
    """Compare code, environment, device and processor of the run with those of now."""
    then, run_id = run.data.tags, run.info.run_id
    machine = lineage.machine_tags()
    code = {**lineage.code_tags(project), "code.sha256": lineage.package_sha256()}
    installed = read_artifact(client, run_id, "environment.txt")
    return [
        check_code(then, code, run_id),
        check_environment(installed, lineage.environment(), then, machine["python"], run_id),
        check_device(then, _device(parameters)),
        check_processor(then, machine["processor"]),
    ]


def _device(parameters: dict[str, Any]) -> str:
    from lepton_pipeline.model.device import choose_device

    try:
        return choose_device(parameters.get("training", {}).get("device", "auto"))
    except ConfigurationError:
        return "no CUDA card"


def _check_data(folder: Path, vertical: str, run: Any) -> Check:
    """Read the raw data in the scratch folder, as the run did, and compare what came of them."""
    done = _kedro_run(folder, vertical, "--to-outputs", f"{vertical}.ingestion_record", watched=False)
    found = _own_run(folder, vertical)
    if found is not None and found.info.status == "FINISHED":
        return check_data(run.data.tags, found.data.tags)
    problem = found.data.tags.get("error") if found is not None else None
    said = done.stderr.rpartition("error: ")[2].strip() or f"exit code {done.returncode}"
    return check_data(run.data.tags, None, problem or said)


def _kedro_run(folder: Path, vertical: str, *options: str, watched: bool) -> subprocess.CompletedProcess[str]:
    """Run the pipeline in a process of its own; what it logs is shown where it is to be watched."""
    environment = {name: value for name, value in os.environ.items() if name not in _STRIPPED}
    # The package that runs here, also where it is not installed.
    source = str(Path(lepton_pipeline.__file__).parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [source, environment.get("PYTHONPATH")]))
    return subprocess.run(  # noqa: S603  # this interpreter, and the name of a vertical that is a pipeline's
        [sys.executable, "-m", "kedro", "run", "--pipelines", vertical, *options],
        cwd=folder,
        env=environment,
        # Its last words, a summary with an address in the scratch folder's store, are not for the user.
        stdout=subprocess.DEVNULL,
        stderr=None if watched else subprocess.PIPE,
        text=True,
        check=False,
    )


def _own_client(folder: Path) -> Any:
    import mlflow

    address = f"sqlite:///{folder / _STORE}"
    return mlflow.MlflowClient(address, address)


def _own_run(folder: Path, vertical: str) -> Any:
    """The latest run in the scratch folder's store, or None where there is none."""
    if not (folder / _STORE).is_file():
        return None
    client = _own_client(folder)
    experiment = client.get_experiment_by_name(vertical)
    if experiment is None:
        return None
    order = ["attributes.start_time DESC"]
    return next(iter(client.search_runs([experiment.experiment_id], order_by=order, max_results=1)), None)


@contextmanager
def _scratch(keep: bool) -> Iterator[Path]:
    """A folder that only this user can read, removed at the end, also when the process is told to stop."""
    folder = Path(mkdtemp(prefix="kedro-reproduce-")).resolve()
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield folder
    finally:
        signal.signal(signal.SIGTERM, before)
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _furnish(folder: Path, project: Path, env: str | None, vertical: str, parameters: dict[str, Any]) -> None:
    """Make a project of one vertical with the run's parameters; what may hold raw data is linked, not copied."""
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
    return name in _NOT_SHARED or name.startswith((".", _STORE))


def _furnish_conf(conf: Path, given: Path, env: str | None, vertical: str, parameters: dict[str, Any]) -> None:
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
    # JSON is YAML in which a text that looks like a number, or a date, stays a text.
    declaration.write_text(json.dumps({vertical: _literal(parameters)}, ensure_ascii=False), encoding="utf-8")
    (conf / "base" / "mlflow.yml").write_text(f"tracking_uri: sqlite:///{_STORE}\nartifact_root: mlruns\n")


def _literal(value: Any) -> Any:
    """Values as they are: a "${" in them is no interpolation."""
    if isinstance(value, str):
        return value.replace("${", "\\${")
    if isinstance(value, list):
        return [_literal(each) for each in value]
    if isinstance(value, dict):
        return {key: _literal(each) for key, each in value.items()}
    return value


def _refuse_outputs_elsewhere(folder: Path, vertical: str) -> None:
    """Refuse a catalog by which the run would write outside the scratch folder, into the project's data say."""
    loader = OmegaConfigLoader(str(folder / settings.CONF_SOURCE), **settings.CONFIG_LOADER_ARGS)
    try:
        credentials = loader["credentials"]
    except MissingConfigException:
        credentials = {}
    resolver = DataCatalog.from_config(loader["catalog"], credentials).config_resolver
    for name in sorted(pipelines[vertical].all_outputs()):
        path = str(resolver.resolve_pattern(name).get("filepath", ""))
        if not path or "://" in path or not (folder / path).resolve().is_relative_to(folder):
            raise ConfigurationError(
                f"{name} is written to {path or 'no file'!r}, outside the project's own layers below data/, so the run "
                "would change it when made again; give its catalog entry a path relative to the project."
            )
