"""Reproduce a run in a scratch folder and compare the results."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kedro.framework.project import pipelines

import lepton_pipeline
from lepton_pipeline.errors import ConfigurationError, NotReproducedError
from lepton_pipeline.parameters import utc_text
from lepton_pipeline.runs import checks
from lepton_pipeline.runs.checks import Check, Value
from lepton_pipeline.runs.scratch import STORE, scratch_project
from lepton_pipeline.tracking import lineage
from lepton_pipeline.tracking.store import find_run

# Variables that would lead the child process to the caller's store.
_MLFLOW = ("TRACKING_URI", "REGISTRY_URI", "RUN_ID", "EXPERIMENT_ID")
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
        found = [checks.check_run(run), *origin, _check_data(folder, vertical, run)]
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


def _check_origin(client: Any, run: Any, project: Path, parameters: dict[str, Any]) -> list[Check]:
    """Compare code, environment, device and processor of the run with those of now."""
    then, run_id = run.data.tags, run.info.run_id
    machine = lineage.machine_tags()
    code = {**lineage.code_tags(project), "code.sha256": lineage.package_sha256()}
    installed = checks.read_artifact(client, run_id, "environment.txt")
    return [
        checks.check_code(then, code, run_id),
        checks.check_environment(installed, lineage.environment(), then, machine["python"], run_id),
        checks.check_device(then, _device(parameters)),
        checks.check_processor(then, machine["processor"]),
    ]


def _device(parameters: dict[str, Any]) -> str:
    from lepton_pipeline.model.networks.device import choose_device

    try:
        return choose_device(parameters.get("training", {}).get("device", "auto"))
    except ConfigurationError:
        return "no CUDA card"


def _check_data(folder: Path, vertical: str, run: Any) -> Check:
    """Read the raw data in the scratch folder and compare table and test rows with the run's."""
    wanted = "test_rows" if "rows.sha256" in run.data.tags else "ingestion_record"
    done = _kedro_run(folder, vertical, "--to-outputs", f"{vertical}.{wanted}", watched=False)
    found = _own_run(folder, vertical)
    if found is not None and found.info.status == "FINISHED":
        return checks.check_data(run.data.tags, found.data.tags)
    problem = found.data.tags.get("error") if found is not None else None
    said = done.stderr.rpartition("error: ")[2].strip() or f"exit code {done.returncode}"
    return checks.check_data(run.data.tags, None, problem or said)


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

    address = f"sqlite:///{folder / STORE}"
    return mlflow.MlflowClient(address, address)


def _own_run(folder: Path, vertical: str) -> Any:
    """The latest run in the scratch folder's store, if any."""
    if not (folder / STORE).is_file():
        return None
    client = _own_client(folder)
    experiment = client.get_experiment_by_name(vertical)
    if experiment is None:
        return None
    order = ["attributes.start_time DESC"]
    return next(iter(client.search_runs([experiment.experiment_id], order_by=order, max_results=1)), None)
