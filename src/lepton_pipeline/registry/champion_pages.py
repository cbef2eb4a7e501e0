"""Report and figures of the champion, which stay when the next run replaces those of the latest."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

REPORTS = Path("data/08_reporting")
# Tag of a version: the run with its report, if another run registered it.
REPORT_RUN = "report.run_id"
_REPORT = "report/report.html"
_KEPT = ("report", "evaluation", "explanation")


def keep_champion_pages(client: Any, name: str, version: int, project: Path, run_id: str = "") -> Path | None:
    """Copy report, card and figures of a version to `data/08_reporting/<name>/champion`; return the report.

    The folder is replaced as a whole, and removed (None is returned) if no run has the version's report any
    more. `run_id` is the run that wrote the report, by default the one that the registry names.
    """
    from lepton_pipeline.datasets import FolderDataset

    registered = client.get_model_version(name, str(version))
    folder = FolderDataset(filepath=str(project / REPORTS / name / "champion"))
    for each in dict.fromkeys([run_id, registered.tags.get(REPORT_RUN), registered.run_id]):
        pages = _pages(client, each) if each else {}
        if _REPORT in pages:
            if each != registered.run_id:
                client.set_model_version_tag(name, str(version), REPORT_RUN, each)
            folder.save(pages)
            return folder.path / _REPORT
    folder.remove()
    return None


def _pages(client: Any, run_id: str) -> dict[str, bytes]:
    """Files to keep of a run's artefacts; empty if they are gone."""
    from mlflow import MlflowException

    from lepton_pipeline.datasets import FolderDataset

    with TemporaryDirectory() as brought:
        try:
            for artefact in client.list_artifacts(run_id):
                if artefact.path in _KEPT:
                    client.download_artifacts(run_id, artefact.path, brought)
        except (OSError, MlflowException):
            return {}
        files: dict[str, bytes] = FolderDataset(filepath=brought).load()
        return files
