from __future__ import annotations

import pytest
import yaml
from conftest import copy_face
from kedro.config import OmegaConfigLoader

from lepton_pipeline import settings
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.runs.reproduce import scratch_project

# Texts that YAML, or OmegaConf, would take for something else.
PARAMETERS = {
    "dataset": {"target": "1e-3", "positive": "yes", "missing": ["2026-01-01", "${x}", "ä ", "null"]},
    "training": {"rate": 1e-05, "seed": 7, "networks": None},
}
OUTPUTS = ["finance.table", "finance.metrics"]


@pytest.fixture
def project(tmp_path):
    """The project's face with raw data, results, a store and private configuration."""
    folder = tmp_path / "project"
    copy_face(folder, ["finance", "energy"])
    files = {
        "data/01_raw/finance/rows.csv": "a\n1\n",
        "data/02_intermediate/finance/table.parquet": "old",
        "warehouse.db": "rows",
        "mlflow.db": "runs",
        "conf/local/credentials.yml": "warehouse: {con: secret}\n",
        "conf/local/parameters.yml": "finance: {training: {seed: 99}}\n",
        "conf/local/mlflow.yml": "tracking_uri: https://elsewhere.example.org\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_parameters_are_exactly_those_given_and_nothing_private_overrides_them(project):
    with scratch_project(project, None, "finance", PARAMETERS, OUTPUTS, keep=False) as folder:
        loader = OmegaConfigLoader(str(folder / "conf"), **settings.CONFIG_LOADER_ARGS)
        assert loader["parameters"] == {"finance": PARAMETERS}
        assert loader["mlflow"] == {"tracking_uri": "sqlite:///mlflow.db", "artifact_root": "mlruns"}
        assert loader["credentials"] == {"warehouse": {"con": "secret"}}
        assert (folder / "conf/local/credentials.yml").is_symlink()
    assert not folder.exists()


def test_the_query_is_that_of_the_run(project):
    for env in ("base", "local"):
        (project / "conf" / env / "finance").mkdir(exist_ok=True)
        (project / "conf" / env / "finance/table.sql").write_text("SELECT 'of today'")
    parameters = {**PARAMETERS, "sql": "SELECT 'as then, ${x}'"}
    with scratch_project(project, None, "finance", parameters, OUTPUTS, keep=False) as folder:
        loader = settings.CONFIG_LOADER_CLASS(str(folder / "conf"), **settings.CONFIG_LOADER_ARGS)
        assert loader["parameters"] == {"finance": parameters}
    with scratch_project(project, None, "finance", PARAMETERS, OUTPUTS, keep=False) as folder:
        assert not list((folder / "conf").rglob("*.sql"))


def test_raw_data_are_there_and_results_are_not(project):
    with scratch_project(project, None, "finance", PARAMETERS, OUTPUTS, keep=False) as folder:
        assert (folder / "data/01_raw/finance/rows.csv").read_text() == "a\n1\n"
        assert (folder / "warehouse.db").read_text() == "rows"
        assert not (folder / "data/02_intermediate").exists()
        assert not (folder / "mlflow.db").exists()
    assert (project / "data/01_raw/finance/rows.csv").exists()


def test_the_folder_is_private_and_kept_where_asked(project):
    with scratch_project(project, None, "finance", PARAMETERS, OUTPUTS, keep=True) as folder:
        assert folder.stat().st_mode & 0o077 == 0
    assert folder.exists()


@pytest.mark.parametrize(
    "path", ["/elsewhere/table.parquet", "../table.parquet", "shared/table.parquet", "s3://b/t"]
)
def test_what_would_be_written_elsewhere_is_refused(project, path):
    (project / "shared").mkdir()
    entry = {
        "type": "lepton_pipeline.datasets.AtomicDataset",
        "filepath": path,
        "dataset": "pandas.ParquetDataset",
    }
    (project / "conf/base/finance/catalog.yml").write_text(yaml.safe_dump({"finance.table": entry}))
    with (
        pytest.raises(ConfigurationError, match=r"finance\.table is written to"),
        scratch_project(project, None, "finance", PARAMETERS, OUTPUTS, keep=False),
    ):
        pass
