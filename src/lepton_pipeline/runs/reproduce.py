"""Reproduce a run in a scratch folder and compare the results."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from kedro.config import MissingConfigException
from kedro.framework.project import pipelines, settings
from kedro.io import DataCatalog

import lepton_pipeline
from lepton_pipeline.errors import ConfigurationError, NotReproducedError
from lepton_pipeline.parameters import utc_text
from lepton_pipeline.parameters.jobs import QUERY
from lepton_pipeline.runs import checks
from lepton_pipeline.runs.checks import Check, Value
from lepton_pipeline.system.signals import unwinding
from lepton_pipeline.tracking import lineage
from lepton_pipeline.tracking.artefacts import Facts, read_artifact, read_facts
from lepton_pipeline.tracking.store import find_run, recent_runs

# Variables that would lead the child process to the caller's store.
_MLFLOW = ("TRACKING_URI", "REGISTRY_URI", "RUN_ID", "EXPERIMENT_ID")
_STORE = "mlflow.db"
_OWN_CONF = ("parameters*", "mlflow*", "*.sql")
# Layers that runs write, and names that the scratch folder has itself; the rest may hold raw data.
_WRITTEN = re.compile(r"0[2-8]_.*")
_NOT_SHARED = {"conf", "data", "src", "mlruns", "pyproject.toml"}
_STRIPPED = ("KEDRO_ENV", *(f"MLFLOW_{name}" for name in _MLFLOW))


@dataclass(frozen=True)
class Reproduction:
    """A reproduced run: every figure and hash, then and now, and the scratch folder if it was kept."""

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
    """Check what a run depends on, then run it again in a scratch folder with its own store.

    `run_id` may be the beginning of an id. `show` gets the id and the checks before training starts; `anyway`
    trains although a check failed. Raises ConfigurationError if there is no such run or declaration,
    NotReproducedError if a check or the pipeline failed.
    """
    run = find_run(client, run_id)
    vertical = client.get_experiment(run.info.experiment_id).name
    if vertical not in pipelines:
        raise ConfigurationError(
            f"run {run.info.run_id} is of vertical {vertical!r}, which the project does not have; "
            f"restore conf/base/{vertical}/parameters.yml."
        )
    parameters = checks.read_parameters(client, run)
    # A run that recorded no present knew the labels of its start.
    started = datetime.fromtimestamp(run.info.start_time / 1000, UTC)
    parameters = parameters | {"dataset": {"present": utc_text(started)} | parameters.get("dataset", {})}
    outputs = pipelines[vertical].all_outputs()
    with scratch_project(project, env, vertical, parameters, outputs, keep=keep) as folder:
        origin = _check_origin(client, run, project, parameters)
        found = [checks.check_run(run), *origin, _check_data(folder, vertical, read_facts(client, run))]
        show(run.info.run_id, found)
        differing = [check.name for check in found if check.decisive and not check.same]
        if differing and not anyway:
            raise NotReproducedError(
                f"run {run.info.run_id} was not reproduced: {', '.join(differing)} changed, see above; "
                "undo that, or try with --anyway."
            )
        # Reuse the checked table, since raw data may change meanwhile.
        _kedro_run(folder, vertical, "--only-missing-outputs", watched=True)
        again = _own_run(folder, vertical)
        if again is None or again.info.status != "FINISHED":
            why = "" if again is None else f": {again.data.tags.get('error', 'see above')}"
            raise NotReproducedError(
                f"run {run.info.run_id} could not be reproduced, the pipeline failed{why}. "
                "The checks above show what has changed."
            )
        values = checks.compare_values((client, run.info.run_id), (_own_client(folder), again.info.run_id))
    return Reproduction(run.info.run_id, vertical, values, folder if keep else None)


def _check_origin(client: Any, run: Any, project: Path, parameters: checks.Declared) -> list[Check]:
    then, run_id = read_facts(client, run), run.info.run_id
    machine = lineage.machine_facts()
    code = {**lineage.code_facts(project), "code.sha256": lineage.package_sha256()}
    installed = read_artifact(client, run, "environment.txt")
    return [
        checks.check_code(then, code, run_id),
        checks.check_environment(installed, lineage.environment(), then, machine["python"], run_id),
        checks.check_device(then, _device(parameters)),
        checks.check_processor(then, machine["processor"]),
    ]


def _device(parameters: checks.Declared) -> str:
    from lepton_pipeline.system.device import choose_device

    try:
        return choose_device(parameters.get("training", {}).get("device", "auto"))
    except ConfigurationError:
        return "no CUDA card"


def _check_data(folder: Path, vertical: str, then: Facts) -> Check:
    """Read the raw data in the scratch folder and compare table and test rows with the run's."""
    wanted = "test_rows" if "rows.sha256" in then else "ingestion_record"
    done = _kedro_run(folder, vertical, "--to-outputs", f"{vertical}.{wanted}", watched=False)
    found = _own_run(folder, vertical)
    if found is not None and found.info.status == "FINISHED":
        return checks.check_data(then, read_facts(_own_client(folder), found))
    problem = found.data.tags.get("error") if found is not None else None
    said = done.stderr.rpartition("error: ")[2].strip() or f"exit code {done.returncode}"
    return checks.check_data(then, None, problem or said)


def _kedro_run(folder: Path, vertical: str, *options: str, watched: bool) -> subprocess.CompletedProcess[str]:
    """Run the pipeline in a child process; its log is shown if `watched`."""
    environment = {name: value for name, value in os.environ.items() if name not in _STRIPPED}
    # The package may not be installed.
    source = str(Path(lepton_pipeline.__file__).parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [source, environment.get("PYTHONPATH")]))
    return subprocess.run(  # noqa: S603  # this interpreter, and the name of a vertical that is a pipeline's
        [sys.executable, "-m", "kedro", "run", "--pipelines", vertical, *options],
        cwd=folder,
        env=environment,
        # The summary points into the scratch folder's store.
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
    client = _own_client(folder) if (folder / _STORE).is_file() else None
    return next(iter(recent_runs(client, vertical, 1)), None)


@contextmanager
def scratch_project(
    project: Path,
    env: str | None,
    vertical: str,
    parameters: checks.Declared,
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


def _furnish(
    folder: Path, project: Path, env: str | None, vertical: str, parameters: checks.Declared
) -> None:
    (folder / "src").mkdir()
    for name in ("pyproject.toml", ".telemetry"):
        if (project / name).is_file():
            shutil.copy(project / name, folder / name)
    _furnish_conf(folder / settings.CONF_SOURCE, project / settings.CONF_SOURCE, env, vertical, parameters)
    (folder / "data").mkdir()
    inside = [path for path in (project / "data").iterdir() if not _WRITTEN.fullmatch(path.name)]
    own = (".", _STORE)
    beside = [
        path for path in project.iterdir() if path.name not in _NOT_SHARED and not path.name.startswith(own)
    ]
    for path in inside + beside:
        (folder / path.relative_to(project)).symlink_to(path.resolve())


def _furnish_conf(conf: Path, given: Path, env: str | None, vertical: str, declared: checks.Declared) -> None:
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
    (conf / "base" / "mlflow.yml").write_text(f"tracking_uri: sqlite:///{_STORE}\nartifact_root: mlruns\n")


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
