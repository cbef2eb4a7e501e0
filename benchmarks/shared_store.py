"""Several verticals at once on one new MLflow store, a process each: is every run, metric and champion there?"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import machine
import pandas as pd
import yaml

from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.system.records import from_json
from lepton_pipeline.tracking.flat import logged_metrics
from lepton_pipeline.tracking.runs import HEADLINE

HERE = Path(__file__).parent
_RAW = "data/01_raw/finance/default_of_credit_card_clients.csv.gz"
_ROWS = 1500


def prepare(project: Path, names: Sequence[str]) -> None:
    """Copy what runs need, with the first rows of finance and a quick training as a vertical of every name."""
    (project / "src").mkdir(parents=True)
    for file in ("pyproject.toml", ".telemetry", "conf/logging.yml", "conf/base/catalog.yml"):
        (project / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE.parent / file, project / file)
    (project / "conf/local").mkdir()
    store = {"tracking_uri": "${oc.env:SHARED_STORE}", "artifact_root": "mlruns"}
    (project / "conf/base/mlflow.yml").write_text(yaml.safe_dump(store))
    declared = yaml.safe_load((HERE.parent / "conf/base/finance/parameters.yml").read_text())["finance"]
    declared |= {
        "training": {"epochs": 4, "patience": 4, "batch_size": 128},
        "evaluation": {"resamples": 100},
        "gate": {"at_least": 0.0, "margin": 0.99, "baseline_margin": 0.99},
    }
    rows = pd.read_csv(HERE.parent / _RAW, nrows=_ROWS)
    for name in names:
        for folder in (project / "conf/base" / name, project / "data/01_raw" / name):
            folder.mkdir(parents=True)
        (project / "conf/base" / name / "parameters.yml").write_text(yaml.safe_dump({name: declared}))
        rows.to_csv(project / "data/01_raw" / name / "sample.csv", index=False)


def run_all(project: Path, names: Sequence[str], store: str) -> tuple[float, dict[str, int]]:
    """Start all at the same time; seconds until the last ends, and the exit code of each."""
    started = perf_counter()
    processes = {}
    for name in names:
        with (project / f"{name}.log").open("wb") as log:
            processes[name] = subprocess.Popen(
                [sys.executable, "-m", "kedro", "run", "--pipelines", name],
                cwd=project,
                stdout=log,
                stderr=log,
                env={**os.environ, "SHARED_STORE": store, "OMP_NUM_THREADS": "1"},
            )
    codes = {name: process.wait() for name, process in processes.items()}
    return perf_counter() - started, codes


def missing(project: Path, name: str, client: Any) -> list[str]:
    """What of a vertical's run is not in the store."""
    experiment = client.get_experiment_by_name(name)
    runs = client.search_runs([experiment.experiment_id]) if experiment else []
    if len(runs) != 1 or runs[0].info.status != "FINISHED":
        return [f"its run: {[run.info.status for run in runs]}"]
    metrics = from_json(Metrics, (project / "data/08_reporting" / name / "metrics.json").read_bytes())
    logged, headline = runs[0].data.metrics, runs[0].data.params[HEADLINE]
    absent = [
        metric for metric, value in logged_metrics(metrics, headline).items() if logged.get(metric) != value
    ]
    epochs = pd.read_parquet(project / "data/06_models" / name / "history.parquet")
    first = epochs.loc[epochs["network"] == 1]
    if len(client.get_metric_history(runs[0].info.run_id, "validation.auc")) != len(first):
        absent.append("epochs")
    if client.get_registered_model(name).aliases.get("champion") is None:
        absent.append("champion")
    return absent


def measure(names: Sequence[str], store: str) -> list[str]:
    """One row of the table: kind of store, verticals, seconds, runs that are whole, what is missing."""
    import mlflow

    with TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        prepare(project, names)
        address = store or f"sqlite:///{project}/mlflow.db"
        seconds, codes = run_all(project, names, address)
        for name, code in codes.items():
            if code:
                print((project / f"{name}.log").read_text()[-2000:], file=sys.stderr)
        client = mlflow.MlflowClient(address, address)
        lost = {name: missing(project, name, client) for name in names}
    whole = sum(not absent and not codes[name] for name, absent in lost.items())
    absent = "; ".join(f"{name}: {', '.join(each)}" for name, each in lost.items() if each) or "nothing"
    kind = address.partition(":")[0].partition("+")[0]
    return [kind, str(len(names)), f"{seconds:.0f}", f"{whole} of {len(names)}", absent]


def report(rows: Sequence[Sequence[str]]) -> str:
    """The result as Markdown."""
    head = ["store", "verticals at once", "seconds", "whole runs with a champion", "missing"]
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
    packages = ("mlflow", "SQLAlchemy", "psycopg", "kedro")
    return "\n".join(
        [
            "# Several verticals at once on one store",
            "",
            f"Copies of finance ({_ROWS:,} rows, quick training), a process each, started at the same time on a store",
            "that is new, so that they also meet where it makes its tables. A run is whole if it is FINISHED and has",
            "every metric of its vertical, every epoch and its champion.",
            "",
            machine.describe(packages),
            "",
            *lines,
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verticals", type=int, default=8)
    parser.add_argument("--store", action="append", help="address of an empty database; else a SQLite file")
    parser.add_argument("--output", type=Path, default=HERE / "results/shared_store.md")
    options = parser.parse_args()
    # Keeps the libraries quiet by variables that the processes inherit.
    import_module("lepton_pipeline.settings")
    names = [f"vertical_{number}" for number in range(1, options.verticals + 1)]
    result = report([measure(names, store) for store in ["", *(options.store or [])]])
    options.output.write_text(result)
    print(result)


if __name__ == "__main__":
    main()
