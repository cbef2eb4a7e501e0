"""A registered model without a real model behind it: versions, runs and files of a few bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton_pipeline.registry.champion import move_champion

MODEL_BYTES, REPORT_BYTES = 1000, 100


@dataclass
class History:
    """A model in a store with an experiment of its name.

    Attributes:
        client: of the store.
        folder: for files of the test.
        name: of the model.
        place: folder of the artefacts; None where the server chooses it.
    """

    client: Any
    folder: Path
    name: str
    place: Path | None

    def run(self, job: str = "", status: str = "FINISHED", **tags: str) -> str:
        """A run with a report, of the training or another job of the vertical."""
        name = f"{self.name}_{job}" if job else self.name
        experiment = self.client.get_experiment_by_name(name)
        place = (self.place / name).as_uri() if self.place else None
        number = experiment.experiment_id if experiment else self.client.create_experiment(name, place)
        run_id = str(self.client.create_run(number, tags=tags).info.run_id)
        self.client.log_text(run_id, "r" * REPORT_BYTES, "report/report.html")
        if status != "RUNNING":
            self.client.set_terminated(run_id, status)
        return run_id

    def version(self, decision: str = "refused", **options: Any) -> int:
        """A version with a run and a logged model of its own; "promoted" makes it the champion."""
        run_id = self.run(**options)
        experiment = self.client.get_run(run_id).info.experiment_id
        model = self.client.create_logged_model(experiment, name=self.name, source_run_id=run_id)
        file = self.folder / "weights"
        file.write_text("w" * MODEL_BYTES)
        self.client.log_model_artifact(model.model_id, str(file))
        tags = {"gate.decision": decision}
        source, number = f"models:/{model.model_id}", model.model_id
        made = self.client.create_model_version(self.name, source, run_id, tags=tags, model_id=number)
        if decision == "promoted":
            move_champion(self.client, self.name, int(made.version), "gate", "it is better", run_id=run_id)
        return int(made.version)

    def run_of(self, version: int) -> str:
        return str(self.client.get_model_version(self.name, str(version)).run_id)

    def versions(self) -> list[int]:
        return sorted(
            int(each.version) for each in self.client.search_model_versions(f"name = '{self.name}'")
        )

    def runs(self) -> set[str]:
        """Ids of the runs of the training that are not deleted."""
        experiment = self.client.get_experiment_by_name(self.name).experiment_id
        return {run.info.run_id for run in self.client.search_runs([experiment])}

    def size(self) -> int:
        """Bytes of all artefacts."""
        assert self.place is not None
        files = self.place.rglob("*")
        return sum(path.stat().st_size for path in files if path.is_file() and path.name != "meta.yaml")
