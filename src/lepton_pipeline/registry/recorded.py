"""MLflow's python_function flavour, with a hash of all files of the version and no path of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lepton_pipeline.system.file_hashes import record_files


class RecordedPyfunc:
    """The flavour for `Model.log`; `sha256` is that of the files saved last, see `record_files`."""

    sha256 = ""

    def save_model(self, path: str, mlflow_model: Any, validate_serving_input: bool, **options: Any) -> None:
        """As `mlflow.pyfunc.save_model`; `validate_serving_input` is an option of `Model.log`."""
        import mlflow

        mlflow.pyfunc.save_model(path, mlflow_model=mlflow_model, **options)
        _forget_machine(Path(path) / "MLmodel")
        self.sha256 = record_files(Path(path))


def _forget_machine(file: Path) -> None:
    """Drop the folders that files were saved from; MLflow finds them beside `MLmodel`."""
    from mlflow.models import Model

    described = Model.load(str(file))
    described.artifact_path = None
    flavour = described.flavors["python_function"]
    flavour["model_code_path"] = Path(flavour["model_code_path"]).name
    for artifact in flavour["artifacts"].values():
        artifact["uri"] = artifact["path"]
    described.save(str(file))
