"""Old versions are removed from every kind of store, and MLflow's own collection finds what it expects."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from servers import MlflowServer, postgres_server
from small_history import MODEL_BYTES, REPORT_BYTES, History

from lepton_pipeline.registry.prune import prune
from lepton_pipeline.registry.prune_plan import Rule, plan_pruning

pytestmark = pytest.mark.exhaustive

WHOLE = MODEL_BYTES + REPORT_BYTES


def pruned(address: str, folder: Path, place: Path | None) -> History:
    """A model with a champion and three later versions, of which the latest is kept."""
    mlflow.set_tracking_uri(address)
    mlflow.set_registry_uri(address)
    past = History(mlflow.MlflowClient(address, address), folder, "shop", place)
    past.client.create_registered_model("shop")
    past.run(status="FAILED")
    for decision in ("promoted", "refused", "refused", "refused"):
        past.version(decision)
    removed = list(prune(past.client, plan_pruning(past.client, "shop", Rule(1))))
    assert sum(each.size for each in removed) == 2 * WHOLE + REPORT_BYTES
    assert past.versions() == [1, 4]
    assert past.runs() == {past.run_of(1), past.run_of(4)}
    assert plan_pruning(past.client, "shop", Rule(1)).remove == []
    return past


def files_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def collect(address: str, tracking: str, *arguments: str) -> None:
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "gc",
        "--backend-store-uri",
        address,
        "--tracking-uri",
        tracking,
    ]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("has been permanently deleted") == 5


def test_a_server_that_hands_out_files(tmp_path, store):
    folder = tmp_path / "server"
    folder.mkdir()
    shutil.copy(store, folder / "server.db")
    server = MlflowServer(folder)
    server.start()
    try:
        address = f"http://127.0.0.1:{server.port}"
        past = pruned(address, tmp_path, None)
        assert files_size(folder / "artifacts") == 2 * WHOLE
        collect(f"sqlite:///{folder}/server.db", address)
        assert past.runs() == {past.run_of(1), past.run_of(4)}
    finally:
        server.kill()


def test_a_postgresql_database(tmp_path):
    with postgres_server("secret") as address:
        past = pruned(address, tmp_path, tmp_path / "mlruns")
        assert past.size() == 2 * WHOLE
        collect(address, address)


def test_a_sqlite_file_and_what_mlflow_collects_later(tmp_path, store):
    shutil.copy(store, tmp_path / "mlflow.db")
    address = f"sqlite:///{tmp_path}/mlflow.db"
    past = pruned(address, tmp_path, tmp_path / "mlruns")
    assert past.size() == 2 * WHOLE
    collect(address, address)
    assert past.versions() == [1, 4]
    assert plan_pruning(past.client, "shop", Rule(1)).remove == []
