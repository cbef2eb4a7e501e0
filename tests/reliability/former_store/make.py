"""Make `project.tar.xz`: a small project with the runs and models of an earlier commit, here b064eaf.

    git worktree add --detach /former b064eaf
    PYTHONPATH=/former/src python tests/reliability/former_store/make.py /former /project

MLflow keeps the paths of both folders, so choose such as every machine may have.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

ARCHIVE = Path(__file__).with_name("project.tar.xz")
VERTICAL = "orders"
ROWS = 400
LATER = 100
KEPT = (
    f"conf/base/{VERTICAL}",
    "data/01_raw",
    f"data/07_model_output/{VERTICAL}/batch_scores.parquet",
    "mlflow.db",
    "mlruns",
)
# Pictures and pages, which no command reads again.
LEFT_OUT = ("*.png", "*.svg", "*.html")
DECLARED: dict[str, Any] = {
    "about": {"question": "Will an order be sent back?"},
    "dataset": {
        "target": "returned",
        "positive": "yes",
        "id": "order_id",
        "time": "ordered_at",
        "label_delay": "1d",
        "exclude": ["customer"],
    },
    "ingestion": {"dates": {"ordered_at": "%Y-%m-%d %H:%M:%S", "due": "%Y-%m-%d"}},
    "contract": {
        "expectations": [
            {"expect": "column_values_to_be_unique", "column": "order_id"},
            {
                "expect": "column_values_to_be_between",
                "column": "items",
                "min_value": 1,
                "on_failure": "quarantine",
            },
        ]
    },
    "features": {
        "derive": {"price_per_item": "price / items", "hour": "hour(ordered_at)"},
        "windows": {"earlier_orders": {"statistic": "count", "by": ["customer"], "within": "60d"}},
    },
    "split": {"strategy": "time"},
    "training": {
        "networks": 1,
        "members": 2,
        "layers": 1,
        "width": 8,
        "bins": 4,
        "epochs": 3,
        "batch_size": 64,
    },
    "evaluation": {
        "resamples": 100,
        "explained_rows": 20,
        "slices": ["channel"],
        "costs": {"false_negative": 1.0, "false_positive": 2.0},
    },
    "gate": {"at_least": 0.5, "margin": 0.5, "baseline_margin": 0.9},
    "monitoring": {"window": "30d"},
    "retraining": {"max_age": "90d", "on_drift": True, "on_new_rows": 50},
}


def orders(count: int) -> pd.DataFrame:
    """Orders with numbers, a category, dates and gaps; a low price and the channel `app` are sent back more often."""
    draw = np.random.default_rng(0)
    made = pd.DataFrame(
        {
            "order_id": [f"o{number:05d}" for number in range(count)],
            "ordered_at": pd.Timestamp("2025-01-01") + pd.to_timedelta(np.arange(count) * 6, unit="h"),
            "customer": draw.integers(0, 40, count),
            "price": draw.gamma(2.0, 30.0, count).round(2),
            "items": draw.integers(1, 6, count),
            "channel": draw.choice(["app", "shop", "web"], count),
            "due": pd.Timestamp("2025-06-01") + pd.to_timedelta(draw.integers(0, 300, count), unit="D"),
        }
    )
    chance = 1 / (1 + np.exp((made["price"] - 60) / 20 - 1.5 * (made["channel"] == "app")))
    returned = np.where(draw.random(count) < chance, "yes", "no")
    made["price"] = made["price"].mask(draw.random(count) < 0.1)
    made["channel"] = made["channel"].mask(draw.random(count) < 0.1)
    return made.assign(returned=returned)


def make_project(tree: Path, project: Path) -> None:
    """Lay out a project of the commit that `tree` has checked out, and run everything that leaves something behind."""
    (project / "src").mkdir(parents=True)
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(tree / name, project / name)
    (project / "conf/local").mkdir(parents=True)
    shutil.copy(tree / "conf/logging.yml", project / "conf/logging.yml")
    declaration = project / "conf/base" / VERTICAL / "parameters.yml"
    declaration.parent.mkdir(parents=True)
    for name in ("catalog.yml", "mlflow.yml"):
        shutil.copy(tree / "conf/base" / name, project / "conf/base" / name)
    declaration.write_text(yaml.safe_dump({VERTICAL: DECLARED}, sort_keys=False))
    rows = orders(ROWS + LATER)
    write(project, VERTICAL, rows.head(ROWS))
    write(project, f"{VERTICAL}_scoring", rows.tail(LATER).drop(columns="returned"))
    kedro(project, VERTICAL)
    kedro(project, VERTICAL, f"{VERTICAL}.training.epochs=1,{VERTICAL}.gate.at_least=0.99")
    kedro(project, f"{VERTICAL}_scoring")
    write(project, VERTICAL, rows)
    kedro(project, f"{VERTICAL}_monitoring")


def write(project: Path, folder: str, rows: pd.DataFrame) -> None:
    """Put rows into a raw folder."""
    file = project / "data/01_raw" / folder / "orders.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    rows.to_csv(file, index=False)


def kedro(project: Path, pipeline: str, params: str = "") -> None:
    """Run a pipeline with the package that PYTHONPATH names."""
    given = ["--params", params] if params else []
    subprocess.run(
        [sys.executable, "-m", "kedro", "run", "--pipelines", pipeline, *given], cwd=project, check=True
    )


def pack(project: Path) -> None:
    """Archive what later code reads of the project."""
    with closing(sqlite3.connect(project / "mlflow.db")) as store:
        store.execute("VACUUM")
    with tarfile.open(ARCHIVE, "w:xz") as archive:
        for name in KEPT:
            archive.add(project / name, name, filter=_slim)


def _slim(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    # The code of a version holds pages, too.
    if any(Path(member.name).match(pattern) for pattern in LEFT_OUT) and "/code/" not in member.name:
        return None
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    make_project(Path(sys.argv[1]), Path(sys.argv[2]))
    pack(Path(sys.argv[2]))
